"""``edgestill bench``: one command, and what it measures by its options.

Latency, memory and energy of one query after the other, unless another load (``--scenario``), the
operators (``--operators``), another device from here (``--predict``) or a count
(``--instructions``) is asked for. An option that the measurement would ignore is refused.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ...errors import UsageError
from .bench_scenario_options import SINGLE_STREAM, asked_of, options_of_scenarios, scenario_options
from .shared import (
    Manner,
    ask,
    batch_option,
    command,
    csv_option,
    html_option,
    max_seconds_option,
    seconds_option,
    shapes_option,
    stderr,
    stdout,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .bench_tables import Line

_COMMON = {"models", "shapes", "batch", "csv_file", "html_file"}
_TIMED = _COMMON | {"device", "threads", "spinning", "processes", "seconds", "out", "scenario"}
_LOOKED = _COMMON | {"operators", "predict", "device", "host_profile", "threads"}
_USES: Mapping[str, set[str]] = {
    "": _TIMED | {"meter", "loadgen", "precision", "max_seconds"},
    "--scenario": _TIMED | set(options_of_scenarios()),
    "--operators": _LOOKED,
    "--predict": _LOOKED,
    "--instructions": _COMMON | {"instructions", "device", "baseline", "update_baseline"},
}
"""Options by what is asked for."""


class Shown(NamedTuple):
    """What was found, in each way it can be given out.

    Attributes:
        document: for ``--json``.
        told: for the terminal, and as a page.
        lines: for a CSV.
        folder: of the raw samples, where there are some.
        page: where there is a better one than what is told.
    """

    document: Mapping[str, Any]
    told: "RenderableType"
    lines: "list[Line]"
    folder: Path | None = None
    page: str | None = None


@command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@shapes_option
@batch_option
@click.option(
    "--device",
    default="host",
    show_default=True,
    metavar="NAME|FILE.toml",
    help="Device to measure on; its [reach] table says how to get there.",
)
@click.option(
    "--threads", type=click.IntRange(1), help="Intra-op threads; default: the device's, else 1."
)
@click.option(
    "--spinning/--no-spinning",
    default=None,
    help="Let idle threads spin; default: as the device says, else not.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=9,
    show_default=True,
    help="Fresh processes a model; fewer than 6 give no interval.",
)
@seconds_option
@click.option(
    "--precision",
    metavar="PERCENT",
    type=click.FloatRange(0.0, 100.0, min_open=True),
    help="Go on with more processes until each p50 is known to ± so much, or --max-seconds are up.",
)
@max_seconds_option
@click.option(
    "--meter",
    metavar="FILE.csv",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A power meter's log, written meanwhile: columns time (unix seconds or ISO 8601), watts.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where raw samples go; default: a new folder below artifacts/bench.",
)
@scenario_options
@csv_option
@html_option
@click.option("--operators", is_flag=True, help="Say where the time goes, operator by operator.")
@click.option("--predict", is_flag=True, help="Predict the latency on --device from this machine.")
@click.option(
    "--host-profile",
    metavar="FILE.toml",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With either: this machine's figures, as devices probe writes them; default: measured.",
)
@click.option("--instructions", is_flag=True, help="Count instructions instead of measuring time.")
@click.option(
    "--baseline",
    metavar="FILE.json",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --instructions: fail where a count is more than 1 % above the one in this file.",
)
@click.option(
    "--update-baseline", is_flag=True, help="With --baseline: write the counts there instead."
)
@click.pass_obj
def bench(
    manner: Manner,
    /,
    models: tuple[Path, ...],
    shapes: tuple[str, ...],
    csv_file: Path | None,
    html_file: Path | None,
    **given: Any,
) -> None:
    """Measure latency, memory and energy of any ONNX model; several take turns."""
    from .bench_tables import can_write, write

    kind = _kind(given)
    _refuse_others(kind)
    if given["precision"] is None and _was_given("max_seconds"):
        raise UsageError("--max-seconds without --precision", fix="say how precise it is to be")
    can_write(csv_file, html_file)
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not manner.json
    found = _KINDS[kind](manner, models, shapes, ask if asks else None, given)
    write(found.lines, found.page or found.told, models, csv_file=csv_file, html_file=html_file)
    if manner.json:
        click.echo(json.dumps(found.document, allow_nan=False))
        return
    stdout().print(found.told)
    if found.folder is not None:
        click.echo(f"raw samples: {found.folder}")


def _kind(given: Mapping[str, Any]) -> str:
    """What is asked for, by its option; nothing but latency, memory and energy: empty."""
    asked = [
        name
        for name, wanted in {
            "--instructions": given["instructions"],
            "--predict": given["predict"],
            "--operators": given["operators"] and not given["predict"],
            "--scenario": given["scenario"] != SINGLE_STREAM or given["loadgen"],
        }.items()
        if wanted
    ]
    if len(asked) > 1:
        raise UsageError(" and ".join(asked), expected="one of them", fix="run it once for each")
    return asked[0] if asked else ""


def _refuse_others(kind: str) -> None:
    """Refuse an option that was given and would be ignored.

    Raises:
        UsageError: there is one.
    """
    context = click.get_current_context()
    for one in context.command.params:
        name = one.name or ""
        # Options of other scenarios are refused where scenarios are known.
        if (
            _was_given(name)
            and name not in _USES[kind]
            and kind != "--scenario"
            and one.expose_value
        ):
            users = [key or "plain latency" for key, uses in _USES.items() if name in uses]
            raise UsageError(
                f"{one.opts[0]}{f' with {kind}' if kind else ''}",
                expected=f"it with {' or '.join(users)}",
                fix="leave it out",
            )


def _was_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _time(manner: Manner, models: Any, shapes: Any, answers: Any, given: dict[str, Any]) -> Shown:
    from ..progress import OnConsole
    from . import bench_latency as foreign
    from .bench_tables import as_html, lines

    del manner
    told = {key: given[key] for key in _USES[""] & given.keys() - {"scenario", "loadgen"}}
    told["precision"] = given["precision"] and given["precision"] / 100.0
    measured, folder = foreign.measure(
        models, shapes, progress=OnConsole(stderr()), ask=answers, **told
    )
    return Shown(
        foreign.document(measured, folder),
        foreign.summary(measured, folder),
        lines(measured, folder),
        folder,
        as_html(measured, folder),
    )


def _load(manner: Manner, models: Any, shapes: Any, answers: Any, given: dict[str, Any]) -> Shown:
    from ..progress import OnConsole
    from . import bench_scenarios as scenarios

    del manner
    for name in ("meter", "precision"):
        if given[name] is not None:
            raise UsageError(f"--{name} with --scenario", fix="leave one out")
    asked = asked_of(given, click.get_current_context())
    keys = _TIMED & given.keys()
    told = {key: given[key] for key in keys}
    found, folder = scenarios.measure(
        models, shapes, progress=OnConsole(stderr()), asked=asked, ask=answers, **told
    )
    return Shown(
        scenarios.document(found, folder), scenarios.summary(found), scenarios.lines(found), folder
    )


def _look(manner: Manner, models: Any, shapes: Any, answers: Any, given: dict[str, Any]) -> Shown:
    from ..progress import OnConsole
    from . import bench_operators

    del manner
    found = bench_operators.look(
        models,
        shapes,
        OnConsole(stderr()),
        ask=answers,
        device=None if given["device"] == "host" else given["device"],
        host_profile=given["host_profile"],
        predicting=given["predict"],
        batch=given["batch"],
        threads=given["threads"] or 1,
    )
    document, told = bench_operators.document(found), bench_operators.summary(found)
    return Shown(document, told, bench_operators.lines(found))


def _count(manner: Manner, models: Any, shapes: Any, answers: Any, given: dict[str, Any]) -> Shown:
    from ..progress import OnConsole
    from . import bench_instructions as instructions

    del answers
    if given["update_baseline"] and given["baseline"] is None:
        raise UsageError("--update-baseline without --baseline", fix="name the file to write")
    counted = instructions.count(
        models,
        shapes,
        OnConsole(stderr()),
        device=given["device"],
        batch=given["batch"],
        baseline=given["baseline"],
        update=given["update_baseline"],
    )
    manner.code = instructions.exit_code(counted)
    document, told = instructions.document(counted), instructions.summary(counted)
    return Shown(document, told, instructions.lines(counted))


_KINDS: Mapping[str, Callable[..., Shown]] = {
    "": _time,
    "--scenario": _load,
    "--operators": _look,
    "--predict": _look,
    "--instructions": _count,
}
