"""Where a shared store may lie, and that no secret of an address or a message is printed."""

from pathlib import Path

import pytest
from edgestill.errors import StorageError, UsageError
from edgestill.pipeline.engine.address import (
    address_of,
    chosen,
    folder_of,
    is_folder,
    without_secrets,
)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("s3://models/edgestill/", "s3://models/edgestill"),
        ("gs://models", "gs://models"),
        ("az://models/a/b", "az://models/a/b"),
        ("abfs://models@account.dfs.core.windows.net/a", None),
        ("memory://one", "memory://one"),
        ("/mnt/share", "/mnt/share"),
        ("file:///mnt/share", "/mnt/share"),
        ("file://localhost/mnt/a%20b", "/mnt/a b"),
    ],
)
def test_an_address_has_one_form(given, address):
    assert address_of(given) == (address or given)


def test_a_folder_is_known_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert address_of("share") == str(tmp_path / "share")
    assert address_of("~/share") == str(Path.home() / "share")
    assert is_folder(address_of("share"))
    assert not is_folder("s3://models")


@pytest.mark.parametrize(
    "given",
    [
        "ftp://host/a",
        "https://host/a",
        "://a",
        "s3://",
        "gs:///folder",
        "file://host/a",
        "file://",
    ],
)
def test_what_is_no_address_is_refused_with_those_there_are(given):
    with pytest.raises(UsageError) as caught:
        address_of(given)
    assert caught.value.where == "--store"
    assert caught.value.expected


@pytest.mark.parametrize(
    "given",
    [
        "s3://AKIA:hush-hush@models/a",
        "s3://models/a?secret=hush-hush",
        "az://models/a?sv=2020&sig=hush-hush",
        "gs://models/a#hush-hush",
        "abfs://models:hush-hush@account.dfs.core.windows.net/a",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(given):
    with pytest.raises(UsageError) as caught:
        address_of(given)
    assert "hush-hush" not in str(caught.value)
    assert "environment" in caught.value.fix


def test_an_option_stands_over_the_environment_and_an_empty_one_shares_nothing(monkeypatch):
    monkeypatch.delenv("EDGESTILL_STORE", raising=False)
    assert chosen(None) is None
    monkeypatch.setenv("EDGESTILL_STORE", "s3://theirs")
    assert chosen(None) == "s3://theirs"
    assert chosen("s3://ours") == "s3://ours"
    assert chosen("") is None
    monkeypatch.setenv("EDGESTILL_STORE", "ftp://theirs")
    with pytest.raises(UsageError, match="EDGESTILL_STORE"):
        chosen(None)


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StorageError, match="mount it"):
        folder_of(str(tmp_path / "share"))
    assert not (tmp_path / "share").exists()
    assert folder_of(str(tmp_path)) == tmp_path


def test_a_message_has_no_query_no_user_and_no_value_of_a_secret_variable(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    said = "GET https://u:pw@host/b?sig=abc%2F in 3 ms, with wJalrXUtnFEMI (<?xml?>)"
    assert without_secrets(said) == "GET https://…@host/b?… in 3 ms, with … (<?xml?>)"
