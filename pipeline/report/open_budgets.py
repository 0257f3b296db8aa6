"""What would decide the budgets of a variant that are undecided, the cheapest first.

steps(report, judged)[0].what     # 'measure in more processes (benchmark.max_seconds), about 3 …'
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...devices.onboard.machine.disturbance import OTHERS
from ..judge.task_budgets import of_record
from ..records import Check, Report, VariantVerdict
from . import commands, gap, numbers, words
from .tried import recipe_of

_LONGEST_S, _HOUR_S, _USUAL_S, _LEAST_S = 86_400.0, 3600.0, 300.0, 60.0
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
            return _longer(report, check, None)
        return Step(3, check.why, command=_for_lack(report, check))
    times = gap.more_samples(check, quality)
    if times is None:
        return _on_it(check, report, budget.repeats)
    if budget.repeats:
        return _longer(report, check, times)
    return _more_samples(report, check, times)


def _on_it(check: Check, report: Report, repeats: bool) -> Step:
    """Where the figure lies on its budget, no number of samples is foreseen to be enough."""
    said, command = _or_another_budget(report, check)
    far = f"the figure lies on its budget, so no number of them is foreseen to be enough{said}"
    if repeats:
        what = f"measure in more processes (benchmark.max_seconds); {far}"
        return Step(0, what, (), command)
    return Step(1, f"more test samples; {far}", (), command)


def _or_another_budget(report: Report, check: Check) -> tuple[str, str | None]:
    """The budget that the figure is shown to meet, as the end of a sentence, with its command."""
    budget = commands.met_by(check, report.quality)
    if budget is None:
        return "", None
    met = check.model_copy(update={"budget": float(budget.partition("=")[2])})
    way = "raise" if gap.at_most(check, report.quality) else "lower"
    shown = numbers.budget(met, report.quality)
    said = f"; or {way} the budget to what is shown, {shown}, which is what the command below does"
    return said, commands.gate(budget)


def _longer(report: Report, check: Check, times: float | None) -> Step:
    recipe = recipe_of(report)
    now = recipe.benchmark.max_seconds if recipe else _USUAL_S
    # What is decided sooner ends sooner, so nothing is lost by a generous limit.
    wanted = _rounded(max(_LEAST_S, now * max(2.0, times or 0.0)))
    many = f", about {_many(times)} times as many if the figure stays" if times else ""
    if times and wanted > _HOUR_S:
        return _quieter(report, check, f"measuring here in more processes{many},", wanted)
    what = f"measure in more processes (benchmark.max_seconds){many}"
    if not times:
        what = f"{check.why}; measure longer"
    if wanted > _HOUR_S:
        what += f", up to {_hours(wanted)}"
    return _build(0, what, f"benchmark.max_seconds={min(wanted, int(_LONGEST_S))}")


def _quieter(report: Report, check: Check, longer: str, wanted: int) -> Step:
    """Where measuring alone would take hours: what narrows the interval in less time."""
    warnings = report.measured.benchmark.warnings
    others = next((f" ({one})" for one in warnings if one.startswith(OTHERS)), "")
    said, command = _or_another_budget(report, check)
    what = (
        f"measure on a quieter machine{others}, which narrows the interval; {longer} takes "
        f"{_hours(wanted)}"
    )
    if wanted <= _LONGEST_S:
        what += f" (benchmark.max_seconds={wanted})"
    return Step(0, f"{what}{said}", (), command)


def _hours(seconds: int) -> str:
    if seconds > _LONGEST_S:
        return "more than a day"
    return f"about {seconds / _HOUR_S:.2g} hours"


def _many(times: float) -> str:
    """Two digits, written out."""
    return f"{times:.2g}" if times < 10.0 else f"{_rounded(times):,}"


def _more_samples(report: Report, check: Check, times: float) -> Step:
    quality = report.quality
    most = _rounded(quality.test_samples * times)
    what = f"more test samples, about {most:,} instead of {quality.test_samples:,} if the figure "
    what += "stays"
    share = most / (sum(report.data.rows.values()) or 1)
    asked = report.data.asked.get("test")
    if asked is not None and asked < share <= _MOST_OF_ALL and not report.data.groups:
        return _build(1, f"{what}; train then has fewer", f"data.test={share:.2g}")
    said, command = _or_another_budget(report, check)
    return Step(1, f"{what}{said}", (), command)


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
