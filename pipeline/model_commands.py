"""The commands on a model of the user's: ``bench``, ``compare``, ``quantize``, ``explain``."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .command import (
    Manner,
    ask,
    batch_option,
    command,
    csv_option,
    shapes_option,
    stderr,
    stdout,
    threads_option,
)
from .scenario_options import SINGLE_STREAM, asked_of, scenario_options


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
@click.option(
    "--seconds",
    type=click.FloatRange(0.0, min_open=True),
    default=0.3,
    show_default=True,
    help="Timed seconds a process.",
)
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
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the tables as one HTML page that needs nothing else.",
)
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
    out: Path | None,
    csv_file: Path | None,
    html_file: Path | None,
    operators: bool,
    predict: bool,
    host_profile: Path | None,
    instructions: bool,
    baseline: Path | None,
    update_baseline: bool,
    **given: Any,
) -> None:
    """Measure latency, memory and size of any ONNX model; several take turns."""
    if instructions:
        _count(manner, models, shapes, given["batch"], given["device"], baseline, update_baseline)
        return
    if operators or predict:
        _operators(
            manner,
            models,
            shapes,
            device=None if given["device"] == "host" else given["device"],
            host_profile=host_profile,
            predicting=predict,
            batch=given["batch"],
            threads=given["threads"] or 1,
        )
        return
    for asked_for, part_of in (
        (baseline or update_baseline, "--instructions"),
        (host_profile, "--operators or --predict"),
    ):
        if asked_for:
            raise UsageError(
                f"an option of {part_of} without it", fix=f"add {part_of}, or leave it out"
            )
    from . import foreign, scenarios
    from .bench_results import can_write, write
    from .progress import OnConsole

    can_write(csv_file, html_file)
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not manner.json
    asked = asked_of(given, click.get_current_context())
    progress, answers = OnConsole(stderr()), ask if asks else None
    if asked.scenario != SINGLE_STREAM or asked.loadgen:
        found, folder = scenarios.measure(
            models, shapes, out, progress, asked, ask=answers, **given
        )
        shown, told = scenarios.document(found, folder), scenarios.summary(found)
    else:
        measured, folder = foreign.measure(models, shapes, out, progress, ask=answers, **given)
        write(measured, folder, csv_file=csv_file, html_file=html_file)
        shown, told = foreign.document(measured, folder), foreign.summary(measured, folder)
    if manner.json:
        click.echo(json.dumps(shown, allow_nan=False))
        return
    stdout().print(told)
    click.echo(f"raw samples: {folder}")


def _operators(
    manner: Manner, models: tuple[Path, ...], shapes: tuple[str, ...], **given: Any
) -> None:
    from .bench_operators import document, look, summary
    from .progress import OnConsole

    asks = sys.stdin.isatty() and sys.stderr.isatty() and not manner.json
    found = look(models, shapes, OnConsole(stderr()), ask=ask if asks else None, **given)
    if manner.json:
        click.echo(json.dumps(document(found), allow_nan=False))
    else:
        stdout().print(summary(found))


_OF_COUNTS = ("models", "shapes", "batch", "instructions", "device", "baseline", "update_baseline")


def _count(
    manner: Manner,
    models: tuple[Path, ...],
    shapes: tuple[str, ...],
    batch: int,
    device: str | None,
    baseline: Path | None,
    update: bool,
) -> None:
    from . import instructions
    from .progress import OnConsole

    context = click.get_current_context()
    for name in context.params.keys() - set(_OF_COUNTS):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(
                f"--{name} with --instructions", fix="leave it out: it is for measured times"
            )
    if update and baseline is None:
        raise UsageError("--update-baseline without --baseline", fix="name the file to write")
    counted = instructions.count(
        models,
        shapes,
        OnConsole(stderr()),
        device=device or "host",
        batch=batch,
        baseline=baseline,
        update=update,
    )
    manner.code = instructions.exit_code(counted)
    if manner.json:
        click.echo(json.dumps(instructions.document(counted), allow_nan=False))
    else:
        stdout().print(instructions.summary(counted))


@command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@shapes_option
@click.option("--inputs", type=click.Path(path_type=Path), help="An .npz of real inputs.")
@batch_option
@threads_option
@click.option(
    "--seconds",
    type=click.FloatRange(0.0, min_open=True),
    default=0.3,
    show_default=True,
    help="Timed seconds a process.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(0.0, min_open=True),
    default=120.0,
    show_default=True,
    help="How long to go on for a narrow interval.",
)
@click.option(
    "--max-ratio",
    type=click.FloatRange(0.0, min_open=True),
    help="Exit with 1 where B's time is known to be over this share of A's, 5 if undecided.",
)
@csv_option
@click.pass_obj
def compare(manner: Manner, /, a: Path, b: Path, csv_file: Path | None, **given: Any) -> None:
    """Say whether B takes another time than A: two models, or two runs and what they ship."""
    from . import comparison
    from .bench_results import can_write, write
    from .gate import EXIT_CODES
    from .progress import OnConsole

    can_write(csv_file)
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not manner.json
    found = comparison.compare(a, b, OnConsole(stderr()), ask=ask if asks else None, **given)
    write(found.measured, Path(found.folder), csv_file=csv_file)
    if found.outcome is not None:
        manner.code = EXIT_CODES[found.outcome]
    if manner.json:
        document = {**comparison.document(found), "exit_code": manner.code}
        click.echo(json.dumps(document, allow_nan=False))
        return
    stdout().print(comparison.summary(found))
    click.echo(f"raw samples: {found.folder}")


@command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--calibration",
    required=True,
    type=click.Path(path_type=Path),
    help="An .npz file: an array for each input, samples along the first axis; y for classes.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="METHOD",
    help="int8-static (the default), int8-mixed, …; may be given again.",
)
@click.option("--target", default="host", show_default=True, help="Device to compress for.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key of [compress], such as calibration=percentile; may be given again.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder to write to; default: the current one.",
)
@click.pass_obj
def quantize(
    manner: Manner,
    model: Path,
    calibration: Path,
    methods: tuple[str, ...],
    target: str,
    settings: tuple[str, ...],
    out: Path,
) -> None:
    """Make smaller files of any ONNX model, calibrated for a target."""
    from .progress import OnConsole
    from .quantize import quantize as make
    from .quantize import summary
    from .recipefile import compress_part

    asked = compress_part(methods or ("int8-static",), target, settings)
    made = make(model, calibration, out, asked, OnConsole(stderr()))
    if manner.json:
        click.echo(made.model_dump_json())
        return
    stdout().print(summary(made))


@command()
@click.argument("fp32", type=click.Path(path_type=Path))
@click.argument("int8", type=click.Path(path_type=Path))
@shapes_option
@click.option("--inputs", type=click.Path(path_type=Path), help="An .npz of real inputs.")
@batch_option
@threads_option
@click.option(
    "--apply",
    "target",
    metavar="OUT.onnx",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write INT8 with the advised layers in float, and measure all three.",
)
@click.option(
    "--leave",
    "nodes",
    multiple=True,
    metavar="NAME",
    help="With --apply: leave this operator of INT8 in float, not the advised ones; may be given "
    "again.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=9,
    show_default=True,
    help="With --apply: fresh processes a model; fewer than 6 give no interval.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.0, min_open=True),
    default=0.3,
    show_default=True,
    help="With --apply: timed seconds a process.",
)
@click.pass_obj
def explain(
    manner: Manner,
    /,
    fp32: Path,
    int8: Path,
    target: Path | None,
    nodes: tuple[str, ...],
    processes: int,
    seconds: float,
    **given: Any,
) -> None:
    """Say why INT8 is slower than FP32, layer by layer, and what to leave in float."""
    from . import explain as explaining
    from .progress import OnConsole

    if nodes and target is None:
        raise UsageError("--leave without --apply", fix="say where to write with --apply OUT.onnx")
    if target is not None:
        explaining.check_target(target, fp32, int8)
    progress = OnConsole(stderr())
    found = explaining.explain(fp32, int8, progress=progress, **given)
    if not manner.json:
        stdout().print(explaining.summary(found))
    applied = None
    if target is not None:
        applied = explaining.apply(
            fp32,
            int8,
            found,
            nodes,
            target,
            progress=progress,
            processes=processes,
            seconds=seconds,
            **given,
        )
    if manner.json:
        click.echo(json.dumps(explaining.document(found, applied), allow_nan=False))
    elif applied is not None:
        stdout().print(explaining.told(applied))
