"""The folder that builds write to, with the store that it shares."""

from pathlib import Path

import pytest
from edgestill.errors import UsageError
from edgestill.pipeline.engine.artifacts import Artifacts


def test_a_folder_alone_shares_nothing_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("EDGESTILL_STORE", "s3://theirs")
    assert Artifacts.of("a") == Artifacts.of(Path("a")) == Artifacts(Path("a"), None)
    place = Artifacts(Path("a"), "s3://ours")
    assert Artifacts.of(place) is place


def test_a_user_or_the_environment_names_what_is_shared(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGESTILL_STORE", "s3://theirs")
    assert Artifacts.chosen("a", None).shared == "s3://theirs"
    assert Artifacts.chosen("a", "").shared is None
    with pytest.raises(UsageError):
        Artifacts.chosen("a", "ftp://x")
    assert Artifacts(tmp_path).store().root == tmp_path / "store"
    assert not (tmp_path / "asked").exists()
    Artifacts(tmp_path / "asked").store(asks=True)
    assert not (tmp_path / "asked").exists()
