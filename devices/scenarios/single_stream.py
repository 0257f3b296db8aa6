"""One query after the other: latency, memory and energy of models, and their ratios.

>>> request = Request([Subject("fp32", a), Subject("int8", b)], Settings(), Path("out"))
>>> measure(request).ratios[0].p50.value                    # doctest: +SKIP
0.62
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from ...errors import UsageError
from ..bench import journal
from ..bench.request import Prepared, Request, prepare
from ..bench.settings import Subject
from ..energy.declared import HOROWITZ, Prices
from ..onboard.machine.disturbance import OUTLIERS, OUTLIERS_SHARE
from ..onboard.measure.job import Job
from . import memory
from .conclude import Measured, compare, conclude
from .figures import Benchmark, Figures, Ratio
from .result import Percentiles, Row
from .run import run
from .scenario import ByVariant, Implementation, Options, Procedure

_ONLY = ""
"""The name of the one variant."""


def measure(
    request: Request, *, references: Sequence[str] = (), prices: Prices = HOROWITZ
) -> Benchmark:
    """Measure models in turn, in fresh processes, one query after the other.

    Args:
        request: what to measure and when to stop.
        references: names of the subjects that all others are compared with; none: the first.
        prices: energies of the declared model, for where no energy is measured.

    Raises:
        UsageError: names that repeat, an unknown reference, or settings that do not fit a model.
        EdgestillError: as `run.measure`.
    """
    _check(request, {"references": references})
    prepared = prepare(request)
    procedure = _procedure(prepared, references, prices)
    result = run(prepared, procedure, "single-stream")
    return cast(Benchmark, result)


def _check(request: Request, options: Options) -> None:
    names = [subject.name for subject in request.subjects]
    for unknown in sorted(set(options["references"]) - set(names)):
        raise UsageError(f"'{unknown}'", expected=f"one of {', '.join(names)}", where="references")


def _prepare(prepared: Prepared, options: Options) -> Procedure[Figures]:
    return _procedure(prepared, options["references"], options["prices"] or HOROWITZ)


def _procedure(prepared: Prepared, references: Sequence[str], prices: Prices) -> Procedure[Figures]:
    """Memory is looked at here, before the first process is timed."""
    request = prepared.request
    against = references or (request.subjects[0].name,)
    memory_answers = {subject.name: memory.look(prepared, subject) for subject in request.subjects}
    journal.write(
        request.out / "memory.json",
        [{"subject": name, **memory.record(answers)} for name, answers in memory_answers.items()],
    )

    def job(subject: Subject, samples: Path, _: int) -> Job:
        return prepared.closed_loop(subject, samples)

    def measured(name: str, processes: ByVariant) -> Measured:
        return Measured(
            name,
            prepared.inspections[name],
            processes[_ONLY],
            f"samples/{prepared.slugs[name]}-*.npy",
            memory_answers[name],
            prices,
            prepared.feeds[name].shapes,
        )

    def ratios(models: Mapping[str, ByVariant], confidence: float) -> list[Ratio]:
        every = {name: measured(name, processes) for name, processes in models.items()}
        return [
            compare(of, every[over], confidence)
            for over in against
            for name, of in every.items()
            if name != over
        ]

    def cautions(figures: Sequence[Figures], models: Mapping[str, ByVariant]) -> list[str]:
        sentences = [*_outliers(figures), *_in_time(figures), *_padded(prepared)]
        for name, processes in models.items():
            sentences += memory.above_peak(name, memory_answers[name], processes[_ONLY])
        return sentences

    return Procedure(
        jobs={_ONLY: job},
        figures=lambda name, processes, confidence: conclude(
            measured(name, processes), confidence, request.settings
        ),
        most_threads=request.settings.session.threads,
        ratios=ratios,
        cautions=cautions,
        result=Benchmark,
    )


def _outliers(models: Sequence[Figures]) -> Iterator[str]:
    for figures in models:
        count = figures.outliers
        if count is not None and count > OUTLIERS_SHARE * figures.queries:
            yield (
                f"{figures.name}: {count:,} of {figures.queries:,} queries were outliers "
                f"({OUTLIERS})"
            )


def _in_time(models: Sequence[Figures]) -> Iterator[str]:
    for figures in models:
        if figures.p50_ms.caution is not None:
            yield f"{figures.name}: {figures.p50_ms.caution}"


def _padded(prepared: Prepared) -> Iterator[str]:
    """Texts that are as long as a file fixes, where those of others are as long as they are."""
    if prepared.request.settings.feed.pad is None:
        return
    fixed = {name: feed.shapes for name, feed in prepared.feeds.items() if feed.pad is None}
    others = [name for name in prepared.feeds if name not in fixed]
    if not fixed:
        return
    lengths = {shape[1] for shapes in fixed.values() for shape in shapes.values() if shape[1:]}
    tokens = " or ".join(f"{length:,}" for length in sorted(lengths))
    rest = f"; texts of {', '.join(others)} are as long as the longest of a query"
    yield (
        f"{', '.join(fixed)}: texts are padded to the {tokens} tokens that the file fixes"
        f"{rest if others else ''}"
    )


def _rows(figures: Figures) -> list[Row]:
    return Percentiles(figures.p50_ms, figures.p90_ms, figures.p99_ms).rows()


IMPLEMENTATION = Implementation(
    prepare=_prepare, decisive=lambda figures: (figures.p50_ms,), rows=_rows, check=_check
)
