"""What a write leaves on the disk is synced in the order that a loss of power asks for."""

import os
from pathlib import Path

import pytest
from edgestill.pipeline.engine.disk import move_whole, write_atomic
from edgestill.pipeline.engine.store import Store


@pytest.fixture
def log(monkeypatch):
    """Every fsync and rename, in order: (what, path of what is synced or named)."""
    done = []
    real_fsync, real_replace, real_rename = os.fsync, Path.replace, Path.rename

    def synced(handle):
        path = Path(f"/proc/self/fd/{handle}").readlink()
        done.append(("sync", path, path.stat().st_size if path.is_file() else None))
        real_fsync(handle)

    def replaced(self, target):
        done.append(("name", Path(target), None))
        return real_replace(self, target)

    def renamed(self, target):
        done.append(("name", Path(target), None))
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    monkeypatch.setattr(Path, "rename", renamed)
    return done


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_after(tmp_path, log):
    write_atomic(tmp_path / "a.json", b"content")
    steps = [what for what, *_ in log]
    assert steps == ["sync", "name", "sync"]
    (_, draft, size), (_, target, _), (_, folder, _) = log
    assert draft.parent == tmp_path
    assert draft.name != "a.json"
    assert size == len(b"content"), "all of it was handed to the disk before the sync"
    assert (target, folder) == (tmp_path / "a.json", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def filled(draft):
    (draft / "sub" / "deep").mkdir(parents=True)
    (draft / "a.bin").write_bytes(b"a")
    (draft / "sub" / "b.bin").write_bytes(b"b")
    (draft / "sub" / "deep" / "c.bin").write_bytes(b"c")
    return {draft, *draft.rglob("*")}


@pytest.mark.promise("What has its name is on the disk as a whole")
def test_all_of_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path, log):
    draft, place = tmp_path / ".draft", tmp_path / "place"
    draft.mkdir()
    contents = filled(draft)
    move_whole(draft, place)
    at = [what for what, *_ in log].index("name")
    assert {path for _, path, _ in log[:at]} == contents
    assert log[at][1] == place
    assert [(what, path) for what, path, _ in log[at + 1 :]] == [("sync", tmp_path)]


def test_an_entry_of_the_store_is_moved_whole_with_its_record(tmp_path, log):
    store = Store(tmp_path)

    def make(out):
        filled(out)
        return {"value": 1}

    entry, _ = store.made("k" * 64, "stage", {}, make)
    at = [what for what, *_ in log].index("name")
    assert log[at][1] == entry.path
    synced = {path.name for _, path, _ in log[:at]}
    assert {"a.bin", "b.bin", "c.bin", "sub", "deep", "entry.json"} <= synced
    assert (log[-1][0], log[-1][1]) == ("sync", tmp_path / "store")
