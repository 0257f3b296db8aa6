"""Leases between machines: one owner, a dead one is followed, a living one is waited for."""

import json
import secrets
import threading
import time
from dataclasses import replace

import pytest
from edgestill.errors import StorageError
from edgestill.pipeline.engine import leases
from edgestill.pipeline.engine.bucket import Bucket
from edgestill.pipeline.engine.leases import Owner, lease

pytest.importorskip("obstore")
PATH = "leases/key"


@pytest.fixture(params=["memory", "folder"])
def bucket(request, tmp_path):
    if request.param == "memory":
        return Bucket(f"memory://{secrets.token_hex(4)}")
    return Bucket(str(tmp_path))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(leases, "BEAT_S", 0.05)
    monkeypatch.setattr(leases, "STALE_S", 0.4)
    monkeypatch.setattr(leases, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(leases, "_LONGEST_PAUSE_S", 0.02)


def nothing():
    return None


def abandoned(bucket, owner, generation=0):
    """A lease of a process that was killed."""
    content = {"store": owner.store, "host": owner.host, "pid": 4711, "token": "gone", "beat": 3}
    bucket.put(f"{PATH}/{generation:08d}", json.dumps(content).encode())


OURS, THEIRS = Owner.here("ours"), replace(Owner.here("theirs"), host="build-3", token="t")


def test_a_free_lease_is_held_beaten_and_given_back(bucket):
    with lease(bucket, PATH, OURS, print, nothing) as found:
        assert found is None
        (first,) = bucket.list(PATH)
        assert json.loads(bucket.get(first.path, 999))["pid"] == OURS.pid
        end = time.monotonic() + 5
        while json.loads(bucket.get(first.path, 999))["beat"] < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert bucket.list(PATH) == []
    time.sleep(0.1)
    assert bucket.list(PATH) == [], "nothing beats any more"


def test_a_living_owner_is_named_once_and_waited_for_until_it_has_made_it(bucket):
    said, made = [], []
    held, go = threading.Event(), threading.Event()

    def other():
        with lease(bucket, PATH, THEIRS, print, nothing):
            held.set()
            go.wait(10)
            made.append("theirs")

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(10)
    threading.Timer(1.0, go.set).start()  # longer than an owner that is silent is waited for
    with lease(bucket, PATH, OURS, said.append, lambda: made[0] if made else None) as found:
        assert found == "theirs"
    thread.join()
    assert len(said) == 1
    assert said[0].startswith(f"waiting for pid {THEIRS.pid} on build-3 (")


def test_a_dead_owner_of_another_machine_is_followed_after_it_was_silent_for_long(bucket):
    abandoned(bucket, THEIRS, generation=3)
    said, began = [], time.monotonic()
    with lease(bucket, PATH, OURS, said.append, nothing) as found:
        assert found is None
        assert time.monotonic() - began >= 0.4
        assert max(one.path for one in bucket.list(PATH)) == f"{PATH}/00000004"
    assert bucket.list(PATH) == [], "those of the dead go with ours"
    assert "build-3" in said[0]


def test_an_owner_whose_local_lock_we_hold_has_ended_and_is_followed_at_once(bucket, monkeypatch):
    monkeypatch.setattr(leases, "STALE_S", 3600.0)
    abandoned(bucket, OURS)
    said = []
    with lease(bucket, PATH, OURS, said.append, nothing) as found:
        assert found is None
    assert said == []


def test_the_clock_of_a_machine_takes_over_nothing(bucket, monkeypatch):
    """A wrong clock: the lease looks a year old, and its owner lives."""
    real = Bucket.list

    def long_ago(self, prefix):
        return [
            replace(one, changed=one.changed.replace(year=one.changed.year - 1))
            for one in real(self, prefix)
        ]

    monkeypatch.setattr(Bucket, "list", long_ago)
    held, go, done = threading.Event(), threading.Event(), []

    def other():
        with lease(bucket, PATH, THEIRS, print, nothing):
            held.set()
            go.wait(10)
            done.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(10)
    threading.Timer(0.8, go.set).start()
    with lease(bucket, PATH, OURS, lambda _: None, nothing):
        assert done, "the owner was waited for"
    thread.join()


def test_of_many_who_follow_a_dead_owner_one_does_at_a_time(bucket):
    abandoned(bucket, THEIRS)
    inside, most, made, lock = [], [], [], threading.Lock()

    def one(number):
        owner = Owner(f"store-{number}", number, "host", secrets.token_hex(4))
        with lease(bucket, PATH, owner, lambda _: None, lambda: made[0] if made else None) as found:
            if found is not None:
                return
            with lock:
                inside.append(number)
                most.append(len(inside))
            time.sleep(0.1)
            made.append(number)
            with lock:
                inside.remove(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert max(most) == 1


def test_what_was_made_between_the_look_and_the_lease_is_found(bucket):
    with lease(bucket, PATH, OURS, print, lambda: "made") as found:
        assert found == "made"


def test_a_write_whose_answer_was_lost_finds_its_own_lease(bucket, monkeypatch):
    real = Bucket.put

    def lost(self, path, content, *, create=False):
        return real(self, path, content, create=create) and not create

    monkeypatch.setattr(Bucket, "put", lost)
    with lease(bucket, PATH, OURS, print, nothing) as found:
        assert found is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b"x" * 9999])
def test_a_lease_that_says_nothing_is_that_of_another_machine(bucket, content):
    bucket.put(f"{PATH}/00000000", content)
    said = []
    with lease(bucket, PATH, OURS, said.append, nothing):
        pass
    assert said[0].startswith("waiting for another machine (")


def test_a_store_that_is_gone_at_the_end_breaks_nothing(bucket, monkeypatch):
    def gone(*_, **__):
        raise StorageError("gone")

    with lease(bucket, PATH, OURS, print, nothing):
        monkeypatch.setattr(Bucket, "delete", gone)
        monkeypatch.setattr(Bucket, "put", gone)
        time.sleep(0.15)
