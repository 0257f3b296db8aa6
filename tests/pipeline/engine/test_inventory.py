"""What lies in a store, here and shared: listed, removed, swept, hashed; never what is in use."""

import json
import os
import secrets
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from edgestill.pipeline.engine import inventory, shared_inventory
from edgestill.pipeline.engine.bucket import Bucket
from edgestill.pipeline.engine.bucket_failures import DeniedError
from edgestill.pipeline.engine.entry import digest_of
from edgestill.pipeline.engine.shared import SharedStore, manifest_path
from edgestill.pipeline.engine.store import Store

DAY = 24 * 3600.0


def key_of(number):
    return digest_of({"seed": number})


def fill(store, number, size=10, stage="data"):
    def make(out):
        (out / "a.bin").write_bytes(secrets.token_bytes(size))
        return {"number": number}

    return store.made(key_of(number), stage, {"seed": number}, make)[0]


def aged(root, number, days):
    then = time.time() - days * DAY
    os.utime(root / key_of(number) / "entry.json", (then, then))


def test_entries_are_listed_with_stage_size_and_the_time_of_their_last_use(tmp_path):
    store = Store(tmp_path)
    fill(store, 1, 1000)
    fill(store, 2, stage="student")
    root = store.root
    del store  # no build runs
    aged(root, 1, 40)
    aged(root, 2, 3)
    (root / ("b" * 64)).mkdir()
    broken, old, new = inventory.entries(root)
    assert (broken.stage, broken.bytes) == ("unknown", 0)
    assert [(one.stage, one.key) for one in (old, new)] == [
        ("data", key_of(1)),
        ("student", key_of(2)),
    ]
    assert old.bytes == 1000 + (root / key_of(1) / "entry.json").stat().st_size
    assert old.idle_s == pytest.approx(40 * DAY, abs=60)
    assert not old.in_use
    assert inventory.entries(tmp_path / "nowhere") == []


def test_reading_an_entry_is_use(tmp_path):
    store = Store(tmp_path)
    fill(store, 1)
    aged(store.root, 1, 40)
    Store(tmp_path, asks=True).read(key_of(1))
    assert inventory.entries(store.root)[0].idle_s > 30 * DAY
    store.read(key_of(1))
    assert inventory.entries(store.root)[0].idle_s < 60


HOLD = """
import sys, time
from pathlib import Path
from edgestill.pipeline.engine.store import Store
store = Store(Path(sys.argv[1]))
store.read(sys.argv[2])
print("has it", flush=True)
time.sleep(60)
"""


def test_what_a_running_build_has_read_is_kept_and_what_it_has_not_goes(tmp_path):
    store = Store(tmp_path)
    root = store.root
    for number in (1, 2):
        fill(store, number)
        aged(root, number, 40)
    del store
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), key_of(1)], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout.readline() == "has it\n"
        assert {one.key: one.in_use for one in inventory.entries(root)} == {
            key_of(1): True,
            key_of(2): False,
        }
        assert not inventory.remove(root, key_of(1))
        assert inventory.remove(root, key_of(2))
        child.kill()
    assert [one.what for one in inventory.rubbish(root)] == ["marks of killed builds"]
    assert inventory.remove(root, key_of(1))
    assert inventory.entries(root) == []


def test_an_entry_that_is_made_now_is_not_removed(tmp_path):
    store = Store(tmp_path)

    def make(out):
        assert not inventory.remove(store.root, key_of(1))
        return {}

    store.made(key_of(1), "data", {}, make)


def test_what_killed_builds_left_is_rubbish_and_is_swept_by_name(tmp_path):
    store = Store(tmp_path)
    root = store.root
    fill(store, 1)
    (root / f".draft-{key_of(9)}.dead").mkdir()
    (root / f".draft-{key_of(9)}.dead" / "half").write_bytes(b"12345")
    (root / f".bad-{key_of(8)}.1").mkdir()
    store.work(key_of(7))
    os.utime(store.work(key_of(7)), (0, 0))
    store.work(key_of(6))
    (root / f".sent-{key_of(5)}").write_text("s3://a")
    (root / ".probe.1").write_bytes(b"")
    os.utime(root / ".probe.1", (0, 0))
    found = inventory.rubbish(root)
    assert sorted(one.what for one in found) == [
        "damaged entries",
        "drafts of killed builds",
        "files of killed builds",
        "marks of entries that are gone",
        "work of stages that nobody resumed",
    ]
    assert {one.bytes for one in found if "drafts" in one.what} == {5}
    outside = tmp_path / "outside"
    outside.mkdir()
    inventory.sweep(root, [*(one.name for one in found), "../outside", key_of(1)])
    assert inventory.rubbish(root) == []
    assert outside.exists()
    assert store.has(key_of(1)), "only rubbish is swept, whatever is named"
    assert (root / f".work-{key_of(6)}").exists()


def test_damage_is_named_and_nothing_is_changed(tmp_path):
    store, counted = Store(tmp_path), []
    whole, damaged = fill(store, 1), fill(store, 2)
    (damaged.path / "a.bin").write_bytes(b"x")
    ((one, fault),) = inventory.faults(store.root, lambda: counted.append(1))
    assert (one.key, fault) == (damaged.key, "a.bin changed on disk")
    assert damaged.path.exists()
    assert whole.path.exists()
    assert len(counted) == 2


# --- shared -------------------------------------------------------------------------------------

pytest.importorskip("obstore")


@pytest.fixture
def share(tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.fixture
def shared(share):
    return SharedStore(str(share))


def later(monkeypatch, days):
    """The clock of the store goes on."""
    real = Bucket.now
    monkeypatch.setattr(Bucket, "now", lambda self: real(self) + timedelta(days=days))


def test_shared_entries_are_listed_by_the_clock_of_the_store(tmp_path, share, shared, monkeypatch):
    store = Store(tmp_path / "a", shared=str(share))
    fill(store, 1, 1000)
    fill(store, 2, stage="student")
    later(monkeypatch, 40)
    found = {one.key: one for one in shared_inventory.entries(shared)}
    assert {one.stage for one in found.values()} == {"data", "student"}
    assert found[key_of(1)].bytes > 1000
    assert found[key_of(1)].idle_s == pytest.approx(40 * DAY, abs=60)
    assert not found[key_of(1)].in_use


def test_who_may_only_read_sees_what_there_is(tmp_path, share, shared, monkeypatch):
    fill(Store(tmp_path / "a", shared=str(share)), 1)

    def denied(self, *_, **__):
        raise DeniedError("no permission to write to it", where=self.address)

    monkeypatch.setattr(Bucket, "put", denied)
    monkeypatch.setattr(Bucket, "delete", denied)
    assert shared_inventory.entries(shared)[0].idle_s < 60
    assert shared_inventory.faults(shared) == []
    with pytest.raises(DeniedError):
        shared_inventory.remove(shared, key_of(1))


def test_use_by_any_machine_counts(tmp_path, share, shared):
    fill(Store(tmp_path / "a", shared=str(share)), 1)
    for path in (share / manifest_path(key_of(1)), share / "used" / key_of(1)):
        os.utime(path, (0, 0))
    assert shared_inventory.entries(shared)[0].idle_s > 365 * DAY
    Store(tmp_path / "b", shared=str(share)).read(key_of(1))
    assert shared_inventory.entries(shared)[0].idle_s < 60


def test_a_removed_entry_leaves_nothing_and_is_made_again(tmp_path, share, shared):
    fill(Store(tmp_path / "a", shared=str(share)), 1)
    assert shared_inventory.remove(shared, key_of(1))
    assert [path for path in share.rglob("*") if path.is_file()] == []
    fill(Store(tmp_path / "b", shared=str(share)), 1)
    assert shared.has(key_of(1))


def test_what_another_machine_makes_now_is_in_use(tmp_path, share, shared, monkeypatch):
    fill(Store(tmp_path / "a", shared=str(share)), 1)
    shared.bucket.put(f"leases/{key_of(1)}/00000000", b"{}")
    assert shared_inventory.entries(shared)[0].in_use
    assert not shared_inventory.remove(shared, key_of(1))
    later(monkeypatch, 1)
    assert shared_inventory.remove(shared, key_of(1))


def test_uploads_of_killed_builds_are_swept_after_a_day_and_live_ones_are_not(
    tmp_path, share, shared, monkeypatch
):
    fill(Store(tmp_path / "a", shared=str(share)), 1)
    bucket = shared.bucket
    bucket.put(f"files/{key_of(1)}/{'0' * 32}/0", b"torn")
    bucket.put(f"files/{key_of(2)}/{'0' * 32}/0", b"torn")
    bucket.put(f"leases/{key_of(3)}/00000000", b"{}")
    bucket.put(f"bad/{key_of(4)}.1.json", b"{}")
    bucket.put(f"used/{key_of(5)}", b"")
    bucket.put("clock/ff", b"")
    bucket.put("somebody/elses.txt", b"")
    assert shared_inventory.rubbish(shared) == []
    later(monkeypatch, 2)
    found = shared_inventory.rubbish(shared)
    assert len(found) == 6
    shared_inventory.sweep(shared, [one.name for one in found])
    assert shared_inventory.rubbish(shared) == []
    assert bucket.get("somebody/elses.txt", 1) == b""
    assert shared.content(key_of(1))["record"] == {"number": 1}
    assert Store(tmp_path / "b", shared=str(share)).read(key_of(1)) is not None


def test_shared_damage_is_named_and_nothing_is_changed(tmp_path, share, shared):
    store = Store(tmp_path / "a", shared=str(share))
    for number in range(1, 6):
        fill(store, number)
    objects = {number: next((share / "files" / key_of(number)).rglob("0")) for number in (2, 3, 4)}
    objects[2].write_bytes(b"0123456789")
    objects[3].write_bytes(b"")
    objects[4].unlink()
    manifest = share / manifest_path(key_of(5))
    content = json.loads(manifest.read_text())
    content["entry"]["record"] = {}
    manifest.write_text(json.dumps(content))
    before = sorted(path for path in share.rglob("*") if path.is_file())
    found = {one.key: fault for one, fault in shared_inventory.faults(shared)}
    assert found == {
        key_of(2): "a.bin has changed",
        key_of(3): "a.bin has 0 bytes, not 10",
        key_of(4): "a file is missing (a.bin)",
        key_of(5): "entry.json does not match its own digest",
    }
    assert sorted(path for path in share.rglob("*") if path.is_file()) == before
