"""Instructions are counted by qemu for ARM devices that are not this machine, else by callgrind."""

import pytest
from edgestill.devices.instructions import callgrind, count, emulated_core, emulator
from edgestill.devices.profiles.profile import Profile, load
from edgestill.errors import HostError, UsageError


@pytest.fixture
def counters(monkeypatch):
    monkeypatch.setattr(callgrind, "count", lambda path, **_: ("callgrind", path))
    monkeypatch.setattr(emulated_core, "count", lambda path, target, **_: (target.name, path))
    monkeypatch.setattr(callgrind, "missing", lambda: HostError("no valgrind"))


@pytest.mark.parametrize(
    ("target", "counted"),
    [(load("host"), "callgrind"), (load("raspberry-pi-4"), "raspberry-pi-4")],
)
def test_the_target_decides_the_counter(target, counted, counters):
    assert count.count("m.onnx", target) == (counted, "m.onnx")


def test_what_is_missing_is_that_of_the_counter(counters, monkeypatch):
    def no_emulator():
        raise HostError("no emulator")

    monkeypatch.setattr(emulator, "find", no_emulator)
    assert str(count.missing(load("host"))) == "no valgrind"
    assert str(count.missing(load("raspberry-pi-4"))) == "no emulator"
    monkeypatch.setattr(emulator, "find", lambda: None)
    assert count.missing(load("raspberry-pi-4")) is None
    unnamed = Profile("n", "t", "aarch64", ("neon",), "s")
    assert isinstance(count.missing(unnamed), UsageError)
