"""The store: whole or not at all, checked on every read, one maker at a time."""

import os
import subprocess
import sys
import time

import pytest
from edgestill.errors import StorageError
from edgestill.pipeline.engine.store import Store, digest_of, folder_digests, write_atomic

KEY = "k" * 64


def make(out):
    (out / "sub").mkdir()
    (out / "sub" / "a.bin").write_bytes(b"payload")
    return {"value": 1}


def test_an_entry_is_made_once_and_read_after(tmp_path):
    store = Store(tmp_path)
    calls = []

    def counted(out):
        calls.append(out)
        return make(out)

    first, fresh = store.made(KEY, "stage", {"a": 1}, counted)
    second, again = store.made(KEY, "stage", {"a": 1}, counted)
    assert (fresh, again, len(calls)) == (True, False, 1)
    assert first.record == second.record == {"value": 1}
    assert (second.path / "sub" / "a.bin").read_bytes() == b"payload"


def test_an_entry_has_the_time_it_took_unless_a_killed_stage_went_on(tmp_path):
    store = Store(tmp_path)

    def slowly(out):
        time.sleep(0.05)
        return make(out)

    entry, _ = store.made(KEY, "stage", {}, slowly)
    stage, seconds = store.took(KEY)
    assert stage == "stage"
    assert 0.05 <= seconds < 30.0
    assert store.took("n" * 64) is None
    other = "r" * 64
    store.work(other)
    store.made(other, "stage", {}, make)
    assert store.took(other) is None
    assert store.read(other) is not None
    (entry.path / "entry.json").write_text('{"stage": "stage"}')
    assert store.took(KEY) is None, "an entry of an older version"


@pytest.mark.promise("A damaged entry of the store is found when read, named, and built again")
@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "sub" / "a.bin").write_bytes(b"Payload"),
        lambda entry: (entry / "sub" / "a.bin").unlink(),
        lambda entry: (entry / "extra").write_bytes(b""),
        lambda entry: (entry / "entry.json").write_text("{"),
        lambda entry: (entry / "entry.json").write_text(
            (entry / "entry.json").read_text().replace('"value": 1', '"value": 2')
        ),
        lambda entry: (entry / "link").symlink_to("/etc/hostname"),
    ],
    ids=["changed", "missing", "added", "broken record", "forged record", "link"],
)
def test_a_damaged_entry_is_set_aside_named_in_one_warning_and_built_again(tmp_path, damage):
    warnings = []
    store = Store(tmp_path, warnings.append)
    entry, _ = store.made(KEY, "stage", {}, make)
    damage(entry.path)
    again, fresh = store.made(KEY, "stage", {}, make)
    assert fresh
    assert again.record == {"value": 1}
    assert len(warnings) == 1
    assert KEY in warnings[0]
    assert list((tmp_path / "store").glob(".bad-*"))


def test_a_failure_is_not_kept_and_leaves_nothing(tmp_path):
    store = Store(tmp_path)

    def fail(out):
        (out / "half").write_bytes(b"")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.made(KEY, "stage", {}, fail)
    assert not store.has(KEY)
    assert not list((tmp_path / "store").glob(".draft-*"))


def test_what_a_killed_process_left_is_swept_by_the_next_and_live_drafts_are_not(tmp_path):
    store = Store(tmp_path)
    left = tmp_path / "store" / f".draft-{KEY}.999999"
    left.mkdir()
    (left / "half").write_bytes(b"")

    def make_while_another_opens(out):
        Store(tmp_path)
        assert out.exists()
        return make(out)

    Store(tmp_path).made("m" * 64, "stage", {}, make_while_another_opens)
    assert not left.exists()
    assert store.has("m" * 64)


def test_what_a_stage_goes_on_from_outlives_its_failure_and_goes_when_it_is_made(tmp_path):
    store = Store(tmp_path)

    def half(out):
        (store.work(KEY) / "checkpoint").write_bytes(b"half")
        raise ValueError("killed")

    def rest(out):
        found = (store.work(KEY) / "checkpoint").read_bytes()
        return {"went on from": found.decode()}

    with pytest.raises(ValueError, match="killed"):
        store.made(KEY, "stage", {}, half)
    made, _ = Store(tmp_path).made(KEY, "stage", {}, rest)
    assert made.record == {"went on from": "half"}
    assert not list((tmp_path / "store").glob(".work-*"))


def test_what_nobody_went_on_from_for_a_month_is_swept(tmp_path):
    store = Store(tmp_path)
    old, new = store.work(KEY), store.work("m" * 64)
    long_ago = time.time() - 31 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    Store(tmp_path)
    assert not old.exists()
    assert new.exists()


def test_two_processes_make_a_key_once_and_the_second_says_whom_it_waits_for(tmp_path):
    code = """
import sys, time
from pathlib import Path
from edgestill.pipeline.engine.store import Store
def make(out):
    print("making", flush=True)
    time.sleep(1.0)
    return {"pid": 0}
store = Store(Path(sys.argv[1]), lambda text: print(text, flush=True))
print(store.made("k" * 64, "s", {}, make)[1], flush=True)
"""
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert first.stdout.readline() == "making\n"
    second = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rest = first.communicate()[0]
    assert rest == "True\n"
    assert f"waiting for pid {first.pid} on " in second.stdout
    assert second.stdout.endswith("False\n")


def test_an_unwritable_folder_is_found_before_any_work(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(StorageError, match="choose a folder"):
        Store(file)


@pytest.mark.promise("A full disk leaves no half-written entry")
def test_a_full_disk_is_said_so_and_leaves_no_half_entry(tmp_path):
    """RLIMIT_FSIZE stands in for a full disk: the write fails in the same place."""
    code = """
import resource, signal, sys
from pathlib import Path
from edgestill.errors import StorageError
from edgestill.pipeline.engine.store import Store
store = Store(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
def make(out):
    (out / "big").write_bytes(bytes(200_000))
    return {}
try:
    store.made("k" * 64, "s", {}, make)
except StorageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "cannot write (file too large)" in done.stdout
    left = {p.name.split("-")[0] for p in (tmp_path / "store").iterdir()}
    assert left == {".lock"}


def test_an_atomic_write_replaces_whole_and_leaves_no_draft(tmp_path):
    path = tmp_path / "f"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_digests_do_not_depend_on_order(tmp_path):
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="JSON"):
        digest_of(float("nan"))
    (tmp_path / "b").write_bytes(b"1")
    (tmp_path / "a").write_bytes(b"2")
    assert list(folder_digests(tmp_path)) == ["a", "b"]


def test_a_record_is_looked_at_without_its_files(tmp_path):
    store = Store(tmp_path)
    assert store.peek(KEY) is None
    entry, _ = store.made(KEY, "stage", {}, make)
    assert store.peek(KEY) == {"value": 1}
    (entry.path / "sub" / "a.bin").unlink()
    assert store.peek(KEY) == {"value": 1}
    for damaged in ("{", "[]", "{}", '{"record": 1}'):
        (entry.path / "entry.json").write_text(damaged)
        assert store.peek(KEY) is None
