"""The figures of files that are not timed: what is known of a file without running it.

Only reference kernels run a file for microcontrollers here; and where no budget is one of time,
memory or energy, a search has no use for them.
"""

from dataclasses import replace

from ...devices.bench.settings import Settings
from ...devices.onboard.machine.host import describe
from ...devices.onboard.stats.estimate import Estimate
from ...devices.profiles.profile import Profile, same_device
from ...devices.scenarios.figures import NO_ARENA, Benchmark, Figures
from ..records import BenchmarkRecord, Variant, VariantsRecord

_WHY = (
    "reference kernels run it here, whose times and memory are not those of a microcontroller; "
    "measure it on the board"
)
_NO_BUDGET = (
    "nothing was run: no budget is one of time, memory or energy, or no file is small enough"
)


def untimed(variants: VariantsRecord, device: Profile, target: Profile) -> BenchmarkRecord:
    """The sizes and arenas of all files, as if they had been measured.

    Args:
        variants: the variants stage's output.
        device: to measure on.
        target: to ship to.
    """
    benchmark = Benchmark(
        host=describe(),
        settings=Settings(),
        models=tuple(untimed_figures(variant, _NO_BUDGET) for variant in variants.files),
        ratios=(),
        warnings=(),
        runtime="",
        measured="",
    )
    return BenchmarkRecord(
        benchmark=benchmark,
        measured_on=device.name,
        target=target.name,
        on_target=same_device(target, device),
    )


def with_files(measured: BenchmarkRecord, variants: VariantsRecord) -> BenchmarkRecord:
    """The same measurement with the sizes and arenas of other files of the same names.

    Args:
        measured: of files that differ in their weights.
        variants: the files.
    """
    known = {variant.name: untimed_figures(variant) for variant in variants.files}
    models = tuple(
        replace(
            model,
            file_bytes=known[model.name].file_bytes,
            arena_bytes=known[model.name].arena_bytes,
        )
        if model.name in known
        else model
        for model in measured.benchmark.models
    )
    benchmark = replace(measured.benchmark, models=models)
    return measured.model_copy(update={"benchmark": benchmark})


def untimed_figures(variant: Variant, why: str = _WHY) -> Figures:
    """What is known of a file that is not run: its size, and its arena where it has one.

    Args:
        variant: with the file.
        why: it is not timed.
    """

    def unknown(unit: str) -> Estimate:
        return Estimate.unknown(why, unit=unit)

    package = variant.packages[0]
    arena = package.arena_bytes
    return Figures(
        name=variant.name,
        file=variant.file,
        file_bytes=variant.bytes,
        p50_ms=unknown("ms"),
        p90_ms=unknown("ms"),
        p99_ms=unknown("ms"),
        load_ms=unknown("ms"),
        first_inference_ms=unknown("ms"),
        peak_memory_bytes=unknown("bytes"),
        energy_uj=unknown("uJ"),
        macs=None,
        parameters=None,
        weight_bytes=None,
        queries=0,
        settled_processes=0,
        samples="",
        instructions=unknown("instructions"),
        early_stopping_p90_ms=unknown("ms"),
        early_stopping_p99_ms=unknown("ms"),
        runtime=package.runtime,
        arena_bytes=NO_ARENA
        if arena is None
        else Estimate.exact(float(arena), "counted in the runtime", "bytes"),
    )
