"""What a training can compute on, from drivers and builds of torch that are made up here."""

import ctypes
import sys

import pytest
from edgestill.devices import accelerators
from edgestill.devices.accelerators import CPU, Device, Search, ask, build_of_torch

VERSION = """from typing import Optional

__all__ = ['__version__', 'cuda']
__version__ = '2.13.0+cu130'
debug = False
cuda: Optional[str] = {cuda!r}
hip: Optional[str] = {hip!r}
"""


class Driver:
    """The calls of libcuda that are made, of a machine of paper."""

    def __init__(self, *, count=1, version=13000, status=0):
        self.count, self.version, self.status = count, version, status

    def cuInit(self, flags):
        return self.status

    def cuDriverGetVersion(self, number):
        number._obj.value = self.version

    def cuDeviceGetCount(self, number):
        number._obj.value = self.count

    def cuDeviceGet(self, device, place):
        device._obj.value = place

    def cuDeviceGetName(self, text, size, device):
        assert size == ctypes.sizeof(text)
        text.value = b"NVIDIA A100"

    def cuDeviceGetAttribute(self, number, attribute, device):
        number._obj.value = {75: 8, 76: 0}[attribute]


@pytest.fixture
def torch_of(tmp_path, monkeypatch):
    """Makes torch a folder with nothing but a version."""

    def make(cuda=None, hip=None):
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('imported')")
        (tmp_path / "torch" / "version.py").write_text(VERSION.format(cuda=cuda, hip=hip))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "torch", raising=False)
        accelerators.find.cache_clear()

    yield make
    accelerators.find.cache_clear()


def test_the_first_gpu_of_the_driver_is_known_by_what_decides_its_numbers():
    device = ask(Driver(count=4), "13.0").device
    assert (device.kind, device.name, device.capability) == ("cuda", "NVIDIA A100", (8, 0))
    assert device.count == 4
    assert device.has_bf16
    assert device.identity[:4] == ["cuda", "NVIDIA A100", "8.0", "CUDA 13.0"]
    assert str(device) == "cuda (NVIDIA A100)"
    older = Device("cuda", "Tesla T4", (7, 5), ("CUDA 13.0",))
    assert not older.has_bf16
    assert older.identity != device.identity


@pytest.mark.parametrize(
    ("driver", "why"),
    [
        (Driver(status=100), "an NVIDIA driver without a device (cuInit says 100)"),
        (Driver(count=0), "an NVIDIA driver without a device"),
        (Driver(version=12040), "an NVIDIA driver for CUDA 12.4, older than the 13.0 of torch"),
    ],
)
def test_a_driver_that_cannot_be_used_says_why(driver, why):
    assert ask(driver, "13.0") == Search(None, why)


@pytest.mark.parametrize(
    ("of_torch", "driver", "why"),
    [
        ({}, Driver(), "torch 2.13.0+cu130 is a build without CUDA"),
        ({"hip": "6.4"}, Driver(), "torch 2.13.0+cu130 is a build for ROCm, which was never"),
        ({"cuda": "13.0"}, None, "no NVIDIA driver"),
    ],
)
def test_a_build_of_torch_without_a_gpu_says_why_and_is_not_imported(
    torch_of, monkeypatch, of_torch, driver, why
):
    torch_of(**of_torch)
    monkeypatch.setattr(accelerators, "_load", lambda *_: driver)
    assert accelerators.find("cuda").why.startswith(why)
    assert accelerators.find("cpu") == Search(CPU)


def test_a_gpu_is_found_through_the_build_of_torch_and_the_driver(torch_of, monkeypatch):
    torch_of(cuda="13.0")
    monkeypatch.setattr(accelerators, "_load", lambda *_: Driver())
    assert accelerators.find("cuda").device.name == "NVIDIA A100"


@pytest.mark.parametrize(
    ("system", "machine", "release", "why"),
    [
        ("Linux", "aarch64", "", "Linux, and MPS is Apple's"),
        ("macOS", "x86_64", "15.1", "a Mac without Apple silicon"),
        ("macOS", "aarch64", "13.6", "macOS 13.6, and torch wants 14"),
        ("macOS", "aarch64", "15.1", "a Mac without Metal"),
    ],
)
def test_a_machine_without_mps_says_why(torch_of, monkeypatch, system, machine, release, why):
    torch_of()
    monkeypatch.setattr(accelerators.system, "name", lambda: system)
    monkeypatch.setattr(accelerators.system, "machine", lambda: machine)
    monkeypatch.setattr(accelerators.platform, "mac_ver", lambda: (release, ("", "", ""), machine))
    monkeypatch.setattr(accelerators, "_load", lambda *_: None)
    assert accelerators.find("mps") == Search(None, why)


def test_the_version_of_the_torch_that_is_installed_can_be_read():
    built = build_of_torch()
    assert built["__version__"].split("+")[0].count(".") == 2
    assert "cuda" in built
