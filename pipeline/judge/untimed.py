"""The figures of a file that is not timed, because only reference kernels run it here."""

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Figures
from ..records import Variant

_WHY = (
    "reference kernels run it here, whose times and memory are not those of a microcontroller; "
    "measure it on the board"
)


def untimed_figures(variant: Variant) -> Figures:
    """What is known of a file for microcontrollers: its size and its arena."""

    def unknown(unit: str) -> Estimate:
        return Estimate.unknown(_WHY, unit=unit)

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
        arena_bytes=unknown("bytes")
        if arena is None
        else Estimate.exact(float(arena), "counted in the runtime", "bytes"),
    )
