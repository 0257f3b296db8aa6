"""What a training here can compute on, found without importing torch, which takes seconds.

>>> best().kind          # doctest: +SKIP
'cuda'

A plan needs it for its keys, and so does a build with nothing to do. The driver itself is asked
through ctypes, so that what hides a GPU from torch (``CUDA_VISIBLE_DEVICES``) hides it here, too.
"""

import ast
import ctypes
import importlib.util
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from .onboard.machine import host, system

Kind = Literal["cpu", "cuda", "mps"]
_CUDA_LIBRARIES = ("libcuda.so.1", "nvcuda.dll")
_METAL = (
    # Without the first one the second finds no device in a program without windows.
    "/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics",
    "/System/Library/Frameworks/Metal.framework/Metal",
)
_OLDEST_MACOS = 14
"""For which torch has kernels of MPS."""
_CAPABILITY = (75, 76)
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of the CUDA driver API."""
_BF16_FROM = (8, 0)
"""Compute capability of the first GPUs with instructions for bfloat16 (Ampere)."""
_ASSIGNED = re.compile(r"^(\w+)(?:: [^=]+)? = (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Device:
    """What a training computes on.

    Attributes:
        kind: as torch names it.
        name: of the GPU; empty for the processor.
        capability: compute capability of a CUDA GPU.
        libraries: versions of what its kernels come from.
        count: how many of the kind there are.
    """

    kind: Kind = "cpu"
    name: str = ""
    capability: tuple[int, int] | None = None
    libraries: tuple[str, ...] = ()
    count: int = 1

    @property
    def identity(self) -> list[str]:
        """What of it decides the numbers that it computes."""
        capability = () if self.capability is None else (".".join(map(str, self.capability)),)
        return [self.kind, *filter(None, (self.name,)), *capability, *self.libraries]

    @property
    def has_bf16(self) -> bool:
        """Whether it has instructions for bfloat16; of Apple's GPUs it is not known here."""
        if self.kind == "cpu":
            return host.has_bf16(host.describe().features)
        return self.capability is not None and self.capability >= _BF16_FROM

    def __str__(self) -> str:
        return f"{self.kind} ({self.name})" if self.name else self.kind


CPU = Device()


@dataclass(frozen=True, slots=True)
class Search:
    """Whether there is a device of a kind.

    Attributes:
        device: the first one; None: there is none.
        why: what was found in its place; empty where there is one.
    """

    device: Device | None
    why: str = ""


@cache
def best() -> Device:
    """The GPU that torch can use here, else the processor."""
    return find("cuda").device or find("mps").device or CPU


@cache
def find(kind: Kind) -> Search:
    """Look for a device of a kind."""
    if kind == "cpu":
        return Search(CPU)
    built = build_of_torch()
    if built is None:
        return Search(None, "torch is not installed")
    return _cuda(built) if kind == "cuda" else _mps()


def build_of_torch() -> dict[str, Any] | None:
    """What torch was built with, as its ``version.py`` says; None where it is not installed."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    return {name: ast.literal_eval(value) for name, value in _ASSIGNED.findall(text)}


def _cuda(built: Mapping[str, Any]) -> Search:
    version, toolkit = built["__version__"], built.get("cuda")
    if built.get("hip"):
        return Search(None, f"torch {version} is a build for ROCm, which was never tried here")
    if toolkit is None:
        return Search(None, f"torch {version} is a build without CUDA")
    driver = _load(*_CUDA_LIBRARIES)
    return Search(None, "no NVIDIA driver") if driver is None else ask(driver, toolkit)


def ask(driver: Any, toolkit: str) -> Search:
    """What the CUDA driver API says of its first device.

    Args:
        driver: ``libcuda``, loaded.
        toolkit: version of CUDA that torch was built with, such as ``13.0``.
    """
    number = ctypes.c_int()
    if status := driver.cuInit(0):
        return Search(None, f"an NVIDIA driver without a device (cuInit says {status})")
    driver.cuDriverGetVersion(ctypes.byref(number))
    newest = (number.value // 1000, number.value % 1000 // 10)
    if newest[0] < int(toolkit.partition(".")[0]):
        return Search(
            None,
            f"an NVIDIA driver for CUDA {newest[0]}.{newest[1]}, older than the {toolkit} of torch",
        )
    driver.cuDeviceGetCount(ctypes.byref(number))
    if (count := number.value) == 0:
        return Search(None, "an NVIDIA driver without a device")
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    driver.cuDeviceGet(ctypes.byref(device), 0)
    driver.cuDeviceGetName(name, len(name), device)
    capability = []
    for attribute in _CAPABILITY:
        driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
        capability.append(number.value)
    return Search(
        Device(
            "cuda",
            name.value.decode(errors="replace"),
            (capability[0], capability[1]),
            (f"CUDA {toolkit}", *_cudnn(toolkit)),
            count,
        )
    )


def _cudnn(toolkit: str) -> tuple[str, ...]:
    """Its version, where it is a distribution of its own."""
    major = toolkit.partition(".")[0]
    try:
        return (f"cuDNN {metadata.version(f'nvidia-cudnn-cu{major}')}",)
    except metadata.PackageNotFoundError:
        return ()


def _mps() -> Search:
    if system.name() != "macOS":
        return Search(None, f"{system.name()}, and MPS is Apple's")
    if system.machine() != "aarch64":
        return Search(None, "a Mac without Apple silicon")
    release = platform.mac_ver()[0]
    if int(release.partition(".")[0] or 0) < _OLDEST_MACOS:
        return Search(None, f"macOS {release}, and torch wants {_OLDEST_MACOS}")
    for path in _METAL:
        library = _load(path)
    if library is None:
        return Search(None, "a Mac without Metal")
    library.MTLCreateSystemDefaultDevice.restype = ctypes.c_void_p
    if not library.MTLCreateSystemDefaultDevice():
        return Search(None, "a Mac without a GPU for Metal")
    return Search(Device("mps", host.describe().cpu, libraries=(f"macOS {release}",)))


def _load(*names: str) -> ctypes.CDLL | None:
    """The first of several shared libraries that can be loaded."""
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
