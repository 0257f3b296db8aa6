"""The commands on a model of the user's but ``bench``: ``compare``, ``quantize``, ``explain``."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from ...errors import UsageError
from .shared import (
    Manner,
    ask,
    batch_option,
    command,
    csv_option,
    max_seconds_option,
    seconds_option,
    shapes_option,
    stderr,
    stdout,
    threads_option,
)


@command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@shapes_option
@click.option("--inputs", type=click.Path(path_type=Path), help="An .npz of real inputs.")
@batch_option
@threads_option
@seconds_option
@max_seconds_option
@click.option(
    "--max-ratio",
    type=click.FloatRange(0.0, min_open=True),
    help="Exit with 1 where B's time is known to be over this share of A's, 5 if undecided.",
)
@csv_option
@click.pass_obj
def compare(manner: Manner, /, a: Path, b: Path, csv_file: Path | None, **given: Any) -> None:
    """Say whether B takes another time than A: two models, or two runs and what they ship."""
    from ..judge.gate import EXIT_CODES
    from ..progress import OnConsole
    from . import compare as comparison
    from .bench_files import can_write, write
    from .bench_latency import lines

    can_write(csv_file)
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not manner.json
    options = comparison.CompareOptions(**given)
    found = comparison.compare(a, b, OnConsole(stderr()), options, ask=ask if asks else None)
    if csv_file is not None:
        folder = Path(found.folder)
        write(lines(found.measured, folder), "", (a, b), csv_file=csv_file)
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
    from ..progress import OnConsole
    from ..recipe.files import compress_part
    from .quantize import quantize as make
    from .quantize import summary

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
    from ..progress import OnConsole
    from . import explain as explaining

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
