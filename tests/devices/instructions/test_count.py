"""Instructions are counted by qemu for ARM devices that are not this machine, else by callgrind."""

from pathlib import Path

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
    assert count.count(Path("m.onnx"), target) == (counted, Path("m.onnx"))


@pytest.mark.parametrize(
    ("file", "target", "told"),
    [
        ("m.xml", "host", "openvino, which computes in threads of its own"),
        ("m.xml", "raspberry-pi-4", "openvino, which computes in threads of its own"),
        ("m.micro.tflite", "raspberry-pi-4", "tflite-micro on raspberry-pi-4, whose core is"),
        ("m.tflite", "raspberry-pi-4", None),
        ("m.tflite", "host", None),
        ("m.ort", "raspberry-pi-4", None),
    ],
)
def test_a_runtime_that_cannot_be_counted_is_named_before_anything_runs(
    counters, file, target, told
):
    path, device = Path(file), load(target)
    if told is None:
        assert count.uncountable(path, device) is None
        assert count.count(path, device)[1] == path
        return
    with pytest.raises(UsageError, match=told):
        count.count(path, device)


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
