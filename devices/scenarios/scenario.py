"""What a scenario's module states: its jobs, its figures, and how figures are shown.

    IMPLEMENTATION = Implementation(prepare=_prepare, rows=_rows)

`run.measure` does the rest, the same for every scenario: fresh processes in turn, the rule of
stopping, energy, warnings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ...errors import UsageError
from ..bench.engine import ProcessResult
from ..bench.request import Prepared, Request
from ..bench.settings import Subject
from ..onboard.measure.job import Job
from ..onboard.stats.estimate import Estimate
from .result import Result, Row

F = TypeVar("F")
Options = Mapping[str, Any]
"""A scenario's own options by name, as `table.SCENARIOS` lists them, with defaults filled in."""
JobOf = Callable[[Subject, Path, int], Job]
"""Makes a job from the model, its samples file and the number of the repetition."""
ByVariant = Mapping[str, Sequence[ProcessResult]]
"""One model's processes by variant, each in the order of repetitions."""


@dataclass(frozen=True, slots=True)
class Procedure(Generic[F]):
    """How one request is measured in one scenario.

    Attributes:
        jobs: of each variant; the name is empty where there is only one and it needs none.
        figures: what one model's processes say: from its name, its processes and a confidence.
        ratios: of the models to each other, at a confidence, where the scenario compares them.
        cautions: what a reader should know of the figures, in plain sentences.
        most_threads: that compute at a time.
        result: the class of the result.
    """

    jobs: Mapping[str, JobOf]
    figures: Callable[[str, ByVariant, float], F]
    most_threads: int
    ratios: Callable[[Mapping[str, ByVariant], float], Sequence[Any]] = lambda *_: ()
    cautions: Callable[[Sequence[F], Mapping[str, ByVariant]], Sequence[str]] = lambda *_: ()
    result: Callable[..., Result[F]] = Result


@dataclass(frozen=True, slots=True)
class Condition:
    """How every query of a variant differs from the settings.

    Attributes:
        name: of the variant; empty where nothing differs.
        batch: samples of a query; None: as in the settings.
        threads: intra-op threads; None: as in the settings.
    """

    name: str = ""
    batch: int | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Implementation(Generic[F]):
    """All that a scenario's module states.

    Attributes:
        prepare: makes the procedure; may refuse what does not fit a model.
        decisive: the figures of a model that a precision is about.
        rows: one model's figures as the rows of a table.
        head: names of the table's columns; empty for pairs of a name and a figure.
        conditions: under which operators can be timed one query after the other.
        check: refuses options or a request before anything is written or run.
        note: what a reader of the table has to know of it; empty for nothing.
    """

    prepare: Callable[[Prepared, Options], Procedure[F]]
    decisive: Callable[[F], Sequence[Estimate]]
    rows: Callable[[F], Sequence[Row]]
    head: tuple[str, ...] = ()
    conditions: Callable[[Options], Sequence[Condition]] = lambda _: (Condition(),)
    check: Callable[[Request, Options], None] = lambda *_: None
    note: str = ""


def above_zero(value: float, where: str) -> None:
    """Refuse a value that is no finite number above 0.

    Raises:
        UsageError: it is not.
    """
    # Written so that NaN fails too.
    if not 0 < value < float("inf"):
        raise UsageError(f"{value}", expected="above 0", where=where)


def at_least_one(value: int, where: str) -> None:
    """Refuse a count below 1.

    Raises:
        UsageError: it is.
    """
    if value < 1:
        raise UsageError(f"{value}", expected="at least 1", where=where)


def unrepeated(values: Sequence[int], where: str) -> None:
    """Refuse counts below 1, a repeated one, or none.

    Raises:
        UsageError: there is one, or no count at all.
    """
    for value in values:
        at_least_one(value, where)
    if not values or len(set(values)) < len(values):
        raise UsageError(
            ", ".join(map(str, values)) or "none", expected="each size once", where=where
        )
