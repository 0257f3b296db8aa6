"""The cheapest thing to try where nothing ships, with its command.

    step = of(report)
    step.text       # 'Cheapest to try, for int8-static: mixed precision; the few layers that …'
    step.command    # "edgestill build recipe.toml --set 'compress.variants=[…]'"

Where a budget is undecided, it is what decides it; where one is missed, the first rung of
``judge.rungs`` that can mend all that some variant lacks and that the recipe has not taken. Where
the student answers too badly and is too large as well no single rung is known to mend it, and the
budgets that it would meet are named.
"""

from collections.abc import Collection
from dataclasses import replace

from ..judge import shortfall
from ..judge.rungs import RUNGS, State
from ..judge.shortfall import VariantShortfall
from ..records import Check, NextStep, Report, VariantVerdict
from . import commands, open_budgets
from .open_budgets import Step, listed
from .tried import recipe_of, state_of

_BOTH_ENDS = "every variant answers too badly and is too large or slow as well"


def of(report: Report) -> NextStep | None:
    """What to try first; None where something ships."""
    verdict = report.verdict
    judged = next((one for one in verdict.variants if one.name == verdict.nearest), None)
    if verdict.ship is not None or judged is None:
        return None
    if verdict.outcome == "undecided" and (steps := open_budgets.steps(report, judged)):
        first = steps[0]
        return NextStep(
            text=sentence("Cheapest next step", first),
            command=first.command,
            overrides=first.overrides,
        )
    if any(one.outcome == "ready" and one.cannot_ship for one in verdict.variants):
        return _let_it_ship(report)
    return _rung(report, judged) or _without_a_rung(report, judged)


def sentence(lead: str, step: Step) -> str:
    """A step as a sentence."""
    names = f", for {listed(step.budgets)}" if step.budgets else ""
    return f"{lead}{names}: {step.what}."


def _let_it_ship(report: Report) -> NextStep:
    """What is READY needs the app to take its format, and nothing else."""
    barred = next(
        one for one in report.verdict.variants if one.outcome == "ready" and one.cannot_ship
    )
    formats = [one.format for one in barred.packages if one.outcome == "ready"]
    recipe = recipe_of(report)
    taken = [*((recipe.gate.runtimes or ()) if recipe else ()), *formats]
    listed_as = ", ".join(f'"{name}"' for name in dict.fromkeys(taken))
    return NextStep(
        text=f"Cheapest to try: let the app take {listed(formats)}, in which {barred.name} is "
        "READY.",
        command=commands.gate(f"gate.runtimes=[{listed_as}]"),
    )


def _rung(report: Report, judged: VariantVerdict) -> NextStep | None:
    """The cheapest rung that can mend all that some variant lacks."""
    state = state_of(report, judged)
    if state is None:
        return None
    lacking = [one for one in shortfall.of(report.verdict) if not one.at_both_ends]
    # A search has tried these on validation; those that helped are in the recipe.
    tried = {rung.name for rung in report.search.rungs} if report.search else set()
    found = [step for one in lacking if (step := _mending(one, state, tried)) is not None]
    order = list(RUNGS)
    return min(found, key=lambda step: order.index(step.rung or ""), default=None)


def _mending(lacking: VariantShortfall, state: State, tried: Collection[str]) -> NextStep | None:
    state = replace(state, over=lacking.over)
    for name, rung in RUNGS.items():
        mends = name not in tried and lacking.needs <= rung.mends
        overrides = rung.overrides(state) if mends else ()
        if overrides:
            return NextStep(
                text=f"Cheapest to try, for {lacking.variant}: {rung.title}; {rung.why}.",
                command=commands.build(*overrides),
                rung=name,
                overrides=overrides,
            )
    return None


def _without_a_rung(report: Report, judged: VariantVerdict) -> NextStep:
    """The budgets that the nearest variant would meet, where it has no fault."""
    if judged.faults:
        return NextStep(
            text="No setting of the recipe is known to mend a fault; the recorded outputs of each "
            "file show whether it is there still.",
            command="edgestill verify RUN",
        )
    missed = [check for check in judged.checks if check.outcome == "not ready"]
    budgets = [budget for check in missed if (budget := commands.met_by(check, report.quality))]
    lacking = shortfall.of(report.verdict)
    if recipe_of(report) is None:
        why = "this version does not read the recipe of this run"
    elif lacking and all(one.at_both_ends for one in lacking):
        why = _BOTH_ENDS
    else:
        why = "each that could has been taken or does not suit"
    text = f"No single step is known to meet all budgets: {why}."
    if why == _BOTH_ENDS and report.search is None:
        text += " `edgestill search` shows what students there are between these budgets."
    if not _all_met(missed, budgets):
        return NextStep(text=text)
    return NextStep(
        text=f"{text} {judged.name} meets those of the command below.",
        command=commands.gate(*budgets),
    )


def _all_met(missed: list[Check], budgets: list[str]) -> bool:
    return bool(missed) and len(missed) == len(budgets)
