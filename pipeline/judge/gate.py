"""The gate: every figure against its budget, by interval.

A variant is READY when every interval lies wholly inside its budget, NOT READY when one lies wholly
outside or there is a fault, UNDECIDED otherwise. A fault of a variant is one of every variant that
was made from it (``faults``). Whatever the budgets, a model has to be better than an answer that
does not depend on the input (``constant``). A missing figure is never a pass, and neither is NaN. A
prediction and a declared model decide nothing (``budgets.UNDECIDING``). Where the target is not the
machine measured on, its latency, peak memory and energy were not measured, and their budgets are
undecided. The verdict is the best of any variant that the app can take (``shipping``); ``choice``
has which one ships.
"""

from collections.abc import Iterator, Sequence

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.gate import Gate
from ..records import (
    BenchmarkRecord,
    Check,
    Outcome,
    VariantVerdict,
    Verdict,
    VerifyRecord,
)
from . import constant, faults, packages, shipping, task_budgets
from .budgets import BUDGETS, Budget, hold
from .choice import Subject, choose, subjects_of

EXIT_CODES: dict[Outcome, int] = {"ready": 0, "not ready": 1, "undecided": 5}


def judge(gate: Gate, quality: VerifyRecord, measured: BenchmarkRecord) -> Verdict:
    """Judge every variant and name the one to ship."""
    subjects = subjects_of(quality, measured)
    judged = [_variant(subject, gate, quality, measured) for subject in subjects]
    taken = [shipping.shipped(verdict, gate.runtimes) for verdict in judged]
    outcomes = [outcome for outcome, _ in taken]
    reasons = [why for _, why in taken]
    verdicts = tuple(
        verdict.model_copy(update={"cannot_ship": why})
        for verdict, why in zip(judged, reasons, strict=True)
    )
    ready = [one for one, outcome in zip(subjects, outcomes, strict=True) if outcome == "ready"]
    outcome: Outcome
    if ready:
        best, why = choose(gate.prefer, quality.metric, ready)
        outcome, ship, nearest = "ready", best.name, best.name
    else:
        pairs = zip(verdicts, outcomes, strict=True)
        close = _nearest([verdict for verdict, outcome in pairs if outcome] or verdicts)
        outcome = "undecided" if "undecided" in outcomes else "not ready"
        ship, nearest, why = None, close.name, _why_not(close)
    if others := shipping.left_out(verdicts, nearest):
        why += f"; {others}"
    return Verdict(
        outcome=outcome,
        ship=ship,
        nearest=nearest,
        why=why,
        prefer=gate.prefer,
        variants=verdicts,
    )


def check(key: str, value: float, figure: Estimate, budget: Budget | None = None) -> Check:
    """One budget against one figure.

    Args:
        key: of the budget.
        value: of the budget, in its unit.
        figure: in the same unit.
        budget: what it limits; None: the one of ``BUDGETS``.
    """
    budget = budget or BUDGETS[key]
    outcome, why = hold(budget.direction, value, figure)
    if budget.with_method and figure.method:
        why = f"{why}; {figure.method}"
    return Check(key=key, budget=value, figure=figure, outcome=outcome, why=why)


def check_elsewhere(key: str, value: float, name: str, measured: BenchmarkRecord) -> Check:
    """A budget of a device on which nothing was measured: undecided, whatever another one took."""
    if measured.on_target is None:
        nothing = "this run does not record whether it was measured on the device to ship to"
        fix = "build it again"
    else:
        nothing = f"nothing was measured on {measured.target}, only on {measured.measured_on}"
        fix = "measure it there"
    figure_of = BUDGETS[key].predicted
    predicted = next((file for file in measured.predicted if file.name == name), None)
    if figure_of is not None and predicted is not None:
        figure = figure_of(predicted)
        why = f"PREDICTED, and {nothing}: a prediction decides nothing; {fix}"
    else:
        figure, why = Estimate.unknown(nothing), f"{nothing}; {fix}"
    return Check(key=key, budget=value, figure=figure, outcome="undecided", why=why)


def _variant(
    subject: Subject, gate: Gate, quality: VerifyRecord, measured: BenchmarkRecord
) -> VariantVerdict:
    variants = {variant.name: variant for variant in quality.variants}
    checks = (*_checks(subject, gate, quality, measured), *constant.checks(subject, quality))
    found = (*faults.of(subject.quality, variants), *packages.faults(subject.quality))
    unknown = faults.unknown(subject.quality)
    outcomes = {check.outcome for check in checks}
    outcome: Outcome = "ready"
    if unknown or "undecided" in outcomes:
        outcome = "undecided"
    if found or "not ready" in outcomes:
        outcome = "not ready"
    return VariantVerdict(
        name=subject.name,
        outcome=outcome,
        checks=checks,
        faults=found,
        unknown=unknown,
        packages=packages.verdicts(subject.quality, gate.budgets(), outcome),
    )


def _checks(
    subject: Subject, gate: Gate, quality: VerifyRecord, measured: BenchmarkRecord
) -> Iterator[Check]:
    """One variant against each budget that is set."""
    for key, value in gate.budgets().items():
        budget = task_budgets.of_record(key, quality)
        if budget.of_machine and not measured.on_target:
            yield check_elsewhere(key, value, subject.name, measured)
        else:
            figure = budget.figure(subject.quality, subject.figures)
            yield check(key, value, figure, budget)


def _nearest(verdicts: Sequence[VariantVerdict]) -> VariantVerdict:
    """The variant with the fewest budgets missed, then undecided; a fault counts as a miss."""

    def distance(verdict: VariantVerdict) -> tuple[int, int]:
        outcomes = [check.outcome for check in verdict.checks]
        missed = outcomes.count("not ready") + len(verdict.faults)
        return missed, outcomes.count("undecided") + len(verdict.unknown)

    return min(verdicts, key=distance)


def _why_not(nearest: VariantVerdict) -> str:
    budgets = [check for check in nearest.checks if not constant.is_one(check)]
    missed = [check.key for check in budgets if check.outcome == "not ready"]
    missed += nearest.faults
    undecided = [check.key for check in budgets if check.outcome == "undecided"]
    undecided += nearest.unknown
    parts = [f"fails {', '.join(missed)}"] if missed else []
    parts += [f"cannot be decided on {', '.join(undecided)}"] if undecided else []
    none = "no variant is inside every budget" if parts else "no variant may ship"
    parts += [f"is {check.why}" for check in nearest.checks if constant.fails(check)]
    parts += [f"cannot ship: {nearest.cannot_ship}"] if nearest.cannot_ship else []
    return f"{none}; the nearest, {nearest.name}, {' and '.join(parts)}"
