"""What an entry of the store is on the disk and in memory, and what stops no build."""

import contextlib
import errno
import hashlib
import json
import os
import shutil

import pytest
from edgestill.errors import StorageError
from edgestill.pipeline.engine.entry import digest_of
from edgestill.pipeline.engine.store import Store, folder_digests

fcntl = pytest.importorskip("fcntl", reason="locks of POSIX systems")
resource = pytest.importorskip("resource", reason="limits of POSIX systems")
KEY = "k" * 64
PAYLOAD = hashlib.sha256(b"payload").hexdigest()


def make(out):
    (out / "sub").mkdir()
    (out / "sub" / "a.bin").write_bytes(b"payload")
    return {"value": 1}


def sha256(text):
    return hashlib.sha256(text).hexdigest()


def test_the_canonical_form_has_sorted_keys_and_no_space():
    value = {"b": {"d": None, "c": [1, 2.5]}, "a": "é"}
    assert digest_of(value) == sha256(b'{"a":"\\u00e9","b":{"c":[1,2.5],"d":null}}')


WRITTEN = """{
 "format": 1,
 "stage": "student",
 "ingredients": {
  "seed": 3
 },
 "record": {
  "value": 1
 },
 "files": {
  "sub/a.bin": "%s"
 },
 "seconds": %s,
 "self": "%s"
}"""
"""Other versions read it: the form stays as long as ``FORMAT`` does."""


def test_an_entry_is_a_file_to_be_read_by_people_and_by_other_versions(tmp_path):
    entry, _ = Store(tmp_path).made(KEY, "student", {"seed": 3}, make)
    canonical = (
        f'{{"files":{{"sub/a.bin":"{PAYLOAD}"}},"format":1,"ingredients":{{"seed":3}},'
        '"record":{"value":1},"stage":"student"}'
    )
    told = (entry.path / "entry.json").read_text(encoding="utf-8")
    seconds = json.dumps(json.loads(told)["seconds"])
    canonical = canonical.replace('"stage"', f'"seconds":{seconds},"stage"')
    assert told == WRITTEN % (PAYLOAD, seconds, sha256(canonical.encode()))


def test_an_entry_made_now_and_the_same_one_read_are_equal(tmp_path):
    store = Store(tmp_path)
    made, _ = store.made(KEY, "student", {}, make)
    assert (made.key, made.path, made.record) == (KEY, tmp_path / "store" / KEY, {"value": 1})
    assert made.digests == {"sub/a.bin": PAYLOAD}
    assert store.read(KEY) == made
    assert store.read("m" * 64) is None


def test_a_record_that_is_no_json_is_not_kept(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        store.made(KEY, "student", {}, lambda out: {"loss": float("nan")})
    assert not store.has(KEY)


def test_an_entry_damaged_twice_is_set_aside_twice(tmp_path):
    store = Store(tmp_path)
    for content in (b"one", b"two"):
        entry, fresh = store.made(KEY, "student", {}, make)
        assert fresh
        (entry.path / "sub" / "a.bin").write_bytes(content)
    assert store.read(KEY) is None
    (aside,) = (tmp_path / "store").glob(".bad-*")
    assert (aside / "sub" / "a.bin").read_bytes() == b"two"


def test_a_link_in_a_folder_is_refused_with_its_path(tmp_path):
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(StorageError) as caught:
        folder_digests(tmp_path)
    assert caught.value.found == "a link where a file is expected"
    assert caught.value.where == str(tmp_path / "link")


def test_a_store_is_made_below_folders_that_are_not_there(tmp_path):
    Store(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "store").is_dir()


# --- drafts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("live", range(4))
def test_the_drafts_of_the_dead_go_whichever_one_is_alive(tmp_path, live):
    store = Store(tmp_path)
    keys = [str(number) * 64 for number in range(4)]
    for key in keys:
        (store.root / f".draft-{key}.999999").mkdir()
    with (store.root / f".lock-{keys[live]}").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Store(tmp_path)
    left = [path.name for path in store.root.glob(".draft-*")]
    assert left == [f".draft-{keys[live]}.999999"]


def test_what_cannot_be_removed_stops_no_build(tmp_path):
    """A file in the place of a folder is such a thing, also for root."""
    store = Store(tmp_path)
    for name in (f".draft-{KEY}.999999", ".work-old"):
        (store.root / name).write_bytes(b"")
        os.utime(store.root / name, (0, 0))
    Store(tmp_path)
    assert Store(tmp_path).made(KEY, "student", {}, make)[1]


def test_a_failure_is_told_though_its_draft_is_gone(tmp_path):
    def fail(out):
        shutil.rmtree(out)
        raise ValueError("the disk went away")

    with pytest.raises(ValueError, match="the disk went away"):
        Store(tmp_path).made(KEY, "student", {}, fail)


# --- full disks -------------------------------------------------------------------------------


@contextlib.contextmanager
def largest_file(size):
    """Files end at a size: the write fails where that of a full disk does, and names no file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_store_that_cannot_be_written_to_is_named(tmp_path):
    with largest_file(4), pytest.raises(StorageError) as caught:
        Store(tmp_path)
    assert caught.value.found == "cannot write (file too large)"
    assert caught.value.where == str(tmp_path / "store")
    assert caught.value.fix == "raise the file size limit"


def test_a_full_disk_in_a_librarys_own_words_is_that_of_the_entry(tmp_path):
    def fail(out):
        raise RuntimeError(f"unexpected pos 64 vs 0: {os.strerror(errno.ENOSPC)}")

    with pytest.raises(StorageError) as caught:
        Store(tmp_path).made(KEY, "student", {}, fail)
    assert caught.value.found == "cannot write (no space left on device)"
    assert caught.value.where == str(tmp_path / "store" / KEY)
    assert caught.value.fix == "free some space or write to another disk"


def test_an_entry_of_another_format_is_made_again(tmp_path):
    store = Store(tmp_path)
    entry, _ = store.made(KEY, "student", {}, make)
    content = json.loads((entry.path / "entry.json").read_text())
    del content["self"]
    content["format"] = 0
    content["self"] = digest_of(content)
    (entry.path / "entry.json").write_text(json.dumps(content))
    assert store.made(KEY, "student", {}, make)[1]
