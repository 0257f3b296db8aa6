"""What would decide the budgets of a variant that are undecided, the cheapest first.

steps(report, judged)[0].what     # 'measure in more processes (benchmark.max_seconds), about 3 …'
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..judge.task_budgets import of_record
from ..records import Check, Report, VariantVerdict
from . import commands, gap, words
from .tried import recipe_of

_LONGEST_S, _USUAL_S, _LEAST_S = 86_400.0, 300.0, 60.0
_OWN = "board.toml"
_MOST_OF_ALL = 0.6
"""Share of all samples that test may be told to take."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes:
        rank: computing time, then samples, then what was not recorded, then a device.
        what: to do, for a sentence.
        overrides: of the recipe, as ``--set`` takes them.
        command: that does it; None where no command does.
        budgets: the names of those that it may decide.
    """

    rank: int
    what: str
    overrides: tuple[str, ...] = ()
    command: str | None = None
    budgets: tuple[str, ...] = ()


def steps(report: Report, judged: VariantVerdict) -> list[Step]:
    """What would decide them; what one step decides is one step."""
    found: dict[tuple[int, str], Step] = {}
    for check in judged.checks:
        if check.outcome == "undecided":
            name = words.budget_name(check, report.quality)
            step = _of(report, check)
            known = found.setdefault((step.rank, step.what), step)
            found[step.rank, step.what] = replace(known, budgets=(*known.budgets, name))
    for what in judged.unknown:
        found.setdefault((2, what), Step(2, what, command=commands.build()))
    return sorted(found.values(), key=lambda step: step.rank)


def listed(names: Sequence[str]) -> str:
    """Names for a sentence."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _of(report: Report, check: Check) -> Step:
    quality, figure, measured = report.quality, check.figure, report.measured
    budget = of_record(check.key, quality)
    if budget.of_machine and measured.on_target is False:
        profile = _profile(report)
        said = f"measure on {measured.target} (benchmark.device); so far only "
        said += f"{measured.measured_on} was measured"
        said += f"; {_OWN} is its profile with a [reach] table" if profile == _OWN else ""
        return _build(3, said, f"benchmark.device={profile}")
    straddles = figure.low is not None and figure.high is not None and figure.kind == "measured"
    if not straddles:
        if budget.repeats and figure.kind == "measured":
            return _longer(report, f"{check.why}; measure longer", None)
        return Step(3, check.why, command=_for_lack(report, check))
    times = gap.more_samples(check, quality)
    if times is None:
        return _on_it(check, report, budget.repeats)
    if budget.repeats:
        many = f"about {times:.2g} times as many if the figure stays"
        return _longer(report, f"measure in more processes (benchmark.max_seconds), {many}", times)
    return _more_samples(report, check, times)


def _on_it(check: Check, report: Report, repeats: bool) -> Step:
    """Where the figure lies on its budget, no number of samples is foreseen to be enough."""
    far = "the figure lies on its budget, so another budget may be the way out"
    budget = commands.met_by(check, report.quality)
    command = commands.gate(budget) if budget else None
    if repeats:
        what = f"measure in more processes (benchmark.max_seconds); {far}"
        return Step(0, what, (), command)
    return Step(1, f"more test samples; {far}", (), command)


def _longer(report: Report, what: str, times: float | None) -> Step:
    recipe = recipe_of(report)
    now = recipe.benchmark.max_seconds if recipe else _USUAL_S
    # What is decided sooner ends sooner, so nothing is lost by a generous limit.
    wanted = _rounded(max(_LEAST_S, now * max(2.0, times or 0.0)))
    return _build(0, what, f"benchmark.max_seconds={min(wanted, int(_LONGEST_S))}")


def _more_samples(report: Report, check: Check, times: float) -> Step:
    quality = report.quality
    most = _rounded(quality.test_samples * times)
    what = f"more test samples, about {most:,} instead of {quality.test_samples:,} if the figure "
    what += "stays"
    share = most / (sum(report.data.rows.values()) or 1)
    asked = report.data.asked.get("test")
    if asked is not None and asked < share <= _MOST_OF_ALL and not report.data.groups:
        return _build(1, f"{what}; train then has fewer", f"data.test={share:.2g}")
    budget = commands.met_by(check, quality)
    if budget is None:
        return Step(1, what)
    what += "; those there are would meet the budget of the command below"
    return Step(1, what, (), commands.gate(budget))


def _for_lack(report: Report, check: Check) -> str:
    """What to run where a figure was not measured at all."""
    recipe = recipe_of(report)
    if check.key == "max_arena_kib" and recipe and "tflite-micro" not in recipe.export.formats:
        formats = ", ".join(f'"{name}"' for name in (*recipe.export.formats, "tflite-micro"))
        return commands.build(f"export.formats=[{formats}]")
    of_tools = check.key in ("max_energy_uj", "max_instructions")
    return "edgestill doctor" if of_tools else commands.build()


def _profile(report: Report) -> str:
    """The target's own file; a profile that ships has no connection, so it has to be one's own."""
    recipe = recipe_of(report)
    target = recipe.target if recipe else ""
    return target if target.endswith(".toml") else _OWN


def _build(rank: int, what: str, *overrides: str) -> Step:
    return Step(rank, what, overrides, commands.build(*overrides))


def _rounded(count: float) -> int:
    """Two digits: no more of it is known."""
    digits = len(str(int(count))) - 2
    return int(round(count, -digits)) if digits > 0 else int(count)
