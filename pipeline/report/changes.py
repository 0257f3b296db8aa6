"""What would change a verdict: how near the nearest budget is, what is missing, what to do first.

of(report)[0]   # 'Cheapest next step: measure longer (benchmark.max_seconds) …'
"""

from collections.abc import Iterator

from ..judge import constant
from ..judge.task_budgets import of_record
from ..records import Check, Report, VariantVerdict
from . import gap, next_step, numbers, open_budgets, words

_MOST = 3
"""Budgets that are told of one by one."""


def of(report: Report) -> tuple[str, ...]:
    """Sentences, the most useful first."""
    judged = next(
        (one for one in report.verdict.variants if one.name == report.verdict.nearest), None
    )
    if judged is None:
        return ()
    if report.verdict.ship is not None:
        return tuple(_ready(report, judged))
    if report.verdict.outcome == "undecided":
        return tuple(_undecided(report, judged))
    return tuple(_missed(report, judged))


def _ready(report: Report, judged: VariantVerdict) -> Iterator[str]:
    """The budget that is met most narrowly, in points or in percent of the budget."""
    quality = report.quality
    checks = [
        one
        for one in judged.checks
        if gap.room(one, quality) is not None and not constant.is_one(one)
    ]
    if not checks:
        yield "No budget is set: only a fault would change it, or to be no better than a constant."
        return
    close = min(checks, key=lambda check: gap.tightness(check, quality))
    name, worse, better = (
        words.budget_name(close, quality), gap.worst(close, quality), gap.best(close, quality)
    )  # fmt: skip
    inside = gap.difference(close, gap.room(close, quality) or 0.0, quality)
    yield (
        f"Closest: {name}, whose budget is {numbers.budget(close, quality)}. "
        f"Its interval ends {inside} inside."
        if worse != better
        else f"Closest: {name}, {inside} inside its budget of {numbers.budget(close, quality)}."
    )
    side = "below" if gap.at_most(close, quality) else "above"
    if worse is not None and better is not None and worse != better:
        yield (
            f"A budget {side} {gap.amount(close, worse, quality)} would make it UNDECIDED, one "
            f"{side} {gap.amount(close, better, quality)} NOT READY."
        )
    elif worse is not None:
        yield f"A budget {side} {gap.amount(close, worse, quality)} would make it NOT READY."


def _missed(report: Report, judged: VariantVerdict) -> Iterator[str]:
    """What each budget that is missed asks for, and who meets it."""
    quality = report.quality
    for fault in judged.faults[:_MOST]:
        yield f"Whatever the budgets, this fault has to be mended: {fault}."
    if report.search is not None and report.search.trade:
        yield f"{report.search.trade}."
    if (step := next_step.of(report)) is not None:
        yield step.text
    if judged.cannot_ship:
        yield f"{judged.name} cannot ship: {judged.cannot_ship}."
    missed = [check for check in judged.checks if check.outcome == "not ready"]
    for check in missed[:_MOST]:
        yield f"{numbers.capital(words.budget_name(check, quality))} {_needed(report, check)}."
        if who := _who_meets(report, check):
            yield who
    if len(missed) > _MOST:
        yield f"{len(missed) - _MOST} more budgets are missed; they are in the table."


def _needed(report: Report, check: Check) -> str:
    """By how much a figure has to change so that its whole interval is inside."""
    quality, worse = report.quality, gap.worst(check, report.quality)
    if worse is None:
        worse = check.figure.value
    if worse is None:
        return "is not known"
    limit = gap.amount(check, worse, quality)
    way = "fall" if gap.at_most(check, quality) else "rise"
    by = gap.difference(check, abs(check.budget - worse), quality)
    if gap.as_ratio(check, quality):
        by = numbers.amount(1.0 - check.budget / worse, numbers.PERCENT)
    exact = check.figure.low == check.figure.high
    if worse == check.budget:  # a budget that is to be exceeded
        return f"has to {way} above {limit}"
    needed = f"has to {way} by {by}{'' if exact else ', so that its whole interval is inside'}"
    if constant.is_one(check):
        return needed
    return f"{needed}, or the budget to be {of_record(check.key, quality).direction} {limit}"


def _who_meets(report: Report, check: Check) -> str:
    """Other variants that meet a budget, and what they miss."""
    for other in report.verdict.variants:
        if other.name == report.verdict.nearest or other.outcome == "ready":
            continue
        same = next((one for one in other.checks if one.key == check.key), None)
        if same is None or same.outcome != "ready":
            continue
        missed = [
            words.budget_name(one, report.quality)
            for one in other.checks
            if one.outcome == "not ready"
        ]
        missed += ["a fault"] if other.faults else []
        if missed:
            return f"{other.name} meets that budget but misses {' and '.join(missed[:_MOST])}."
    return ""


def _undecided(report: Report, judged: VariantVerdict) -> Iterator[str]:
    """What is not known, the cheapest to find out first; what one step decides is told once."""
    ordered = open_budgets.steps(report, judged)
    if not ordered and (step := next_step.of(report)) is not None:
        yield step.text
    for at, one in enumerate(ordered[:_MOST]):
        yield next_step.sentence("Cheapest next step" if at == 0 else "Then", one)
    if judged.cannot_ship:
        yield f"{judged.name} cannot ship: {judged.cannot_ship}."
    if len(ordered) > _MOST:
        yield f"{len(ordered) - _MOST} more steps are needed; the table has what is undecided."
