"""What the benchmark stage measured of the report in ``report_example``, drawn from a seed."""

from functools import cache
from pathlib import Path

import numpy as np
from edgestill.devices.bench.settings import Settings
from edgestill.devices.onboard.machine.host import Host
from edgestill.devices.onboard.stats import processes as stats
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.onboard.stats.percentiles import percentile_over_processes
from edgestill.devices.scenarios.figures import Benchmark, Figures, Footprint, Ratio
from numpy.typing import NDArray

PROCESSES = 9
QUERIES = 700
MEDIANS_MS = {"teacher": 0.412, "fp32": 0.031, "int8-dynamic": 0.118, "int8-static": 0.036}
SIZES = {"teacher": 1_871_204, "fp32": 83_112, "int8-dynamic": 52_431, "int8-static": 38_020}
MEMORY = {"teacher": 6_150_000, "fp32": 1_210_000, "int8-dynamic": 2_540_000, "int8-static": 9e5}
MACS = {"teacher": 17_304_576, "fp32": 812_416, "int8-dynamic": 812_416, "int8-static": 812_416}
VARIANTS = ("fp32", "int8-dynamic", "int8-static")


def samples(name: str) -> list[NDArray[np.int64]]:
    """Latencies of one model in ns, one array a process: log-normal, a rare pause now and then."""
    rng = np.random.default_rng(sorted(MEDIANS_MS).index(name))
    processes = []
    for _ in range(PROCESSES):
        centre = MEDIANS_MS[name] * 1e6 * rng.normal(1.0, 0.02)
        drawn = centre * rng.lognormal(0.0, 0.05, QUERIES)
        drawn += np.where(rng.random(QUERIES) < 0.01, rng.exponential(centre, QUERIES), 0.0)
        processes.append(drawn.astype(np.int64))
    return processes


def write_samples(folder: Path) -> None:
    """The raw samples as the benchmark leaves them: ``<model>-<repetition>.npy``, int64 ns."""
    folder.mkdir(parents=True)
    for name in MEDIANS_MS:
        for repetition, drawn in enumerate(samples(name)):
            np.save(folder / f"{name}-{repetition}.npy", drawn)


@cache
def benchmark() -> Benchmark:
    return Benchmark(
        host=Host(
            cpu="Intel(R) Xeon(R) Processor @ 2.80GHz",
            arch="x86_64",
            physical_cores=1,
            logical_cores=2,
            available_cores=2,
            features=("avx", "avx2", "f16c", "fma", "sse4_1"),
            memory_bytes=8_320_000_000,
            os="Debian GNU/Linux 12 (bookworm)",
            kernel="6.1.0-32-amd64",
            governor=None,
            cpu_quota=None,
            virtualised="KVM",
            onnxruntime="1.29.0",
        ),
        settings=Settings(),
        models=tuple(figures(name) for name in MEDIANS_MS),
        ratios=(
            *(_ratio(name) for name in VARIANTS),
            *(_ratio(name, "fp32") for name in ("teacher", *VARIANTS) if name != "fp32"),
        ),
        warnings=("other processes used 14 % of this machine's CPU time during the measurement",),
        runtime="onnxruntime 1.29.0",
        measured="2026-03-01T09:29:00+00:00",
    )


def _p90(drawn: list[NDArray[np.float64]]) -> Estimate:
    """As if there were five times as many processes, so that it has an upper end."""
    return percentile_over_processes(5 * drawn, 90, unit="ms", guarded=False)


@cache
def figures(name: str) -> Figures:
    drawn = [each / 1e6 for each in samples(name)]
    memory = MEMORY[name] + np.arange(PROCESSES) * 4096.0
    energy = MACS[name] * 4.6e-6 * (1 if name in {"teacher", "fp32"} else 0.2)
    return Figures(
        name=name,
        file=f"models/digits-{name}.onnx",
        file_bytes=SIZES[name],
        p50_ms=percentile_over_processes(drawn, 50, unit="ms", guarded=False),
        p90_ms=_p90(drawn),
        p99_ms=percentile_over_processes(drawn, 99, unit="ms", guarded=False),
        load_ms=stats.median_over_processes(
            np.linspace(3.9, 4.4, PROCESSES) * (SIZES[name] / 1e6), unit="ms"
        ),
        first_inference_ms=stats.median_over_processes(
            np.linspace(2.0, 2.6, PROCESSES) * MEDIANS_MS[name], unit="ms"
        ),
        peak_memory_bytes=stats.median_over_processes(memory, unit="bytes"),
        energy_uj=Estimate(
            energy,
            energy * 0.5,
            energy * 2.4,
            "declared model after Horowitz, ISSCC 2014",
            1,
            kind="declared",
            unit="uJ",
        ),
        macs=MACS[name],
        parameters=464_154 if name == "teacher" else 19_962,
        weight_bytes=SIZES[name] - 4_000,
        queries=PROCESSES * QUERIES,
        settled_processes=PROCESSES,
        samples=f"samples/{name}-*.npy",
        footprint=Footprint(
            pss_bytes=stats.median_over_processes(memory * 0.8, unit="bytes"),
            peak_without_arena_bytes=Estimate(
                MEMORY[name] * 1.2,
                None,
                None,
                "enable_cpu_mem_arena off",
                1,
                "one process",
                "bytes",
                "measured",
            ),
            peak_without_plan_bytes=Estimate.unknown(
                "the high-water mark cannot be set back", unit="bytes"
            ),
            weight_bytes=Estimate.exact(SIZES[name] - 4_000, "stored tensors", "bytes"),
            activation_bytes=Estimate.exact(65_536, "liveness over that graph", "bytes"),
            peak_as_timed_bytes=stats.median_over_processes(memory * 1.1, unit="bytes"),
        ),
        outliers=17,
    )


def _ratio(name: str, reference: str = "teacher") -> Ratio:
    def over(values: dict[str, float]) -> Estimate:
        return Estimate.exact(values[name] / values[reference], "ratio of counted bytes", "ratio")

    medians = [
        [float(np.median(each)) for each in samples(subject)] for subject in (name, reference)
    ]
    energy = MACS[name] / MACS[reference] * (1 if name == "fp32" else 0.2)
    return Ratio(
        of=name,
        over=reference,
        p50=stats.ratio_over_processes(*medians),
        peak_memory=stats.ratio_over_processes(
            np.full(PROCESSES, MEMORY[name]) + np.arange(PROCESSES) * 4096.0,
            np.full(PROCESSES, MEMORY[reference]),
        ),
        energy=Estimate(
            energy,
            energy * 0.7,
            energy * 1.5,
            "ratio under the declared model",
            1,
            kind="declared",
            unit="ratio",
        ),
        size=over({key: float(value) for key, value in SIZES.items()}),
    )
