"""``edgestill bench``: one command; its options choose what is measured.

Latency, memory and energy of one query after the other, unless another load (``--scenario``), the
operators (``--operators``), a prediction for another device (``--predict``) or a count
(``--instructions``, ``--arena``) is requested. An option that the measurement would ignore is
refused.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from ...devices.scenarios.table import OPTIONS
from ...errors import UsageError
from ..finished.scenario import SINGLE_STREAM, Chosen, choose
from . import names
from .bench_scenario_options import scenario_options
from .output import prompt, say, stderr, stdout
from .query_options import QUERY, feed_of, query_options
from .shared import (
    Invocation,
    command,
    csv_option,
    html_option,
    max_seconds_option,
    print_json,
    seconds_option,
    verbose_option,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ...devices.scenarios.figures import Benchmark
    from ..finished.inspected import Inspected
    from .bench_files import Line

_COMMON = {"models", "verbose", *QUERY, "csv_file", "html_file"}
_SCENARIOS = {"scenario", *OPTIONS}
_MEASURED = {"device", "threads", "spinning", "processes", "seconds", "out", "meter", "precision"}
_PROFILED = _COMMON | {"operators", "predict", "device", "host_profile", "threads"}
_SCENARIO = "--scenario"
_ARENA = "--arena"
USES: Mapping[str, set[str]] = {
    _SCENARIO: _COMMON | _SCENARIOS | _MEASURED | {"max_seconds"},
    "--operators": _PROFILED | _SCENARIOS,
    "--predict": _PROFILED,
    "--instructions": _COMMON | {"instructions", "device", "baseline", "update_baseline"},
    _ARENA: {"models", "verbose", "arena", "csv_file", "html_file"},
}
"""Options by what is measured; ``_SCENARIO`` where nothing else is requested."""


class Shown(NamedTuple):
    """What was measured, in each form of output.

    Attributes:
        document: for ``--json``.
        summary: for the terminal.
        lines: for a CSV.
        page: for ``--html``: a page, or what a terminal shows.
        folder: of the raw samples, where there are some.
        screen: for the terminal, what there is on one screen; None: the summary.
    """

    document: Mapping[str, Any]
    summary: "RenderableType"
    lines: "list[Line]"
    page: "str | RenderableType"
    folder: Path | None = None
    screen: "RenderableType | None" = None


@command(
    examples=(
        "edgestill bench model.onnx",
        "edgestill bench fp32.onnx int8.onnx --precision 2",
        "edgestill bench model.onnx --batch 8 --threads 2 --csv figures.csv",
        "edgestill bench model.onnx --scenario server --rate 50",
        "edgestill bench model.onnx --device board.toml",
        "edgestill bench model.onnx --operators",
    ),
    groups={
        "What is asked of a model": QUERY,
        "Where and for how long": (
            "device",
            "threads",
            "spinning",
            "processes",
            "seconds",
            "precision",
            "max_seconds",
            "meter",
        ),
        "Another load than one query after the other": ("scenario", *OPTIONS),
        "Another figure than latency": (
            "operators",
            "predict",
            "host_profile",
            "instructions",
            "arena",
            "baseline",
            "update_baseline",
        ),
        "Where results go": ("verbose", "out", "csv_file", "html_file", "json"),
    },
)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@query_options
@click.option(
    "--device",
    default="host",
    show_default=True,
    metavar="NAME|FILE.toml",
    shell_complete=names.devices,
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
    _ARENA,
    is_flag=True,
    help="Count the memory that .tflite files need on a microcontroller instead.",
)
@click.option(
    "--baseline",
    metavar="FILE.json",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --instructions: fail where a count is more than 1 % above the one in this file.",
)
@click.option(
    "--update-baseline", is_flag=True, help="With --baseline: write the counts there instead."
)
@verbose_option
@click.pass_obj
def bench(
    invocation: Invocation,
    /,
    models: tuple[Path, ...],
    csv_file: Path | None,
    html_file: Path | None,
    verbose: bool,
    **given: Any,
) -> None:
    """Measure the latency, memory and energy of models.

    MODELS are .onnx, .ort, .tflite, .pte, OpenVINO .xml and ncnn .param files of any origin. Each
    is measured in fresh processes; several take turns, so that what disturbs the machine meets all
    of them.
    """
    from .bench_files import can_write, write

    kind = _kind(given)
    chosen = _checked(kind, given)
    can_write(csv_file, html_file)
    if kind == _ARENA:
        shown = _arena(models)
    else:
        shown = _KINDS[kind](invocation, _inspected(invocation, models, given), chosen, given)
    write(shown.lines, shown.page, models, csv_file=csv_file, html_file=html_file)
    if invocation.json:
        print_json(invocation, shown.document)
        return
    stdout().print(shown.summary if verbose or shown.screen is None else shown.screen)
    if shown.folder is not None:
        say(f"raw samples: {shown.folder}")


def _kind(given: Mapping[str, Any]) -> str:
    """What is to be measured, by its option."""
    wanted = {
        "--instructions": given["instructions"],
        _ARENA: given["arena"],
        "--predict": given["predict"],
        "--operators": given["operators"] and not given["predict"],
    }
    kinds = [name for name, is_wanted in wanted.items() if is_wanted]
    if len(kinds) > 1:
        raise UsageError(" and ".join(kinds), expected="one of them", fix="run it once for each")
    return kinds[0] if kinds else _SCENARIO


def _checked(kind: str, given: Mapping[str, Any]) -> Chosen:
    """The scenario, once no given option would be ignored.

    Raises:
        UsageError: one would be.
    """
    context = click.get_current_context()
    for option in context.command.params:
        name = option.name or ""
        if _was_given(name) and option.expose_value and name not in USES[kind]:
            users = [key for key, uses in USES.items() if name in uses]
            raise UsageError(
                f"{option.opts[0]} with {kind}" if kind != _SCENARIO else option.opts[0],
                expected=f"it with {' or '.join(_user(key) for key in users)}",
                fix="leave it out",
            )
    if given["precision"] is None and _was_given("max_seconds"):
        raise UsageError("--max-seconds without --precision", fix="say how precise it is to be")
    if kind not in (_SCENARIO, "--operators"):
        return Chosen(SINGLE_STREAM, {})
    return choose(given["scenario"], given, {name for name in given if _was_given(name)})


def _user(kind: str) -> str:
    return "any scenario" if kind == _SCENARIO else kind


def _was_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE


def _inspected(
    invocation: Invocation,
    models: tuple[Path, ...],
    given: Mapping[str, Any],
) -> "Inspected":
    """The models, each inspected once; on a terminal the user is asked for a missing extent."""
    from ..finished.inspected import inspected, subjects_of

    asks = sys.stdin.isatty() and sys.stderr.isatty() and not invocation.json
    may_ask = asks and not given["instructions"]
    feed = feed_of(*(given[name] for name in QUERY))
    return inspected(subjects_of(models), feed, prompt if may_ask else None)


def _measure(
    invocation: Invocation, models: "Inspected", chosen: Chosen, given: Mapping[str, Any]
) -> Shown:
    from ..finished.measure import BenchOptions, measure
    from ..progress import OnConsole

    del invocation
    shared = {field.name: given[field.name] for field in fields(BenchOptions)}
    shared["precision"] = given["precision"] and given["precision"] / 100.0
    shared["processes"] = given["processes"] if _was_given("processes") else None
    measured = measure(models, chosen, BenchOptions(**shared), OnConsole(stderr()))
    result, folder = measured.found, measured.folder
    view: Any
    if chosen.scenario == SINGLE_STREAM:
        from . import bench_latency as view
        from .bench_screen import screen

        on_screen = screen(cast("Benchmark", result), columns=stdout().width)
    else:
        from . import bench_scenarios as view

        on_screen = view.screen(result)
    return Shown(
        measured.to_dict(),
        view.summary(result, folder),
        view.lines(result, folder),
        view.page(result, folder),
        folder,
        on_screen,
    )


def _profile(
    invocation: Invocation, models: "Inspected", chosen: Chosen, given: Mapping[str, Any]
) -> Shown:
    from ..finished.profiled import Machines, look
    from ..progress import OnConsole
    from . import bench_operators

    del invocation
    device = None if given["device"] == "host" else given["device"]
    if device and given["host_profile"] is not None and not given["predict"]:
        raise UsageError(
            "--device with --host-profile",
            fix="leave one out: with --operators both name the figures of this machine",
        )
    machines = Machines(device, given["host_profile"], given["predict"])
    profiled = look(models, machines, OnConsole(stderr()), chosen, threads=given["threads"] or 1)
    summary = bench_operators.summary(profiled)
    return Shown(
        profiled.to_dict(),
        summary,
        bench_operators.lines(profiled),
        bench_operators.page(profiled),
        screen=bench_operators.screen(profiled),
    )


def _count(
    invocation: Invocation, models: "Inspected", chosen: Chosen, given: Mapping[str, Any]
) -> Shown:
    from ..finished.instructions import count
    from ..progress import OnConsole
    from . import bench_instructions as instructions

    del chosen
    if given["update_baseline"] and given["baseline"] is None:
        raise UsageError("--update-baseline without --baseline", fix="name the file to write")
    counted = count(
        models,
        OnConsole(stderr()),
        device=given["device"],
        baseline=given["baseline"],
        update=given["update_baseline"],
    )
    invocation.code = counted.exit_code
    summary = instructions.summary(counted)
    return Shown(counted.to_dict(), summary, instructions.lines(counted), summary)


def _arena(models: Sequence[Path]) -> Shown:
    from ..finished.arena import look
    from ..finished.inspected import subjects_of
    from ..progress import OnConsole
    from . import bench_arena

    found = look(subjects_of(models), OnConsole(stderr()))
    summary = bench_arena.summary(found)
    return Shown(found.to_dict(), summary, bench_arena.lines(found), summary)


_KINDS: Mapping[str, Callable[..., Shown]] = {
    _SCENARIO: _measure,
    "--operators": _profile,
    "--predict": _profile,
    "--instructions": _count,
}
