"""What a measurement in any scenario finds, in one frame.

result = measure(request, "server", {"rate": 50.0})
result.models[0].missed
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..bench.settings import Settings
from ..onboard.machine.host import Host
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.percentiles import over_processes, percentile_over_processes

if TYPE_CHECKING:
    # A report has results, and needs nothing of what makes them.
    from ..bench.engine import ProcessResult

F = TypeVar("F")
PERCENTILES = (50.0, 90.0, 99.0)
"""Of latency, in every scenario that has any."""
_NEAR = 0.05
"""By how much the ratio of two medians and the median of ratios may differ before it is said."""
PAIRED = (
    "{0}: over the first row, in processes side by side in time; where the machine's speed changed "
    "between them it differs from the ratio of the rows' medians, and says more"
)
"""What a column of paired ratios is, by its name."""
Row = tuple[str | Estimate, ...]
"""Of a table: names, words and figures; an estimate has a unit."""


@dataclass(frozen=True, slots=True)
class Result(Generic[F]):
    """All that one measurement found.

    Attributes:
        host: the machine.
        settings: as requested.
        models: figures, one a subject, in the order given.
        ratios: of the models to each other, where the scenario compares them.
        warnings: what a reader should know, in plain sentences.
        runtime: the runtime and its version, as the measuring processes had it.
        measured: when it began, UTC, ISO 8601.
        looks: how often the rule of stopping was applied, see `bench.stopping`.
        enough: whether it was met.
        scenario: its name.
        processes: fresh processes of each model and variant; 0: an older version did not record it.
    """

    host: Host
    settings: Settings
    models: tuple[F, ...]
    ratios: tuple[Any, ...]
    warnings: tuple[str, ...]
    runtime: str
    measured: str
    looks: int = 1
    enough: bool = True
    scenario: str = "single-stream"
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Latency of a query, which is one batch, in whichever process, in milliseconds.

    Attributes:
        p50_ms: the median.
        p90_ms: 90th percentile.
        p99_ms: 99th percentile.
    """

    p50_ms: Estimate
    p90_ms: Estimate
    p99_ms: Estimate

    @classmethod
    def of(cls, latencies_ns: Sequence[NDArray[np.int64]], confidence: float) -> Self:
        """Those of latencies in nanoseconds, shape (queries,), one array a process."""
        milliseconds = [latencies / 1e6 for latencies in latencies_ns]
        return cls(*over_processes(milliseconds, PERCENTILES, confidence, "ms", guarded=False))

    def rows(self) -> list[Row]:
        """Of a table."""
        return [("p50", self.p50_ms), ("p90", self.p90_ms), ("p99", self.p99_ms)]


def energy_rows(energy_uj: Estimate) -> list[Row]:
    """Of a table: the energy of a query where it was measured, else nothing."""
    return [] if energy_uj.value is None else [("energy of a query", energy_uj)]


def median_latency_ms(processes: Sequence["ProcessResult"], confidence: float) -> Estimate:
    """p50 of processes whose table has latencies only, shape (queries,), in nanoseconds."""
    return percentile_over_processes(
        [process.table / 1e6 for process in processes], 50, confidence, "ms", guarded=False
    )


def disagreements(rows: Iterable[tuple[str, str, float, Estimate]]) -> list[str]:
    """What to say of the rows whose paired ratio is not that of the two medians printed.

    Args:
        rows: of each the arguments of ``apart``.
    """
    return [said for row in rows if (said := apart(*row)) is not None]


def apart(name: str, what: str, of_medians: float, paired: Estimate) -> str | None:
    """What to say where a paired ratio is not that of the two medians printed; None where it is.

    Medians are taken of each row by itself; a ratio is of processes that ran side by side in time,
    so that a change of the machine's speed is in the medians and not in it.

    Args:
        name: the model's.
        what: the row, such as "batch 32".
        of_medians: the ratio of the two medians.
        paired: the ratio that stands in the row.
    """
    value = paired.value
    if value is None or abs(of_medians / value - 1.0) <= _NEAR:
        return None
    return (
        f"{name}, {what}: the printed medians are {of_medians:.2f} of the first row's, "
        f"processes side by side in time {value:.2f}: the machine's speed changed between them, "
        "so go by the ratio"
    )
