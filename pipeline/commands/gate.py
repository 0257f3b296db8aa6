"""``edgestill gate``: a run judged again, by other budgets and against another run."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError
from .output import stderr, stdout
from .shared import Invocation, command, overrides_option, print_json, verbose_option
from .verdict import show_verdict

if TYPE_CHECKING:
    from ..api.gate import Gated
    from ..api.run import Run
    from ..judge.against import Against
    from ..judge.regression import Limits

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable in which GitHub names the file for a step's summary."""
_AGAINST = (
    "baseline",
    "max_size_growth",
    "max_score_drop",
    "max_instructions_growth",
    "max_latency_growth",
    "measure",
)


class Amount(click.ParamType[float]):
    """A number of at least 0, with its unit behind it or without.

    Args:
        unit: that may stand behind it.
        name: in the help.
    """

    def __init__(self, unit: str, name: str) -> None:
        self.unit, self.name = unit, name

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share: 0.02 of ``2`` or ``2%``."""
        text = str(value).strip().removesuffix(self.unit).strip()
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0.0 <= number < float("inf"):
            self.fail(f"{value!r} is no {self.name.lower()} of at least 0", param, ctx)
        return number / 100.0


_percent, _points = Amount("%", "PERCENT"), Amount("points", "POINTS")


@command(
    examples=(
        "edgestill gate RUN --set gate.max_p90_ms=2",
        "edgestill gate RUN --recipe stricter.toml",
        "edgestill gate digits --baseline kept/report.json --max-score-drop 0.5",
        "edgestill gate digits --baseline main/ --measure --junit junit.xml",
    ),
    groups={
        "Budgets": ("overrides", "recipe"),
        "Against another run": _AGAINST,
        "Output": ("junit", "summary", "verbose"),
    },
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--recipe", type=click.Path(path_type=Path), help="Take the budgets from this recipe."
)
@overrides_option
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="OTHER",
    help="Also compare what ships with this run: its folder, a report.json that was kept, or a "
    "name: its last build, or where that is RUN, the newest run of another build. Exit with 1 if "
    "anything is worse than allowed, with 5 if that cannot be told.",
)
@click.option(
    "--max-size-growth",
    type=_percent,
    default="2%",
    show_default=True,
    help="How much larger the file may be.",
)
@click.option(
    "--max-score-drop",
    type=_points,
    default="1",
    show_default=True,
    help="Score that may be lost, in points (0.01), compared sample by sample.",
)
@click.option(
    "--max-instructions-growth",
    type=_percent,
    default="1%",
    show_default=True,
    help="How many more instructions a query may take, where both runs counted them alike.",
)
@click.option(
    "--max-latency-growth",
    type=_percent,
    default="5%",
    show_default=True,
    help="How much longer a query may take, where both files are measured in turn.",
)
@click.option(
    "--measure",
    is_flag=True,
    help="Measure both files in turn on this machine, for up to two minutes; without it latency is "
    "not judged, since two builds are two times and maybe two machines.",
)
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a JUnit file with the budgets and the baseline's figures.",
)
@click.option(
    "--summary",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Append a page in Markdown to this file; default: that of ${SUMMARY}, where it is set.",
)
@verbose_option
@click.pass_obj
def gate(
    invocation: Invocation,
    /,
    run: Path,
    recipe: Path | None,
    overrides: tuple[str, ...],
    baseline: Path | None,
    verbose: bool,
    measure: bool,
    **options: Any,
) -> None:
    """Judge RUN by other budgets, or against another run.

    RUN is a run's folder, or a name, whose last build it is. The saved records are judged; nothing
    is measured.
    """
    from ..api.run import judged_again
    from ..judge.regression import Limits
    from ..runs.locate import located

    if baseline is None:
        _needs_a_baseline()
    judged = judged_again(located(run).folder, overrides, recipe)
    found, gated = None, None
    if baseline is not None:
        given = {key: value for key, value in options.items() if key.startswith("max_")}
        allowed = Limits(**{key.removeprefix("max_"): value for key, value in given.items()})
        gated = _against(judged, baseline, allowed, measure=measure)
        found = gated.against
    result: Run | Gated = gated or judged
    invocation.code = result.exit_code
    _write(judged, found, options["junit"], options["summary"])
    if invocation.json:
        print_json(invocation, result.to_dict())
        return
    show_verdict(judged, verbose=verbose)
    if found is not None:
        from ..report.terminal_regression import shown

        stdout().print(shown(found, judged.report, verbose=verbose))


def _needs_a_baseline() -> None:
    """Refuse options that say something of a baseline where there is none."""
    context = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    for name in _AGAINST:
        if context.get_parameter_source(name) == given:
            raise UsageError(
                f"--{name.replace('_', '-')}",
                expected="--baseline OTHER with it",
                fix="name the run to compare with",
            )


def _against(judged: "Run", baseline: Path, limits: "Limits", *, measure: bool) -> "Gated":
    from ..api.gate import baseline_of, judged_against
    from ..progress import OnConsole

    progress = OnConsole(stderr()) if measure else None
    return judged_against(judged, baseline_of(judged, baseline), limits, progress)


def _write(
    judged: "Run", found: "Against | None", junit: Path | None, summary: Path | None
) -> None:
    """What build servers read."""
    from ..engine.store import disk_errors, write_atomic
    from ..report.junit import document
    from ..report.step_summary import page

    place = judged.path.resolve()
    if junit is not None:
        with disk_errors(junit, opening=True):
            junit.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(junit, document(judged.report, found, run=place))
    named = os.environ.get(SUMMARY)
    target = summary or (Path(named) if named else None)
    if target is not None:
        # Steps before this one may have written there, so nothing is replaced.
        with disk_errors(target, opening=True), target.open("a", encoding="utf-8") as file:
            file.write(page(judged.report, found, run=place))
