"""The four things that every kind of object store does alike, and how each of them fails."""

import secrets
import socket
import threading

import pytest
from edgestill.errors import HostError, StorageError, UsageError
from edgestill.pipeline.engine import bucket as buckets
from edgestill.pipeline.engine.bucket import CHUNK, Bucket, each

pytest.importorskip("obstore")


@pytest.fixture(params=["memory", "folder"])
def bucket(request, tmp_path):
    if request.param == "memory":
        return Bucket(f"memory://{secrets.token_hex(4)}")
    (tmp_path / "share").mkdir()
    return Bucket(str(tmp_path / "share"))


def test_an_object_is_written_read_listed_and_deleted(bucket):
    assert bucket.get("a/b.json", 10) is None
    assert bucket.changed("a/b.json") is None
    assert bucket.put("a/b.json", b"one")
    assert bucket.put("a/b.json", b"three")
    assert bucket.put("ab", b"")
    assert bucket.get("a/b.json", 10) == b"three"
    assert bucket.get("a/b.json", 4) == b"", "more than is asked for is not read"
    (found,) = bucket.list("a")
    assert (found.path, found.size) == ("a/b.json", 5)
    assert found.changed == bucket.changed("a/b.json")
    bucket.delete(["a/b.json", "a/never"])
    assert bucket.list("a") == []


def test_of_all_that_create_an_object_at_once_one_does(bucket):
    start = threading.Barrier(16)
    done = []

    def create(number):
        start.wait()
        done.append((bucket.put("key", str(number).encode(), create=True), number))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    winners = [number for won, number in done if won]
    assert len(done) == 16
    assert len(winners) == 1
    assert bucket.get("key", 10) == str(winners[0]).encode()


@pytest.mark.parametrize("size", [0, 1, CHUNK, 2 * CHUNK + 7])
def test_a_file_goes_up_and_comes_back_in_parts(bucket, tmp_path, size):
    content = secrets.token_bytes(1024) * (size // 1024) + bytes(size % 1024)
    (tmp_path / "file").write_bytes(content)
    bucket.put_file("a/0", tmp_path / "file")
    parts = list(bucket.parts("a/0", size))
    assert b"".join(parts) == content
    assert all(len(part) <= CHUNK for part in parts)


def test_the_store_has_a_clock_and_nothing_stays_of_asking_it(bucket):
    first = bucket.now()
    assert bucket.now() >= first
    assert bucket.list("") == []


def test_a_store_in_memory_is_one_for_the_whole_process():
    address = f"memory://{secrets.token_hex(4)}"
    Bucket(address).put("a", b"1")
    assert Bucket(address).get("a", 9) == b"1"
    assert Bucket(f"{address}-other").get("a", 9) is None


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StorageError, match=f"{tmp_path}/share: no such folder"):
        Bucket(str(tmp_path / "share"))


def test_a_server_that_is_not_there_is_told_within_seconds_with_its_name(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setattr(buckets, "_TRIAL_RETRIES", 1)
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "hush-hush",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError) as caught:
        Bucket("s3://models/a").changed("x")
    assert caught.value.found.startswith(
        f"cannot list it (no answer of http://127.0.0.1:{port}: connection refused"
    )
    assert "tried 2 times" in caught.value.found
    assert caught.value.where == "s3://models/a"
    assert "AWS_ENDPOINT_URL" in caught.value.fix
    assert "hush-hush" not in str(caught.value)


def test_an_address_that_lacks_something_is_one_of_usage(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(UsageError, match="Account must be specified"):
        Bucket("az://models/a")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "obstore.store", None)
    with pytest.raises(HostError, match=r"pip install 'edgestill\[store\]'"):
        Bucket("memory://any")


def test_several_are_done_at_once_in_order_and_the_first_failure_ends_it():
    met = threading.Barrier(4, timeout=10)
    assert each(lambda number: (met.wait(), number)[1], range(4)) == [0, 1, 2, 3]

    def fail(number):
        if number == 2:
            raise ValueError("two")
        return number

    with pytest.raises(ValueError, match="two"):
        each(fail, range(40))
