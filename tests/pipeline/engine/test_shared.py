"""A store that machines share: each machine is a folder of its own here."""

import json
import os
import secrets
import threading

import pytest
from edgestill.errors import StorageError
from edgestill.pipeline.engine import leases
from edgestill.pipeline.engine.address import folder_of
from edgestill.pipeline.engine.bucket import Bucket
from edgestill.pipeline.engine.bucket_failures import DeniedError
from edgestill.pipeline.engine.entry import digest_of, text_of
from edgestill.pipeline.engine.shared import SharedStore, manifest_path
from edgestill.pipeline.engine.store import Store

pytest.importorskip("obstore")
PARTS = {"stage": "data", "seed": 1}
KEY = digest_of(PARTS)


def make(out):
    (out / "sub").mkdir()
    (out / "sub" / "a.bin").write_bytes(b"payload")
    (out / "empty").write_bytes(b"")
    return {"value": 1}


def never(out):
    raise AssertionError("it is in the shared store")


@pytest.fixture
def share(tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.fixture
def machine(tmp_path, share):
    """Stores of machines by name, and all that they warned of."""

    def opened(name, address=None, **options):
        warnings = []
        store = Store(tmp_path / name, warnings.append, shared=str(address or share), **options)
        return store, warnings

    return opened


def made(store, maker=make):
    return store.made(KEY, "data", PARTS, maker)


def files_of(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


# --- one machine makes it, the others have it ---------------------------------------------------


@pytest.mark.promise("What one machine made, another one takes from a shared store, byte for byte")
def test_what_one_machine_made_another_takes_byte_for_byte(machine):
    first, fresh = made(machine("a")[0])
    store, warnings = machine("b")
    assert store.has(KEY)
    assert store.peek(KEY) == {"value": 1}
    assert not store.root.joinpath(KEY).exists(), "a look downloads nothing"
    second, again = made(store, never)
    assert (fresh, again, warnings) == (True, False, [])
    assert second.record == first.record
    assert second.digests == first.digests
    for name in ("sub/a.bin", "empty", "entry.json"):
        assert (second.path / name).read_bytes() == (first.path / name).read_bytes()
    assert not list(store.root.glob(".draft-*"))
    assert Store(store.root.parent).read(KEY) == second, "it is here now, with nothing shared"


def test_an_entry_is_read_from_there_too_but_not_by_who_only_asks(machine):
    made(machine("a")[0])
    asks, _ = machine("b", asks=True)
    assert asks.read(KEY) is None
    assert asks.peek(KEY) == {"value": 1}
    assert not asks.root.exists()
    assert machine("b")[0].read(KEY).record == {"value": 1}
    assert machine("b")[0].read("0" * 64) is None


def test_what_was_made_before_there_was_a_shared_store_is_uploaded_when_it_is_used(
    machine, tmp_path
):
    Store(tmp_path / "a").made(KEY, "data", PARTS, make)
    _, fresh = made(machine("a")[0], never)
    assert not fresh
    assert not made(machine("b")[0], never)[1]


def test_what_is_sent_is_not_asked_for_again_within_a_day(machine, monkeypatch):
    store, _ = machine("a")
    made(store)
    asked = []
    for name in ("get", "put", "list", "changed"):
        monkeypatch.setattr(Bucket, name, lambda *_, **__: asked.append(1))
    again, _ = machine("a")
    assert again.has(KEY)
    assert not made(again, never)[1]
    again.send([KEY])
    assert asked == []
    monkeypatch.undo()
    elsewhere = store.root.parent.parent / "elsewhere"
    elsewhere.mkdir()
    made(machine("a", elsewhere)[0], never)
    assert not made(machine("c", elsewhere)[0], never)[1], "another store has to be sent to"


def test_the_local_default_imports_nothing_of_it(tmp_path):
    code = (
        "import sys; from pathlib import Path; "
        "from edgestill.pipeline.engine.artifacts import Artifacts; "
        f"Artifacts.of({str(tmp_path)!r}).store().made('k'*64, 's', {{}}, lambda out: {{}}); "
        "print([one for one in sys.modules if 'obstore' in one or 'engine.shared' in one])"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- measurements -------------------------------------------------------------------------------

MEASURED = {"stage": "benchmark", "machine": ["cpu", 2]}
MEASURED_KEY = digest_of(MEASURED)


@pytest.mark.promise("No machine takes a measurement of another one for its own")
def test_a_measurement_stays_on_its_machine(machine, share):
    a, b = machine("a")[0], machine("b")[0]
    assert a.made(MEASURED_KEY, "benchmark", MEASURED, make)[1]
    a.send([MEASURED_KEY])
    assert list(share.rglob("*.json")) == []
    assert not b.has(MEASURED_KEY)
    assert b.made(MEASURED_KEY, "benchmark", MEASURED, make)[1]


def test_a_measurement_that_is_sent_is_read_by_its_key_and_taken_by_no_build(machine):
    a, b = machine("a")[0], machine("b")[0]
    a.made(MEASURED_KEY, "benchmark", MEASURED, make)
    a.send([MEASURED_KEY], measured=True)
    assert machine("c")[0].made(MEASURED_KEY, "benchmark", MEASURED, make)[1]
    assert b.read(MEASURED_KEY).record == {"value": 1}


# --- races --------------------------------------------------------------------------------------


def different(out):
    (out / "a.bin").write_bytes(secrets.token_bytes(1000))
    return {"by": secrets.token_hex(8)}


def at_once(work, count=16):
    start, results = threading.Barrier(count), []

    def one(number):
        start.wait()
        results.append(work(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count
    return results


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_of_16_writers_at_once_one_wins_and_all_have_its_entry(machine, kind, share, monkeypatch):
    """No lease holds them apart here: all make something, each another thing, and all upload."""
    address = f"memory://{secrets.token_hex(4)}" if kind == "memory" else str(share)
    monkeypatch.setattr(SharedStore, "claim", lambda *_: __import__("contextlib").nullcontext())
    meeting = threading.Barrier(16)

    def make_and_meet(out):
        record = different(out)
        meeting.wait(30)
        return record

    stores = [machine(f"m{number}", address) for number in range(16)]
    entries = at_once(lambda number: made(stores[number][0], make_and_meet)[0])
    assert [warnings for _, warnings in stores] == [[]] * 16
    assert len({entry.record["by"] for entry in entries}) == 1
    assert len({entry.digests["a.bin"] for entry in entries}) == 1
    for store, _ in stores:
        assert Store(store.root.parent).read(KEY) == entries[0].__class__(
            KEY, store.root / KEY, entries[0].record, entries[0].digests
        )
    left = Bucket(address).list("files")
    assert len(left) == 1, "the attempts of those who were later are gone"


def test_of_16_machines_that_need_a_key_one_makes_it(machine, monkeypatch):
    monkeypatch.setattr(leases, "_FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(leases, "_LONGEST_PAUSE_S", 0.05)
    stores = [machine(f"m{number}") for number in range(16)]
    results = at_once(lambda number: made(stores[number][0], different))
    assert sum(fresh for _, fresh in results) == 1
    assert len({entry.record["by"] for entry, _ in results}) == 1


def test_an_upload_whose_answer_was_lost_is_still_the_winner(machine, monkeypatch):
    real = Bucket.put

    def lost(self, path, content, *, create=False):
        done = real(self, path, content, create=create)
        return done and not (create and path.startswith("entries/"))

    monkeypatch.setattr(Bucket, "put", lost)
    entry, fresh = made(machine("a")[0], different)
    assert fresh
    monkeypatch.undo()
    assert made(machine("b")[0], never)[0].record == entry.record


# --- damage -------------------------------------------------------------------------------------


def manifest_of(share):
    return share / manifest_path(KEY)


def changed(share, **update):
    """The manifest with other fields; with a valid digest of itself."""
    content = json.loads(manifest_of(share).read_text())
    entry = content["entry"]
    for name, value in update.items():
        (entry if name in entry else content)[name] = value
    del entry["self"]
    entry["self"] = digest_of(entry)
    manifest_of(share).write_text(json.dumps(content))


def objects(share):
    return sorted((share / "files").rglob("*"), key=lambda path: (path.is_dir(), path.name))


def bigger(share):
    next(path for path in objects(share) if path.stat().st_size == 7).write_bytes(b"payload2")


def flipped(share):
    next(path for path in objects(share) if path.stat().st_size == 7).write_bytes(b"Payload")


def gone(share):
    next(path for path in objects(share) if path.stat().st_size == 7).unlink()


def renamed(name):
    def damage(share):
        files = json.loads(manifest_of(share).read_text())["entry"]["files"]
        sizes = {name if one == "sub/a.bin" else one: 7 * (one != "empty") for one in files}
        digests = {name if one == "sub/a.bin" else one: files[one] for one in files}
        changed(share, files=digests, bytes=sizes)

    return damage


DAMAGES = {
    "a bit flipped": flipped,
    "a file longer": bigger,
    "a file gone": gone,
    "no JSON": lambda share: manifest_of(share).write_text("{"),
    "nothing": lambda share: manifest_of(share).write_text(""),
    "another document": lambda share: manifest_of(share).write_text('{"format": 1}'),
    "a forged record": lambda share: manifest_of(share).write_text(
        manifest_of(share).read_text().replace('"value": 1', '"value": 2')
    ),
    "made of something else": lambda share: changed(share, ingredients={"seed": 2}),
    "of another format": lambda share: changed(share, format=2),
    "files without sizes": lambda share: changed(share, bytes={}),
    "a negative size": lambda share: changed(share, bytes={"sub/a.bin": -1, "empty": 0}),
    "an attempt elsewhere": lambda share: changed(share, attempt="../../x"),
    "a path above": renamed("../../../outside"),
    "an absolute path": renamed("/tmp/outside"),
    "a path of Windows": renamed("..\\outside"),
    "a drive": renamed("C:outside"),
    "the folder itself": renamed("."),
    "a path with nothing in it": renamed("sub//a.bin"),
    "its own record": renamed("entry.json"),
}


@pytest.mark.promise("A damaged entry of a shared store is named, set aside and built again")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_set_aside_named_in_one_warning_and_built_again(
    machine, share, tmp_path, damage
):
    made(machine("a")[0])
    damage(share)
    store, warnings = machine("b")
    before = {path for path in tmp_path.rglob("*") if store.root not in path.parents}
    entry, fresh = made(store)
    assert fresh
    assert entry.record == {"value": 1}
    assert len(warnings) == 1
    assert f"{share}: {manifest_path(KEY)}: " in warnings[0]
    assert warnings[0].endswith("and built again")
    outside = {path for path in tmp_path.rglob("*") if store.root not in path.parents} - before
    assert all(share in path.parents for path in outside)
    assert len(list((share / "bad").iterdir())) == 1
    assert not made(machine("c")[0], never)[1], "the new one stands in its place"


def test_what_is_damaged_here_is_taken_from_there(machine):
    store, warnings = machine("a")
    entry, _ = made(store)
    (entry.path / "sub" / "a.bin").write_bytes(b"Payload")
    again, fresh = made(store, never)
    assert not fresh
    assert (again.path / "sub" / "a.bin").read_bytes() == b"payload"
    assert len(warnings) == 1


# --- what may not be written, what does not answer ----------------------------------------------


def denied(monkeypatch):
    def no(self, *_, **__):
        raise DeniedError("no permission to write to it", where=self.address)

    for name in ("put", "put_file", "delete"):
        monkeypatch.setattr(Bucket, name, no)


def test_a_store_that_may_only_be_read_helps_with_one_warning(machine, monkeypatch):
    made(machine("a")[0])
    denied(monkeypatch)
    store, warnings = machine("b")
    assert not made(store, never)[1]
    other = {"stage": "data", "seed": 2}
    assert store.made(digest_of(other), "data", other, make)[1]
    store.send([KEY, digest_of(other)])
    assert len(warnings) == 1
    assert warnings[0].endswith("entries are read from there, and none is written")


def test_damage_in_a_store_that_may_only_be_read_is_built_around(machine, share, monkeypatch):
    made(machine("a")[0])
    flipped(share)
    denied(monkeypatch)
    store, warnings = machine("b")
    assert made(store)[1]
    assert "it is left out and built again" in warnings[0]
    assert len(warnings) == 2


def test_an_upload_that_fails_says_that_nothing_is_lost_and_the_next_build_does_it(
    machine, monkeypatch
):
    def down(self, *_, **__):
        raise StorageError("cannot write to it (no answer)", where=self.address, fix="check it")

    monkeypatch.setattr(Bucket, "put_file", down)
    store, _ = machine("a")
    with pytest.raises(StorageError) as caught:
        made(store)
    assert caught.value.found == "cannot write to it (no answer)"
    assert caught.value.fix == (
        f"check it; what was made is kept in {store.root / KEY}, and the next build uploads it"
    )
    monkeypatch.undo()
    assert not made(machine("a")[0], never)[1]
    assert not made(machine("b")[0], never)[1]


def test_a_finished_build_is_not_spoiled_by_a_store_that_does_not_answer(machine, monkeypatch):
    def down(self, *_, **__):
        raise StorageError("cannot read from it", where=self.address)

    store, warnings = machine("a")
    Store(store.root.parent).made(KEY, "data", PARTS, make)
    monkeypatch.setattr(Bucket, "get", down)
    store.share([KEY])
    assert len(warnings) == 1
    with pytest.raises(StorageError):
        store.send([KEY])


def test_a_sweep_while_an_entry_is_read_is_no_damage(machine, share, monkeypatch):
    made(machine("a")[0])
    real = Bucket.list

    def swept(self, prefix):
        found = real(self, prefix)
        if prefix.startswith("files/"):
            manifest_of(share).unlink(missing_ok=True)
            return []
        return found

    monkeypatch.setattr(Bucket, "list", swept)
    store, warnings = machine("b")
    assert made(store)[1]
    assert warnings == []


def test_an_entry_of_the_store_is_the_text_that_the_maker_has(machine):
    entry, _ = made(machine("a")[0])
    content = json.loads((entry.path / "entry.json").read_bytes())
    assert SharedStore(str(folder_of(machine("a")[0]._address))).content(KEY) == content
    assert (entry.path / "entry.json").read_bytes() == text_of(content)


def test_a_full_disk_under_the_cache_is_said_as_such(machine, monkeypatch):
    import errno

    made(machine("a")[0])

    def full(self, path, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Bucket, "parts", full)
    store, _ = machine("b")
    with pytest.raises(StorageError, match="free some space"):
        made(store, never)
    assert not list(store.root.glob(".draft-*"))
