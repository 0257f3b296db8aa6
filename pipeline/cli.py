"""The command line. Nothing heavy is imported before a command needs it: ``--help`` is instant.

Results go to stdout, progress and warnings to stderr. One place, ``main``, turns every failure into
one line and its exit code.
"""

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from .. import __version__
from ..errors import EdgestillError, HostError, MaterialError, StorageError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from .records import Report

F = TypeVar("F", bound=Callable[..., Any])
INTERRUPTED = 130
TERMINATED = 143


class TerminatedError(BaseException):
    """SIGTERM, as build servers send it: cleaned up after as Ctrl-C is."""


@dataclass(slots=True)
class Manner:
    """How this run of the command speaks, and its exit code once that is known."""

    debug: bool = False
    json: bool = False
    code: int = 0


class Commands(click.Group):
    """Lists the commands in the order of use, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were declared."""
        del ctx
        return list(self.commands)


def command(*, as_json: bool = True) -> Callable[[F], click.Command]:
    """A command with ``--debug`` and, where it has a result, ``--json``; ``main`` reads both."""

    def decorate(function: F) -> click.Command:
        made = click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            help="Show the traceback of a failure.",
        )(function)
        if as_json:
            made = click.option(
                "--json",
                is_flag=True,
                expose_value=False,
                help="Print one JSON document on stdout and nothing else there.",
            )(made)
        return cli.command()(made)

    return decorate


_recipe = click.argument("recipe", type=click.Path(path_type=Path), required=False)
_run = click.argument("run", type=click.Path(path_type=Path))
_overrides = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a recipe key, such as distill.temperature=2; may be given again.",
)
_seed = click.option("--seed", type=click.IntRange(0), help="Override the recipe's seed.")
_artifacts = click.option(
    "--artifacts",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("artifacts"),
    show_default=True,
    help="The folder builds write to.",
)

_shapes = click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="INPUT=1,3,224,224",
    help="Full shape of an input with dynamic axes; may be given again.",
)
_batch = click.option(
    "--batch",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Samples a query, where the model's first axis is dynamic.",
)
_threads = click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Intra-op threads."
)


@click.group(
    cls=Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="edgestill")
def cli() -> None:
    """Distil a teacher into a student that provably fits an edge device.

    \b
    Exit codes: 0 ready, 1 not ready, 2 usage or recipe, 3 data or model,
    4 environment, 5 undecided, 70 a bug of ours, 130 interrupted.
    """  # noqa: D301 - click takes the backspace for: keep these lines as they are


@command()
@_recipe
@click.option("--until", metavar="STAGE", help="Stop after this stage.")
@_overrides
@_artifacts
@_seed
@click.pass_obj
def build(
    manner: Manner,
    recipe: Path | None,
    until: str | None,
    overrides: tuple[str, ...],
    artifacts: Path,
    seed: int | None,
) -> None:
    """Run the whole pipeline; with no RECIPE, the bundled digits recipe."""
    from .build import build as run_build
    from .progress import OnConsole
    from .recipefile import bundled

    progress = OnConsole(_stderr())
    built = run_build(
        recipe or bundled("digits"),
        artifacts=artifacts,
        overrides=overrides,
        seed=seed,
        until=until,
        progress=progress,
        around=progress.stage,
    )
    if built.stopped is not None:
        stopped = built.stopped
        record = stopped.record.model_dump(mode="json")
        facts = {"stage": stopped.stage.name, "key": stopped.key, "path": str(stopped.path)}
        _say(manner, {**facts, "record": record}, f"{stopped.stage.name}: {stopped.path}")
        return
    assert built.run is not None  # noqa: S101 - a build that was not stopped has a run
    assert built.report is not None  # noqa: S101
    if not built.ran:
        progress.note("nothing to do: every stage is in the store")
    _conclude(manner, built.report, built.run)


@command()
@_recipe
@_overrides
@_artifacts
@_seed
@click.pass_obj
def plan(
    manner: Manner,
    recipe: Path | None,
    overrides: tuple[str, ...],
    artifacts: Path,
    seed: int | None,
) -> None:
    """Say which stages would run and which are in the store."""
    from .build import plan as make_plan
    from .recipefile import bundled, load

    steps = make_plan(load(recipe or bundled("digits"), overrides, seed=seed), artifacts)
    lines = [
        f"{step.stage:<10} {'in the store' if step.cached else 'would run':<13} {step.key[:16]}"
        for step in steps
    ]
    document = [{"stage": s.stage, "key": s.key, "cached": s.cached} for s in steps]
    _say(manner, document, "\n".join(lines))


@command(as_json=False)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Write a commented recipe to start from into DIR."""
    from .recipefile import bundled
    from .store import disk_errors, write_atomic

    target = folder / "recipe.toml"
    if target.exists():
        raise UsageError("it is there already", where=str(target), fix="choose another folder")
    with disk_errors(folder, opening=True):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(target, bundled("start").read_bytes())
    click.echo(f"{target}: edit it, then: edgestill build {target}")


@command(as_json=False)
@click.argument("what", type=click.Choice(["recipe", "report"]), default="recipe")
def schema(what: str) -> None:
    """Print the JSON Schema of a recipe (for editors that complete TOML) or of report.json."""
    from .recipefile import schema_of

    if what == "recipe":
        from .recipe import Recipe as Model
    else:
        from .records import Report as Model  # type: ignore[assignment]
    click.echo(json.dumps(schema_of(Model, f"edgestill {what}"), indent=2))


@command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@_shapes
@_batch
@_threads
@click.option("--spinning", is_flag=True, help="Let idle threads spin.")
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
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where raw samples go; default: a new folder below artifacts/bench.",
)
@click.pass_obj
def bench(
    manner: Manner,
    /,
    models: tuple[Path, ...],
    shapes: tuple[str, ...],
    out: Path | None,
    **given: Any,
) -> None:
    """Measure latency, memory and size of any ONNX model; several take turns."""
    from .foreign import document, measure, summary
    from .progress import OnConsole

    asks = sys.stdin.isatty() and sys.stderr.isatty() and not manner.json
    measured, folder = measure(
        models, shapes, out, OnConsole(_stderr()), ask=_ask if asks else None, **given
    )
    if manner.json:
        click.echo(json.dumps(document(measured, folder), allow_nan=False))
        return
    _stdout().print(summary(measured))
    click.echo(f"raw samples: {folder}")


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
    made = make(model, calibration, out, asked, OnConsole(_stderr()))
    if manner.json:
        click.echo(made.model_dump_json())
        return
    _stdout().print(summary(made))


@command()
@click.argument("fp32", type=click.Path(path_type=Path))
@click.argument("int8", type=click.Path(path_type=Path))
@_shapes
@click.option("--inputs", type=click.Path(path_type=Path), help="An .npz of real inputs.")
@_batch
@_threads
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
    progress = OnConsole(_stderr())
    found = explaining.explain(fp32, int8, progress=progress, **given)
    if not manner.json:
        _stdout().print(explaining.summary(found))
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
        _stdout().print(explaining.told(applied))


@command()
@_run
@click.option("--recipe", type=click.Path(path_type=Path), help="Take the budgets of this recipe.")
@_overrides
@click.pass_obj
def gate(manner: Manner, run: Path, recipe: Path | None, overrides: tuple[str, ...]) -> None:
    """Judge RUN again, with other budgets, without measuring again."""
    from .again import budgets, judge_again
    from .store import disk_errors

    with disk_errors(run, opening=True):
        found, report = judge_again(run, budgets(run, recipe, overrides))
    _conclude(manner, report, found)


@command()
@_run
@click.pass_obj
def report(manner: Manner, run: Path) -> None:
    """Draw RUN's pages again from its saved records."""
    from .again import draw_again
    from .store import disk_errors

    with disk_errors(run, opening=True):
        draw_again(run)
    _say(manner, {"report": str(run / "report.html")}, str(run / "report.html"))


@command()
@_run
@click.pass_obj
def verify(manner: Manner, run: Path) -> None:
    """Hash every file of RUN again and check its models' golden outputs."""
    from .golden import check

    found = check(run)
    faults = list(found.faults)
    _say(
        manner,
        {"run": str(run), "files": found.files, "models": found.models, "faults": faults},
        "\n".join(faults)
        or f"{found.files} files as in the manifest, {found.models} models answer as recorded",
    )
    if faults:
        manner.code = MaterialError.exit_code
        click.echo(f"error: {run}: not as it was written; build it again", err=True)


@command()
@_artifacts
@click.pass_obj
def doctor(manner: Manner, artifacts: Path) -> None:
    """Say what this machine can and cannot measure, and how to mend it."""
    from dataclasses import asdict

    from ..devices.doctor import checks

    found = checks(artifacts)
    marks = {"ok": "ok     ", "limited": "limited", "missing": "missing"}
    lines = []
    for check in found:
        lines.append(f"{marks[check.state]}  {check.name}: {check.found}")
        if check.state != "ok":
            lines.append(f"         {check.means}" + (f"; {check.fix}" if check.fix else ""))
    _say(manner, [asdict(check) for check in found], "\n".join(lines))


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    # Before click parses: a usage error must be told in the manner asked for, too.
    manner = Manner(debug="--debug" in sys.argv, json="--json" in sys.argv)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        cli.main(prog_name="edgestill", standalone_mode=False, obj=manner)
        code = manner.code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see {context.command_path} --help" if context else ""
        code = _fail(manner, UsageError(error.format_message().rstrip(".") + hint))
    except EdgestillError as error:
        code = _fail(manner, error)
    except (KeyboardInterrupt, click.Abort, TerminatedError) as stop:
        if manner.debug:
            raise
        code = TERMINATED if isinstance(stop, TerminatedError) else INTERRUPTED
        if manner.json:
            click.echo(json.dumps({"error": {"kind": "Interrupted"}, "exit_code": code}))
        click.echo("interrupted; what was finished is kept", err=True)
    except MemoryError:
        code = _fail(manner, HostError("out of memory", fix="lower batch_size or free some memory"))
    except (BrokenPipeError, SystemExit):
        # The reader of our output went away, as `head` does, and there is nobody left to tell; a
        # verdict stands all the same. Click and rich turn a broken pipe into an exit with 1, which
        # would read "not ready".
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = manner.code
    except OSError as error:
        full = StorageError("the disk is full", where=error.filename, fix="free some space")
        code = _fail(manner, full if error.errno == errno.ENOSPC else _bug(error))
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback for users
        code = _fail(manner, _bug(error))
    sys.exit(code)


def _terminate(number: int, frame: object) -> NoReturn:
    del number, frame
    raise TerminatedError


def _fail(manner: Manner, error: EdgestillError) -> int:
    if manner.debug:
        import traceback

        traceback.print_exc()
    if manner.json:
        parts = {k: getattr(error, k) for k in ("found", "expected", "where", "fix")}
        document = {"error": {"kind": type(error).__name__, **parts}, "exit_code": error.exit_code}
        click.echo(json.dumps(document))
    click.echo(f"error: {' '.join(str(error).split())}", err=True)
    return error.exit_code


def _bug(error: BaseException) -> EdgestillError:
    return EdgestillError(
        f"{type(error).__name__}: {error}",
        where="a bug in edgestill",
        fix="run again with --debug and report what it prints",
    )


def _conclude(manner: Manner, report: "Report", run: Path) -> None:
    """Show the verdict; its exit code is the command's."""
    from .gate import EXIT_CODES

    code = manner.code = EXIT_CODES[report.verdict.outcome]
    if manner.json:
        document = {"run": str(run), "exit_code": code, "report": report.model_dump(mode="json")}
        click.echo(json.dumps(document, allow_nan=False))
    else:
        from .report.terminal import table

        console = _stdout()
        console.print(table(report))
        console.print(f"report: {run / 'report.html'}", soft_wrap=True, highlight=False)


def _say(manner: Manner, document: object, text: str) -> None:
    click.echo(json.dumps(document, allow_nan=False) if manner.json else text)


def _ask(question: str) -> str:
    return str(click.prompt(question, err=True))


def _stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True)


def _stdout() -> "Console":
    from rich.console import Console

    return Console()
