"""How the recipe of a run was found: the candidates for the student, and the rungs of the ladder.

section(report).title     # 'Search'; None where the recipe was built as it was
lead(report)              # 'Found by a search: …', for the first screen
"""

from collections.abc import Iterator, Sequence

from ...devices.onboard.stats.estimate import Estimate
from ..judge.budgets import BUDGETS
from ..judge.task_budgets import of_record
from ..progress.duration import duration
from ..records import (
    CandidateRecord,
    Report,
    RungRecord,
    SearchRecord,
    Shortfall,
    VerifyRecord,
)
from . import numbers
from .sections import Cell, Section, Table

TITLE = "Search"
_NO_TEST = (
    "Nothing here was scored on test: candidates were measured with random weights, and trainings "
    "and rungs were scored on validation. The verdict looked at test once, and measured anew."
)


def section(report: Report) -> Section | None:
    """What was looked at, in its order."""
    search = report.search
    if search is None:
        return None
    paragraphs = [lead(report) or "", _NO_TEST]
    return Section(
        TITLE,
        paragraphs=tuple(paragraphs),
        points=tuple(_points(search)),
        tables=tuple(_tables(report)),
    )


def lead(report: Report) -> str | None:
    """In a sentence: from how many candidates, by which changes; None without a search."""
    search = report.search
    if search is None:
        return None
    parts = []
    if search.candidates:
        measured = sum(one.measured for one in search.candidates)
        fit = sum(bool(one.fits) for one in search.candidates)
        chosen = next((one.cost.name for one in search.candidates if one.chosen), "none")
        parts.append(
            f"{chosen} was chosen of {numbers.how_many(len(search.candidates), 'candidate')} "
            f"({measured} measured, {fit} inside the budgets of resources)"
        )
    kept = [rung.name for rung in search.rungs[1:] if rung.kept]
    tried = sum(rung.skipped is None for rung in search.rungs[1:])
    if kept:
        parts.append(f"the ladder changed {', '.join(dict.fromkeys(kept))}")
    elif tried:
        parts.append(f"none of {numbers.how_many(tried, 'change')} helped")
    parts.append(f"{search.ended}, after {duration(search.seconds)}")
    return f"Found by a search: {'; '.join(parts)}."


def _points(search: SearchRecord) -> Iterator[str]:
    """What binds, and what was not tried, by its reason."""
    if search.trade:
        yield f"{search.trade}."
    left = [rung for rung in search.rungs if rung.skipped is not None]
    for why in dict.fromkeys(rung.skipped for rung in left):
        names = ", ".join(rung.name for rung in left if rung.skipped == why)
        yield f"Not tried: {names}: {why}."


def _tables(report: Report) -> Iterator[Table]:
    search = report.search
    if search is None:
        return
    if search.candidates:
        yield _candidates(search.candidates, report.quality)
    if search.rungs:
        yield _rungs([rung for rung in search.rungs if rung.skipped is None], report)


def _candidates(candidates: Sequence[CandidateRecord], quality: VerifyRecord) -> Table:
    """The largest first, as they were considered."""
    keys = list(dict.fromkeys(key for one in candidates for key in one.figures))
    titles = tuple(BUDGETS[key].short or BUDGETS[key].title for key in keys)
    scored = any(one.short_score is not None for one in candidates)
    return Table(
        "Candidates for the student",
        (
            "Student",
            "Width",
            "Multiply-accumulates",
            "Parameters",
            "File",
            *map(numbers.capital, titles),
            "Figures",
            "Inside",
            *(["Score on validation, short training"] if scored else []),
        ),
        tuple(_candidate(one, keys, quality, scored=scored) for one in reversed(candidates)),
        sorts=True,
    )


def _candidate(
    one: CandidateRecord, keys: Sequence[str], quality: VerifyRecord, *, scored: bool
) -> tuple[Cell, ...]:
    score = one.short_score
    cells = [
        Cell(f"{one.cost.model}, chosen" if one.chosen else one.cost.model),
        Cell(str(one.cost.width), value=one.cost.width),
        Cell(f"{one.cost.macs:,}", value=one.cost.macs),
        Cell(f"{one.cost.parameters:,}", value=one.cost.parameters),
        Cell(one.variant or "none"),
        *(_figure(one.figures.get(key), key, quality) for key in keys),
        Cell("measured" if one.measured else "predicted"),
        Cell({True: "yes", False: "no", None: "not known"}[one.fits]),
    ]
    if scored:
        cells.append(Cell("" if score is None else f"{score:.4f}", value=score))
    return tuple(cells)


def _figure(figure: Estimate | None, key: str, quality: VerifyRecord) -> Cell:
    if figure is None or figure.value is None:
        return Cell("unknown")
    return Cell(numbers.amount(figure.value, numbers.budget_unit(key, quality)), value=figure.value)


def _rungs(rungs: Sequence[RungRecord], report: Report) -> Table:
    return Table(
        "What was tried",
        ("Rung", "Change", "Nearest file", "Score on validation", "It misses", "Kept", "Took"),
        tuple(_rung(rung, report) for rung in rungs),
    )


def _rung(rung: RungRecord, report: Report) -> tuple[Cell, ...]:
    unit = numbers.score_unit(report.quality.metric)
    score = rung.score.value if rung.score is not None else None
    return (
        Cell(rung.name),
        Cell(", ".join(rung.changes) or "nothing"),
        Cell(rung.nearest or "none"),
        Cell("" if score is None else numbers.amount(score, unit), value=score),
        Cell("; ".join(told(miss, report) for miss in rung.misses) or "nothing"),
        Cell("yes" if rung.kept else "no"),
        Cell(duration(rung.seconds), value=rung.seconds),
    )


def told(miss: Shortfall, report: Report) -> str:
    """A budget that is missed, with what a verdict is expected to take."""
    budget = of_record(miss.key, report.quality)
    unit = numbers.budget_unit(miss.key, report.quality)
    name = (budget.short or budget.title).replace("{metric}", report.quality.metric)
    value, needed = numbers.amount(miss.value, unit), numbers.amount(miss.needed, unit)
    side = "at most" if budget.direction == "at most" else "at least"
    return f"{name} {value}, where a verdict takes {side} {needed}"
