"""Every variant against every budget, in one table.

section(report).tables[0].head     # ('Variant', 'Verdict', 'accuracy on test: at least 94 %', …)
"""

from collections.abc import Iterator

from ..judge import constant
from ..judge.choice import preferred
from ..records import Check, Report, VariantVerdict, VerifyRecord
from . import numbers, words
from .alike import together
from .sections import Cell, Section, Table, on_budget, row, verdict

TITLE = "Budgets"


def section(report: Report) -> Section:
    """The table, what is wrong or unknown whatever the budgets, and the rules."""
    best_in = preferred(report.verdict.prefer, report.quality.metric)
    return Section(
        TITLE,
        points=tuple(_reasons(report)),
        tables=(_table(report),),
        more=(
            Section(
                "The rules",
                paragraphs=(
                    "A budget is met where the whole interval lies inside it, and missed where the "
                    "whole interval lies outside it. Otherwise it is undecided. Whatever the "
                    "budgets, a variant has to be better than the best answer that does not depend "
                    "on the input.",
                    f"Of the READY variants the best in {best_in} ships. Where intervals overlap, "
                    "the smallest file among them ships.",
                ),
            ),
        ),
        open=True,
    )


def _table(report: Report) -> Table:
    """A row a variant, a column a budget; that all beat a constant answer takes no column."""
    quality, variants = report.quality, report.verdict.variants
    columns: dict[str, Check] = {}
    every = [check for judged in variants for check in judged.checks]
    fails = {check.key for check in every if constant.fails(check)}
    for check in every:
        if not constant.is_one(check) or check.key in fails:
            columns.setdefault(check.key, check)
    return Table(
        "Every variant against every budget",
        ("Variant", "Verdict", *(_title(check, quality) for check in columns.values())),
        tuple(
            row(
                judged.name,
                _outcome(judged),
                *(_cell(judged, key, quality) for key in columns),
            )
            for judged in variants
        ),
        sorts=True,
    )


def _title(check: Check, quality: VerifyRecord) -> str:
    return f"{words.budget_name(check, quality)}: {numbers.budget(check, quality)}"


def _outcome(judged: VariantVerdict) -> Cell:
    told = verdict(judged.outcome)
    return Cell(told.text, "cannot ship", told.outcome) if judged.cannot_ship else told


def _cell(judged: VariantVerdict, key: str, quality: VerifyRecord) -> Cell:
    check = next((one for one in judged.checks if one.key == key), None)
    if check is None:
        return Cell("not judged")
    value, interval = numbers.without_reason(check.figure, numbers.budget_unit(key, quality))
    if check.figure.value is None:
        value = "unknown"
    return Cell(value, interval, check.outcome, check.figure.value, judged=True)


def _reasons(report: Report) -> Iterator[str]:
    """Why what is not READY is not, each reason once for the variants that it holds for."""
    names = {judged.name for judged in report.verdict.variants}
    told = [
        f"{judged.name}: {what}"
        for judged in report.verdict.variants
        for what in _of_variant(judged, report.quality)
    ]
    yield from together(told, names)


def _of_variant(judged: VariantVerdict, quality: VerifyRecord) -> Iterator[str]:
    if judged.cannot_ship:
        yield f"cannot ship: {judged.cannot_ship}"
    yield from (f"fault: {fault}" for fault in judged.faults)
    yield from (f"unknown: {what}" for what in judged.unknown)
    for check in judged.checks:
        if check.outcome != "ready" or constant.fails(check):
            yield f"{words.budget_name(check, quality)}: {check.why}"
    for package in judged.packages[1:]:
        if package.outcome != judged.outcome:
            outcome = words.WORDS[package.outcome]
            said = f"its .{package.format} file is {outcome} ({package.why})"
            if not judged.cannot_ship:  # else it may be the one that the app takes
                said += ", which does not change the verdict: that is of the "
                said += f".{judged.packages[0].format} file"
            yield said


def of_variant(judged: VariantVerdict, quality: VerifyRecord) -> Table:
    """One variant against each budget, with reasons, for the page of a bundle."""
    checks = tuple(
        row(
            words.budget_name(check, quality),
            Cell(*numbers.parts(check.figure, numbers.budget_unit(check.key, quality))),
            numbers.budget(check, quality),
            on_budget(check.outcome),
            check.why,
        )
        for check in judged.checks
    )
    faults = tuple(
        row("no fault", "a fault", "none", verdict("not ready"), fault) for fault in judged.faults
    )
    unknown = tuple(
        row("known", "unknown", "known", verdict("undecided"), what) for what in judged.unknown
    )
    packages = tuple(
        row(f"the .{package.format} file", "", "", verdict(package.outcome), package.why)
        for package in judged.packages[1:]
    )
    taken: tuple[tuple[Cell, ...], ...] = ()
    if judged.cannot_ship:
        taken = (row("taken by the app", "no", "yes", "cannot ship", judged.cannot_ship),)
    title = f"{judged.name}: {words.WORDS[judged.outcome]}"
    return Table(
        f"{title}, cannot ship" if judged.cannot_ship else title,
        ("What", "Found", "Budget", "Outcome", "Why"),
        taken + checks + faults + unknown + packages,
    )
