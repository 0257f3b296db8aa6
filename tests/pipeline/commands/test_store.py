"""`edgestill store size`, `gc` and `verify`, and `doctor`, as users call them."""

import json
import os
import secrets
import time

import pytest
from click.testing import CliRunner
from edgestill.errors import MaterialError, UsageError
from edgestill.pipeline.commands.devices import _stored
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.commands.store import bytes_of, seconds_of, store
from edgestill.pipeline.engine.entry import digest_of
from edgestill.pipeline.engine.store import Store

PARTS = {"seed": 1}
KEY = digest_of(PARTS)


def make(out):
    (out / "a.bin").write_bytes(secrets.token_bytes(1000))
    return {}


def called(*words, json=False, fails=None):
    invocation = Invocation(json=json)
    done = CliRunner().invoke(store, [*map(str, words)], obj=invocation)
    if fails is not None:
        assert isinstance(done.exception, fails), done.output
    else:
        assert done.exception is None, done.output
    return done.output, invocation.code


@pytest.fixture
def artifacts(tmp_path, monkeypatch):
    monkeypatch.delenv("EDGESTILL_STORE", raising=False)
    Store(tmp_path / "a").made(KEY, "data", PARTS, make)
    then = time.time() - 40 * 86400
    os.utime(tmp_path / "a" / "store" / KEY / "entry.json", (then, then))
    return tmp_path / "a"


def test_size_then_gc_then_nothing(artifacts):
    told, _ = called("size", "--artifacts", artifacts)
    assert told.startswith(f"1 entry in {artifacts}/store".replace("\n", " ")[:7])
    assert "data" in told
    assert "used longer than 30 days ago: 1 entry" in told
    told, _ = called("gc", "--dry-run", "--artifacts", artifacts)
    assert "1 entry would be removed" in " ".join(told.split())
    told, _ = called("gc", "--artifacts", artifacts, "--older-than", "50d", json=True)
    assert json.loads(told)["removed"] == []
    told, _ = called("gc", "--artifacts", artifacts, json=True)
    assert [one["key"] for one in json.loads(told)["removed"]] == [KEY]
    told, _ = called("size", "--artifacts", artifacts, json=True)
    assert json.loads(told)["stores"][0]["entries"] == 0


def test_what_a_run_names_stays(artifacts):
    run = artifacts / "runs" / "x" / "2026-01-01"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text(json.dumps({"keys": {"data": KEY}}))
    told, _ = called("gc", "--artifacts", artifacts, json=True)
    assert json.loads(told)["removed"] == []
    told, _ = called("gc", "--artifacts", artifacts, "--keep-size", "0", json=True)
    assert json.loads(told)["removed_that_runs_name"] == 1


def test_verify_names_what_is_damaged_and_ends_with_3(artifacts):
    assert called("verify", "--artifacts", artifacts)[1] == 0
    (artifacts / "store" / KEY / "a.bin").write_bytes(b"x")
    told, code = called("verify", "--artifacts", artifacts)
    assert code == MaterialError.exit_code == 3
    assert KEY in told
    assert "a.bin changed on disk" in " ".join(told.split())


def test_the_shared_store_is_looked_at_where_it_is_named_and_changed_where_that_is_asked(
    artifacts, tmp_path
):
    pytest.importorskip("obstore")
    share = tmp_path / "share"
    share.mkdir()
    with_share = ("--artifacts", artifacts, "--store", share)
    Store(artifacts, shared=str(share)).made(KEY, "data", PARTS, make)
    told, _ = called("size", *with_share, json=True)
    assert [one["where"] for one in json.loads(told)["stores"]] == [
        str(artifacts / "store"),
        str(share),
    ]
    called("gc", *with_share, "--keep-size", "0")
    assert list((share / "entries").iterdir()), "gc without --shared is of this machine"
    assert called("verify", "--shared", *with_share)[1] == 0
    called("gc", "--shared", *with_share, "--keep-size", "0")
    assert not list((share / "entries").iterdir())
    called("gc", "--shared", "--artifacts", artifacts, fails=UsageError)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("0", 0), ("500MB", 500_000_000), ("20 gb", 20 * 10**9), ("1.5GiB", 3 * 2**29), ("2k", 2000)],
)
def test_sizes_are_read_as_people_write_them(text, bytes_):
    assert bytes_of(None, None, text) == bytes_


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1XB", "1e3"])
def test_what_is_no_size_is_refused(text):
    import click

    with pytest.raises(click.BadParameter, match="20GB"):
        bytes_of(None, None, text)


def test_times_are_read_as_people_write_them():
    import click

    assert [seconds_of(None, None, text) for text in ("12h", "30d", "1w", "0.5d")] == [
        43200.0,
        2592000.0,
        604800.0,
        43200.0,
    ]
    for text in ("30", "d", "-1d", "1y"):
        with pytest.raises(click.BadParameter, match="30d"):
            seconds_of(None, None, text)


def test_doctor_says_what_the_store_takes(artifacts, tmp_path):
    (check,) = _stored(artifacts)
    assert (check.name, check.state) == ("store", "ok")
    assert check.found.startswith("1 entry in ")
    assert _stored(tmp_path / "nothing") == []
