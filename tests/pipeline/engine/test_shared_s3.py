"""A shared store on a real S3 server: races of processes, refusals, a server that goes away."""

import secrets
import subprocess
import sys

import pytest
import s3_server
from edgestill.errors import StorageError
from edgestill.pipeline.engine import bucket as buckets
from edgestill.pipeline.engine.bucket import Bucket
from edgestill.pipeline.engine.entry import digest_of
from edgestill.pipeline.engine.store import Store

pytest.importorskip("obstore")
pytest.importorskip("moto")
pytestmark = pytest.mark.slow

PARTS = {"stage": "data", "seed": 1}
KEY = digest_of(PARTS)
WRITERS = 16
RACE = """
import contextlib, secrets, sys, time
from pathlib import Path
from edgestill.pipeline.engine.shared import SharedStore
from edgestill.pipeline.engine.store import Store, digest_of

here, address, go = sys.argv[1:]
parts = {"stage": "data", "seed": 1}
# Without leases, so that all of them upload at once.
SharedStore.claim = lambda *_: contextlib.nullcontext()

def make(out):
    for number in range(3):
        (out / f"{number}.bin").write_bytes(secrets.token_bytes(200_000))
    print("ready", flush=True)
    while not Path(go).exists():
        time.sleep(0.002)
    return {"by": secrets.token_hex(8)}

store = Store(Path(here), lambda text: print(text, file=sys.stderr), shared=address)
entry, _ = store.made(digest_of(parts), "data", parts, make)
assert Store(Path(here)).read(entry.key) == entry
print(entry.record["by"], *entry.digests.values(), flush=True)
"""


@pytest.fixture(scope="module")
def s3():
    with s3_server.serve() as server:
        yield server


@pytest.fixture(autouse=True)
def _led_there(s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)


def make(out):
    (out / "a.bin").write_bytes(secrets.token_bytes(10))
    return {"value": 1}


def made(folder, address, warn=lambda _: None):
    return Store(folder, warn, shared=address).made(KEY, "data", PARTS, make)


@pytest.mark.promise("Of 16 processes that upload one key at once one wins, and none is torn")
@pytest.mark.parametrize("kind", ["s3", "folder"])
def test_of_16_processes_that_upload_a_key_at_once_one_wins_and_none_is_torn(
    s3, tmp_path, kind, figure
):
    share = tmp_path / "share"
    share.mkdir()
    address = s3.bucket() if kind == "s3" else str(share)
    go = tmp_path / "go"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path / f"machine-{number}"), address, str(go)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    for one in writers:
        assert one.stdout.readline() == "ready\n", one.stderr.read()
    go.touch()
    ends = [one.communicate(timeout=300) for one in writers]
    assert [one.returncode for one in writers] == [0] * WRITERS, ends
    assert {errors for _, errors in ends} == {""}
    assert len({said for said, _ in ends}) == 1, "all have the entry of the one that won"
    bucket = Bucket(address)
    attempts = {one.path.split("/")[2] for one in bucket.list("files")}
    assert len(attempts) == 1
    assert len(bucket.list("entries")) == 1
    late, fresh = Store(tmp_path / "late", shared=address).made(KEY, "data", PARTS, make)
    assert not fresh
    assert " ".join([late.record["by"], *late.digests.values()]) == ends[0][0].strip()
    figure(f"{WRITERS} processes on S3 and in a folder")


def test_a_large_file_goes_up_and_comes_back_in_parts(s3, tmp_path):
    address = s3.bucket()
    content = secrets.token_bytes(20_000_000)

    def large(out):
        (out / "large.bin").write_bytes(content)
        return {}

    Store(tmp_path / "a", shared=address).made(KEY, "data", PARTS, large)
    entry, fresh = made(tmp_path / "b", address)
    assert not fresh
    assert (entry.path / "large.bin").read_bytes() == content


def test_credentials_that_may_only_read_help_with_one_warning(s3, tmp_path, monkeypatch):
    address, warnings = s3.bucket(), []
    made(tmp_path / "a", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    assert not made(tmp_path / "b", address, warnings.append)[1]
    other = {"seed": 2}
    store = Store(tmp_path / "c", warnings.append, shared=address)
    assert store.made(digest_of(other), "data", other, make)[1]
    assert len(warnings) == 2, "one each store"
    assert all("AccessDenied" in one and "none is written" in one for one in warnings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": "stranger"}, "no permission to list it (AccessDenied)"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "connection refused, tried 5 times"),
        ({}, "no such bucket"),
    ],
)
def test_what_cannot_be_had_is_told_before_any_work(s3, tmp_path, monkeypatch, change, said):
    address = s3.bucket() if change else "s3://no-such-bucket/a"
    for name, value in change.items():
        monkeypatch.setenv(name, value)

    def never(out):
        raise AssertionError("no work")

    with pytest.raises(StorageError) as caught:
        Store(tmp_path, shared=address).made(KEY, "data", PARTS, never)
    assert said in str(caught.value)
    assert "a-secret-of-writer" not in str(caught.value)
    assert caught.value.exit_code == 4
    assert caught.value.fix


def test_a_server_that_goes_away_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(buckets, "RETRIES", 2)
    with s3_server.serve() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        store = Store(tmp_path / "a", shared=server.bucket())

        def make_and_lose(out):
            server.process.kill()
            server.process.wait()
            return make(out)

        with pytest.raises(StorageError, match="the next build uploads it"):
            store.made(KEY, "data", PARTS, make_and_lose)
    entry = Store(tmp_path / "a").read(KEY)
    assert entry.record == {"value": 1}
    assert not list(store.root.glob(".draft-*"))
