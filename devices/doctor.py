"""What this machine can and cannot measure, and how to improve that.

>>> for check in checks():          # doctest: +SKIP
...     print(check.state, check.name, check.found)
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from ..errors import EdgestillError
from . import accelerators
from .energy import sensors
from .instructions import callgrind
from .onboard.machine import conditions
from .onboard.machine.host import Host, describe, has_vnni, kernel_class
from .onboard.machine.system import ROOT, name, read_text
from .onboard.measure import energy
from .onboard.measure.job import ProbeJob
from .onboard.process.run_job import fixed_addresses, run

State = Literal["ok", "limited", "missing"]
_ENOUGH_DISK_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Check:
    """One property of the machine that affects measurements.

    Attributes:
        name: the property.
        state: `ok`; `limited`: figures are less accurate; `missing`: some figures are unavailable.
        found: the value found.
        means: the consequence for the figures.
        fix: what to do; None if nothing needs doing.
    """

    name: str
    state: State
    found: str
    means: str
    fix: str | None = None


def checks(artifacts: Path | None = None, root: Path = ROOT) -> tuple[Check, ...]:
    """Check every property that affects a measurement; takes about half a second.

    Args:
        artifacts: the folder that builds will write to; None: not checked.
        root: root of the file system whose `/proc` and `/sys` are read.
    """
    host = describe(root)
    untold = root == ROOT and read_text(root / "proc/stat") is None
    results = [
        _cores(host),
        _int8(host),
        *([_untold()] if untold else _told(host, root)),
        _clock(),
        _memory(root, fixed=bool(fixed_addresses())),
        _energy(root),
        _counters(root),
        _counts(),
        *_runtime(),
        _training(),
    ]
    if artifacts is not None:
        results.append(_disk(artifacts))
    return tuple(results)


def _told(host: Host, root: Path) -> Iterator[Check]:
    """What Linux tells of the machine's state."""
    yield _quota(host)
    yield _governor(host)
    yield _virtual(host, root)
    yield from _state(conditions.now(root, conditions.vcgencmd if root == ROOT else None))


def _untold() -> Check:
    return Check(
        "machine state",
        "missing",
        f"{name()} without /proc",
        "CPU limits, clock, heat, battery and other guests' load are not seen",
        "measure on Linux; else keep the mains power on and other programs closed",
    )


def _cores(host: Host) -> Check:
    usable = f"{host.available_cores} of {host.logical_cores} cores"
    if host.available_cores < 2:
        return Check(
            "cores",
            "limited",
            usable,
            "measured processes share their core with all others",
            "allow a second core (taskset, container limits)",
        )
    return Check("cores", "ok", usable, "a measured process can have a core of its own")


def _quota(host: Host) -> Check:
    if host.cpu_quota is None:
        return Check("cpu quota", "ok", "none", "no control group throttles the processor")
    return Check(
        "cpu quota",
        "limited",
        f"{host.cpu_quota:g} cores",
        "a throttled process stalls for milliseconds, which shows in p99",
        "run without a CPU limit",
    )


def _int8(host: Host) -> Check:
    kernels = kernel_class(host.features)
    if has_vnni(host.features) or "asimddp" in host.features:
        return Check("int8", "ok", kernels, "int8 products are exact and fast")
    return Check(
        "int8",
        "limited",
        kernels,
        "int8 may saturate on x86, and saves size but no time; the target may do better",
        "judge int8 latency on the target, not here",
    )


def _governor(host: Host) -> Check:
    if host.governor is None:
        return Check("governor", "ok", "none", "this system does not set the clock itself")
    if host.governor == "performance":
        return Check("governor", "ok", host.governor, "the clock stays at its highest")
    return Check(
        "governor",
        "limited",
        host.governor,
        "the clock follows the load, so short runs start slow",
        "cpupower frequency-set -g performance",
    )


def _virtual(host: Host, root: Path) -> Check:
    if host.virtualised is None:
        return Check(
            "virtualised", "ok", "no sign of it", "no other virtual machine shares the processor"
        )
    words = (read_text(root / "proc/stat") or "").split()
    total = sum(int(word) for word in words[1:9])
    steal = 100 * int(words[8]) / total if total else 0.0
    return Check(
        "virtualised",
        "limited",
        f"{host.virtualised}, {steal:.2f} % of its time withheld since it started",
        "other virtual machines disturb absolute figures; ratios of interleaved runs less so",
        "for absolute figures, measure on a physical machine",
    )


def _state(state: conditions.Conditions) -> tuple[Check, Check]:
    """The power supply, and whether heat throttles the processor."""
    left = "" if state.battery_percent is None else f", {state.battery_percent} % left"
    if state.on_battery:
        power = Check(
            "power supply",
            "limited",
            f"battery{left}",
            "a machine on battery may lower its clock",
            "plug it in",
        )
    else:
        power = Check("power supply", "ok", "no battery in use", "no power saving lowers the clock")
    heat_warnings = conditions.warnings(
        [(conditions.Conditions(), replace(state, on_battery=None))]
    )
    degrees = "" if state.temperature_c is None else f"{state.temperature_c:.0f} °C"
    if heat_warnings:
        heat = Check(
            "heat",
            "limited",
            "; ".join(filter(None, (degrees, *heat_warnings))),
            "the times depend on the cooling while the processor is throttled",
            "let it cool down, cool it better, or give the board a stronger power supply",
        )
    elif degrees:
        heat = Check("heat", "ok", degrees, "no throttling")
    else:
        heat = Check("heat", "ok", "no readable sensor", "throttling would not be detected")
    return power, heat


def _clock() -> Check:
    ticks = [time.perf_counter_ns() for _ in range(1000)]
    steps = [b - a for a, b in pairwise(ticks) if b > a]
    step = min(steps, default=0)
    read = f"read in steps of {step} ns"
    if step <= 1000:
        return Check("clock", "ok", read, "single queries of a few microseconds can be timed")
    return Check("clock", "limited", read, "queries under 100 µs are timed coarsely")


def _memory(root: Path, *, fixed: bool) -> Check:
    mark = "the system's peak of each process"
    can_reset = os.access(root / "proc/self/clear_refs", os.W_OK)
    if can_reset and "VmHWM" in (read_text(root / "proc/self/status") or ""):
        if fixed:
            return Check("memory", "ok", mark, "peak memory repeats to a few KiB")
        return Check(
            "memory",
            "limited",
            f"{mark}, but address randomization cannot be disabled",
            "peak memory repeats to about 64 KiB, and instruction counts repeat less often",
            "install setarch (util-linux); in a container allow personality(2)",
        )
    return Check(
        "memory",
        "missing",
        "no high-water mark that can be reset",
        "peak memory is not reported",
        "run on Linux with CONFIG_PROC_PAGE_MONITOR",
    )


def _energy(root: Path) -> Check:
    counters = energy.read_counters(root / "sys/class/powercap")
    if isinstance(counters, str):
        source = sensors.find(root)
        if not isinstance(source, str):
            means = f"energy of {source.covers} is measured, sampled every {source.period_s:g} s"
            return Check("energy", "ok", source.name, means)
        return Check(
            "energy",
            "missing",
            f"{counters}; {source}",
            "energy comes from a declared model and is only relative",
            "on bare metal: chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj; or a "
            "power meter: edgestill bench MODEL --meter FILE.csv",
        )
    names = ", ".join(counter.name for counter in counters)
    return Check("energy", "ok", names, "energy is counted for the package and memory")


def _counters(root: Path) -> Check:
    units = root / "sys/bus/event_source/devices"
    if not any((units / name).exists() for name in ("cpu", "cpu_core", "armv8_pmuv3_0")):
        return Check(
            "perf counters",
            "missing",
            "no performance monitoring unit",
            "instructions cannot be counted in hardware",
            "measure on bare metal, or count with callgrind",
        )
    level = read_text(root / "proc/sys/kernel/perf_event_paranoid")
    if level is not None and level.lstrip("-").isdigit() and int(level) > 2:
        return Check(
            "perf counters",
            "missing",
            f"perf_event_paranoid is {level}",
            "instructions cannot be counted in hardware",
            "sysctl kernel.perf_event_paranoid=2",
        )
    return Check(
        "perf counters", "ok", "a performance monitoring unit", "instructions can be counted"
    )


def _counts() -> Check:
    if (refusal := callgrind.missing()) is not None:
        return Check(
            "instruction counts",
            "missing",
            refusal.found,
            "bench --instructions and the budget max_instructions have no figure",
            refusal.fix or "count on Linux on an x86-64 machine",
        )
    counter = f"callgrind, {callgrind.shown_kernels()} kernels"
    return Check("instruction counts", "ok", counter, "counts of a model repeat to 0.01 %")


def _runtime() -> tuple[Check, ...]:
    """The runtime, queried in a child: importing it here would change this process."""
    try:
        answer = run(ProbeJob(), timeout_s=30.0)
    except EdgestillError as error:
        fix = "pip install onnxruntime"
        return (Check("runtime", "missing", str(error), "nothing can be measured", fix),)
    providers = ", ".join(answer.providers)
    runtime = Check(
        "runtime", "ok", f"{answer.runtime}: {providers}", "models can be measured here"
    )
    threads = answer.process_threads
    if threads == 1:
        quiet = Check("telemetry", "ok", "off", "the runtime starts no thread of its own")
    elif threads is None:
        quiet = Check("telemetry", "missing", "threads not counted", "another thread is not seen")
    else:
        quiet = Check(
            "telemetry",
            "limited",
            f"{threads} threads after the import",
            "other threads run inside each measured process",
            "find what the import of onnxruntime or numpy starts",
        )
    return runtime, quiet


def _training() -> Check:
    """What a recipe with train.device = "auto" trains on."""
    device = accelerators.best()
    precision = "bf16" if device.has_bf16 else "no bf16"
    if device.kind != "cpu":
        return Check("training", "ok", f"{device}, {precision}", "models are trained on the GPU")
    why = accelerators.find("mps" if name() == "macOS" else "cuda").why
    return Check(
        "training", "ok", f"on the processor, {precision} ({why})", "no GPU that torch can use"
    )


def _disk(folder: Path) -> Check:
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Check(
            "artifacts",
            "missing",
            f"{existing}: {error.strerror or error}",
            "no build can write its results",
            "choose another folder, or change its permissions",
        )
    free = shutil.disk_usage(existing).free
    space = f"{free / 1024**3:.1f} GiB free in {existing}"
    if free < _ENOUGH_DISK_BYTES:
        fix = "free disk space, or choose another folder"
        return Check("artifacts", "limited", space, "a larger build may not fit", fix)
    return Check("artifacts", "ok", space, "builds can write here")
