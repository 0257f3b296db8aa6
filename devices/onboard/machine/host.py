"""What machine this is, and what disturbed it while something was measured.

    >>> host = describe()
    >>> kernel_class(host.features)     # doctest: +SKIP
    'avx512_vnni'

Reads `/proc` and `/sys`; where there are none, what the system and numpy tell. The kernel class
goes into cache keys, so this module must load in a few milliseconds: standard library only. Each
reader takes the file system's root as an argument, so that a test can hand it a machine of paper.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import system
from .system import ROOT, read_text

T = TypeVar("T")

# What decides which kernel ONNX Runtime's MLAS picks, in the kernel's own spelling.
_X86 = frozenset(
    {"sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512dq", "avx512bw", "avx512vl"}
    | {"avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"}
)
_ARM = frozenset({"asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"})
_NUMPY = {
    **{one.upper(): one for one in ("avx", "avx2", "f16c", "avx512f", "avx512dq", "avx512bw")},
    **{one.upper(): one for one in ("avx512vl", "asimdhp", "asimddp", "sve", "neon")},
    "SSE41": "sse4_1",
    "FMA3": "fma",
    "AVX512VNNI": "avx512_vnni",
    "ASIMD": "neon",
    "AVX512BF16": "avx512_bf16",
    "AVX512FP16": "avx512_fp16",
}
"""Numpy's names of the same extensions."""


@dataclass(frozen=True, slots=True)
class Host:
    """One machine, as far as it shapes a measurement.

    Attributes:
        cpu: the model's name.
        arch: as `uname -m` says it.
        physical_cores: cores, None where the kernel does not tell.
        logical_cores: hardware threads that are online.
        available_cores: hardware threads that this process may run on (affinity).
        features: instruction set extensions that matter here, sorted.
        memory_bytes: main memory, None where unreadable.
        os: the distribution's name.
        kernel: the kernel's release.
        governor: frequency governor, None where there is no frequency control.
        cpu_quota: cores that the control group allows, None where there is no limit.
        virtualised: what it runs under, None where nothing says so.
        onnxruntime: its version, None where it is not installed.
    """

    cpu: str
    arch: str
    physical_cores: int | None
    logical_cores: int
    available_cores: int
    features: tuple[str, ...]
    memory_bytes: int | None
    os: str
    kernel: str
    governor: str | None
    cpu_quota: float | None
    virtualised: str | None
    onnxruntime: str | None


def describe(root: Path = ROOT) -> Host:
    """This machine, or the one whose `/proc` and `/sys` lie under `root`."""
    cpuinfo = _cpuinfo(root)
    return Host(
        cpu=_cpu_name(root, cpuinfo),
        arch=system.machine(),
        physical_cores=_physical_cores(root),
        logical_cores=os.cpu_count() or 1,
        available_cores=system.available_cores(),
        features=_features(cpuinfo) if cpuinfo else _told(root, features_by_numpy) or (),
        memory_bytes=_memory_bytes(root),
        os=_os_name(root),
        kernel=system.release(),
        governor=read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        cpu_quota=_cpu_quota(root),
        virtualised=_virtualised(root, cpuinfo),
        onnxruntime=_installed_version("onnxruntime"),
    )


def caches(root: Path = ROOT) -> dict[int, int]:
    """Bytes of the first processor's data cache by level; empty where the kernel does not tell."""
    found: dict[int, int] = {}
    for folder in sorted((root / "sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, size = read_text(folder / "level") or "", read_text(folder / "size") or ""
        if read_text(folder / "type") != "Instruction" and level.isdigit() and size[:-1].isdigit():
            found[int(level)] = int(size[:-1]) * {"K": 1024, "M": 1024**2}.get(size[-1], 1)
    return found


def clock_ghz(root: Path = ROOT) -> tuple[float, str] | None:
    """The highest clock of any processor, and where it was read; None where nothing tells."""
    top = "cpufreq/cpuinfo_max_freq"
    read = [read_text(file) for file in (root / "sys/devices/system/cpu").glob(f"cpu[0-9]*/{top}")]
    if khz := [int(text) for text in read if text and text.isdigit()]:
        return max(khz) / 1e6, f"/sys/devices/system/cpu/cpu*/{top}"
    lines = (read_text(root / "proc/cpuinfo") or "").splitlines()
    mhz = [line.partition(":")[2].strip() for line in lines if line.startswith("cpu MHz")]
    now = max((float(text) for text in mhz if text), default=0.0)
    return (now / 1e3, "/proc/cpuinfo, the clock of this moment") if now else None


def kernel_class(features: tuple[str, ...]) -> str:
    """The family of matrix kernels that these extensions select; int8 results depend on it."""
    have = set(features)
    if "avx512_vnni" in have:
        return "avx512_vnni"
    if "avx_vnni" in have:
        return "avx_vnni"
    if have >= {"avx512f", "avx512dq", "avx512bw", "avx512vl"}:
        return "avx512"
    if "avx2" in have:
        return "avx2"
    if "asimddp" in have:
        return "neon_dotprod"
    return "neon" if "neon" in have else "generic"


def has_vnni(features: tuple[str, ...]) -> bool:
    """Whether an x86 multiplies u8 by s8 without saturating at 16 bits (vpdpbusd)."""
    return "avx512_vnni" in features or "avx_vnni" in features


def has_bf16(features: tuple[str, ...]) -> bool:
    """Whether the CPU has instructions that compute in bfloat16."""
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(features)


def saturates(arch: str, features: tuple[str, ...]) -> bool:
    """Whether int8 kernels add pairs of products in 16 bits: those of an x86 CPU without VNNI."""
    return arch == "x86_64" and not has_vnni(features)


def _cpuinfo(root: Path) -> dict[str, str]:
    """The first processor's block of /proc/cpuinfo; the first value of each key wins."""
    found: dict[str, str] = {}
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def _features(cpuinfo: dict[str, str]) -> tuple[str, ...]:
    words = set((cpuinfo.get("flags") or cpuinfo.get("Features") or "").split())
    found = words & (_X86 | _ARM)
    # 64-bit ARM calls it asimd, 32-bit ARM neon; one name for both.
    if words & {"asimd", "neon"}:
        found.add("neon")
    return tuple(sorted(found))


def features_by_numpy() -> tuple[str, ...]:
    """The same extensions as numpy found them, for a system without `/proc/cpuinfo`.

    It knows no AVX-VNNI, I8MM and SME; a machine that has them is taken for one without.
    """
    # Imported here: takes a hundred times as long to load as this module.
    from importlib import import_module

    for name in ("numpy._core", "numpy.core"):
        try:
            found = import_module(f"{name}._multiarray_umath").__cpu_features__
        except (ImportError, AttributeError):
            continue
        return tuple(sorted({_NUMPY[one] for one in found if found[one] and one in _NUMPY}))
    return ()


def _cpu_name(root: Path, cpuinfo: dict[str, str]) -> str:
    board = read_text(root / "proc/device-tree/model")
    part = cpuinfo.get("CPU part")
    arm = f"ARM implementer {cpuinfo.get('CPU implementer')} part {part}" if part else None
    return cpuinfo.get("model name") or board or arm or _told(root, system.processor) or "unknown"


def _told(root: Path, ask: Callable[[], T | None]) -> T | None:
    """What the system itself tells of this machine; nothing of one of paper."""
    return ask() if root == ROOT else None


def _physical_cores(root: Path) -> int | None:
    cores = {
        (read_text(core.with_name("physical_package_id")), read_text(core))
        for core in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/topology/core_id")
    }
    return len(cores) or None


def _memory_bytes(root: Path) -> int | None:
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return _told(root, system.memory_bytes)


def _os_name(root: Path) -> str:
    for line in (read_text(root / "etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return system.name()


def _cpu_quota(root: Path) -> float | None:
    """The tightest limit between this process's control group and the root, in cores."""
    return min((one for folder in control_groups(root) for one in _quota_of(folder)), default=None)


def control_groups(root: Path = ROOT) -> Iterator[Path]:
    """The folders of this process's CPU control group and of those above it, of both versions."""
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        number, controllers, group = line.split(":", 2)
        if number == "0" and not controllers:
            bases = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif "cpu" in controllers.split(","):
            bases = [root / "sys/fs/cgroup/cpu", root / "sys/fs/cgroup" / controllers]
        else:
            continue
        for base in bases:
            folder = base / group.lstrip("/")
            while folder.is_relative_to(base):
                yield folder
                folder = folder.parent


def _quota_of(folder: Path) -> list[float]:
    version_2 = (read_text(folder / "cpu.max") or "max").split()
    quota = read_text(folder / "cpu.cfs_quota_us") or version_2[0]
    period = read_text(folder / "cpu.cfs_period_us") or version_2[-1]
    return [int(quota) / int(period)] if quota.isdigit() and period.isdigit() else []


def _virtualised(root: Path, cpuinfo: dict[str, str]) -> str | None:
    named = read_text(root / "sys/hypervisor/type")
    if named:
        return named
    if "hypervisor" not in cpuinfo.get("flags", "").split():
        return None
    return read_text(root / "sys/class/dmi/id/product_name") or "a hypervisor"


def _installed_version(distribution: str) -> str | None:
    # Imported here: importlib.metadata alone takes as long to load as all the rest.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
