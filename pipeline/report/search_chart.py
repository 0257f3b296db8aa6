"""The candidates of a search: how large each is, and what it takes of the budget that is tightest.

charts(report)     # nothing where no candidate was measured
"""

from collections.abc import Iterator, Sequence

from ..judge.budgets import BUDGETS
from ..records import CandidateRecord, Report
from . import drawing, numbers
from .chart import Chart
from .plot import Axis, Look, Plot, Point, Series

_KINDS = (
    ("inside, measured", True, True, drawing.look(1)),
    ("inside, predicted", True, False, drawing.look(1, 2)),
    ("outside, measured", False, True, drawing.look(2, 3)),
    ("outside, predicted", False, False, drawing.look(2, 4)),
)
"""In the legend: whether it meets the budgets, whether it has files of its own, its look."""


def charts(report: Report) -> Iterator[Chart]:
    """A mark for each candidate, at its multiply-accumulates and its figure."""
    candidates = report.search.candidates if report.search else ()
    key = tightest(candidates)
    if key is None:
        return
    unit = numbers.budget_unit(key, report.quality)
    budget = next(value for name, value in budgets(report) if name == key)
    title = BUDGETS[key].short or BUDGETS[key].title
    drawn = [
        (name, _of(candidates, key, fits=fits, measured=own), look)
        for name, fits, own, look in _KINDS
    ]
    series = [
        Series(name, look, tuple(_point(one, key, unit) for one in those))
        for name, those, look in drawn
        if those
    ]
    sizes = [float(one.cost.macs) for one in candidates]
    line = (Point(min(sizes), budget), Point(max(sizes), budget))
    series.append(Series("budget", Look(0, "circle", "7 4"), line, kind="line"))
    yield Chart(
        id="candidates",
        title=f"Candidates for the student: {title}",
        caption="Below the line is inside the budget; a candidate is outside where it misses any "
        "budget of resources. Larger marks had a short training; the largest is the student.",
        plots=(
            Plot(
                tuple(series),
                Axis("Multiply-accumulates (log scale)", log=True),
                Axis(drawing.title(title, unit), log=True),
            ),
        ),
        missing=(),
        alternative="; ".join(_told(one, key, unit) for one in candidates if key in one.figures),
    )


def tightest(candidates: Sequence[CandidateRecord]) -> str | None:
    """The budget that most candidates miss; the first of equals; None where nothing is limited."""
    keys = list(dict.fromkeys(key for one in candidates for key in one.figures))
    missed = [miss.key for one in candidates for miss in one.misses]
    return max(keys, key=missed.count, default=None)


def budgets(report: Report) -> Iterator[tuple[str, float]]:
    """The budgets of the verdict, by key."""
    for variant in report.verdict.variants[:1]:
        for check in variant.checks:
            yield check.key, check.budget


def _of(
    candidates: Sequence[CandidateRecord], key: str, *, fits: bool, measured: bool
) -> list[CandidateRecord]:
    """Those that have a place on a logarithmic axis."""
    return [
        one
        for one in candidates
        if (bool(one.fits), one.measured) == (fits, measured) and _value(one, key) > 0.0
    ]


def _value(one: CandidateRecord, key: str) -> float:
    figure = one.figures.get(key)
    return figure.value or 0.0 if figure is not None else 0.0


def _point(one: CandidateRecord, key: str, unit: numbers.Unit) -> Point:
    across = 15.0 if one.chosen else 12.0 if one.short_score is not None else 8.0
    return Point(float(one.cost.macs), _value(one, key), across=across, told=_told(one, key, unit))


def _told(one: CandidateRecord, key: str, unit: numbers.Unit) -> str:
    figure = one.figures[key]
    value = "unknown" if figure.value is None else numbers.amount(figure.value, unit)
    chosen = ", the student" if one.chosen else ""
    return f"{one.cost.name}{chosen}: {value}, {'measured' if one.measured else 'predicted'}"
