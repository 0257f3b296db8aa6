"""Commands on models of the user: ``compare``, ``quantize``, ``explain``, ``export``."""

import sys
from pathlib import Path
from typing import Any

import click

from ...errors import UsageError
from . import names
from .output import prompt, say, stderr, stdout
from .query_options import QUERY, feed_of, query_of, query_options
from .shared import (
    Invocation,
    axes_of,
    batch_axis_option,
    command,
    csv_option,
    max_seconds_option,
    print_json,
    seconds_option,
    threads_option,
    verbose_option,
)

_out = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder to write to; default: the current folder.",
)


@command(
    examples=(
        "edgestill compare fp32.onnx int8.onnx",
        "edgestill compare old.onnx new.onnx --max-ratio 1.05",
        "edgestill compare model.onnx model.tflite --device board.toml",
        "edgestill compare RUN_A RUN_B",
    )
)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@query_options
@threads_option
@click.option(
    "--device",
    default="host",
    show_default=True,
    metavar="NAME|FILE.toml",
    shell_complete=names.devices,
    help="Device to measure on; answers are compared on this machine.",
)
@seconds_option
@max_seconds_option
@click.option(
    "--max-ratio",
    type=click.FloatRange(0.0, min_open=True),
    help="Exit with 1 if B takes more than this multiple of A's time, with 5 if undecided.",
)
@csv_option
@verbose_option
@click.pass_obj
def compare(
    invocation: Invocation, /, a: Path, b: Path, csv_file: Path | None, verbose: bool, **given: Any
) -> None:
    """Compare the latency of B with that of A.

    Both are models, or runs, whose shipped files are compared: a run's folder, or a name, whose
    last build it is.
    """
    from ..api.compare import compare as measure
    from ..progress import OnConsole
    from . import compare as shown
    from .bench_files import can_write, write
    from .bench_latency import lines

    can_write(csv_file)
    interactive = sys.stdin.isatty() and sys.stderr.isatty() and not invocation.json
    asked = query_of(*(given.pop(name) for name in QUERY))
    ask = prompt if interactive else None
    compared = measure(a, b, **asked, **given, ask=ask, progress=OnConsole(stderr()))
    if csv_file is not None:
        folder = Path(compared.folder)
        write(lines(compared.measured, folder), "", (a, b), csv_file=csv_file)
    invocation.code = compared.exit_code
    if invocation.json:
        print_json(invocation, compared.to_dict())
        return
    stdout().print(shown.summary(compared, verbose=verbose))
    say(f"raw samples: {compared.folder}")


@command(
    examples=(
        "edgestill quantize model.onnx --calibration x.npz",
        "edgestill quantize model.onnx --calibration x.npz --target raspberry-pi-5",
        "edgestill quantize model.onnx --calibration x.npz --method int8-mixed",
    )
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--calibration",
    "--inputs",
    "calibration",
    required=True,
    type=click.Path(path_type=Path),
    help="An .npz file: one array per input, samples along the first axis; y: the classes.",
)
@batch_axis_option
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="METHOD",
    shell_complete=names.methods,
    help="int8-static (the default), int8-mixed, …; can be repeated.",
)
@click.option(
    "--target",
    default="host",
    show_default=True,
    metavar="NAME|FILE.toml",
    shell_complete=names.devices,
    help="The device to compress for.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key of [compress], such as calibration=percentile; can be repeated.",
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0.0, 1.0),
    help="int8-mixed: largest loss against the original, as compress.mixed_max_loss; of outputs "
    "that are numbers the share of noise in their power.",
)
@_out
@verbose_option
@click.pass_obj
def quantize(
    invocation: Invocation,
    /,
    model: Path,
    calibration: Path,
    out: Path,
    verbose: bool,
    **given: Any,
) -> None:
    """Quantize an ONNX model for a target.

    Every output of each file is compared with the original's; exit with 1 if one is destroyed.
    """
    from ..api.quantize import quantize as make
    from ..progress import OnConsole
    from .quantize import next_command, summary

    given["methods"] = given["methods"] or ("int8-static",)
    axes = axes_of(given["batch_axes"])
    progress = OnConsole(stderr())
    result = make(model, calibration, out=out, **{**given, "batch_axes": axes}, progress=progress)
    invocation.code = result.exit_code
    if invocation.json:
        print_json(invocation, result.to_dict())
        return
    console = stdout()
    console.print(summary(result, verbose=verbose, columns=console.width))
    console.print(next_command(result), soft_wrap=True)


@command(
    examples=(
        "edgestill explain fp32.onnx int8.onnx",
        "edgestill explain fp32.onnx int8.onnx --apply mixed.onnx",
    )
)
@click.argument("fp32", type=click.Path(path_type=Path))
@click.argument("int8", type=click.Path(path_type=Path))
@query_options
@threads_option
@click.option(
    "--apply",
    "target",
    metavar="OUT.onnx",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write INT8 with the advised layers in float, and measure all three files.",
)
@click.option(
    "--leave",
    "nodes",
    multiple=True,
    metavar="NAME",
    help="With --apply: leave this operator of INT8 in float, not the advised ones; can be "
    "repeated.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=9,
    show_default=True,
    help="With --apply: fresh processes per model; fewer than 6 give no interval.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.0, min_open=True),
    default=0.3,
    show_default=True,
    help="With --apply: timed seconds per process.",
)
@verbose_option
@click.pass_obj
def explain(
    invocation: Invocation,
    /,
    fp32: Path,
    int8: Path,
    target: Path | None,
    nodes: tuple[str, ...],
    processes: int,
    seconds: float,
    verbose: bool,
    **given: Any,
) -> None:
    """Explain why INT8 is slower than FP32.

    The layers of both files are timed; the advice is which of them to leave in float.
    """
    from ...devices.onboard.settings import Session
    from ..finished import explain as explaining
    from ..progress import OnConsole
    from . import explain_tables

    if nodes and target is None:
        raise UsageError(
            "--leave without --apply", fix="name the file to write with --apply OUT.onnx"
        )
    if target is not None:
        explaining.check_target(target, fp32, int8)
    progress = OnConsole(stderr())
    threads = given.pop("threads")
    pair = explaining.Pair(fp32, int8, Session(threads=threads), feed_of(**given))
    diagnosis = explaining.diagnosed(pair, progress)
    if not invocation.json:
        console = stdout()
        shown = explain_tables.summary(
            diagnosis, verbose=verbose, columns=console.width, applied=target is not None
        )
        console.print(shown)
    applied = None
    if target is not None:
        applied = explaining.apply(
            pair, diagnosis, nodes, target, progress, processes=processes, seconds=seconds
        )
    if invocation.json:
        found = explaining.Explained(fp32.name, int8.name, diagnosis, applied)
        print_json(invocation, found.to_dict())
    elif applied is not None:
        stdout().print(explain_tables.applied_lines(applied))


@command(
    examples=(
        "edgestill export model.onnx --to ort,openvino",
        "edgestill export RUN --to litert --out app",
    )
)
@click.argument("source", metavar="RUN|MODEL.onnx", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "formats",
    required=True,
    metavar="FORMAT[,FORMAT…]",
    shell_complete=names.formats,
    help="The formats: ort, openvino, litert, …",
)
@click.option("--variant", metavar="NAME", help="Of a run: this variant, not the one that ships.")
@query_options
@click.option(
    "--ort-target",
    type=click.Choice(["arm", "amd64"]),
    default="arm",
    show_default=True,
    help="Of a model: the CPU that an .ort file is optimized for; a run's recipe says its own.",
)
@_out
@click.pass_obj
def export(invocation: Invocation, /, source: Path, out: Path, **given: Any) -> None:
    """Write a finished model in other formats.

    RUN is a run's folder, or a name, whose last build it is. Each file is run in its own runtime,
    and its answers are compared with the .onnx file's. Exit
    with 1 if they differ, with 3 if a format could not be made.
    """
    from ..api.export import export as write
    from ..progress import OnConsole
    from . import export_tables

    asked = query_of(*(given.pop(name) for name in QUERY))
    formats = given.pop("formats")
    exported = write(source, formats, out=out, **asked, **given, progress=OnConsole(stderr()))
    invocation.code = exported.exit_code
    if invocation.json:
        print_json(invocation, exported.to_dict())
        return
    stdout().print(export_tables.summary(exported))
