"""The command line. Nothing heavy is imported before a command needs it: ``--help`` is instant.

Results go to stdout, progress and warnings to stderr. One place, ``main``, turns every failure into
one line and its exit code.
"""

import errno
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ...errors import EdgestillError, HostError, MaterialError, StorageError, UsageError
from ...version import __version__
from .bench import bench
from .devices import devices
from .models import compare, explain, quantize
from .shared import Commands, Manner, command, say, stderr, stdout

if TYPE_CHECKING:
    from ..records import Report

INTERRUPTED = 130
TERMINATED = 143


class TerminatedError(BaseException):
    """SIGTERM, as build servers send it: cleaned up after as Ctrl-C is."""


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
    from ..build import build as run_build
    from ..progress import OnConsole
    from ..recipe.files import bundled

    progress = OnConsole(stderr())
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
        say(manner, {**facts, "record": record}, f"{stopped.stage.name}: {stopped.path}")
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
    from ..build import plan as make_plan
    from ..recipe.files import bundled, load

    steps = make_plan(load(recipe or bundled("digits"), overrides, seed=seed), artifacts)
    lines = [
        f"{step.stage:<10} {'in the store' if step.cached else 'would run':<13} {step.key[:16]}"
        for step in steps
    ]
    document = [{"stage": s.stage, "key": s.key, "cached": s.cached} for s in steps]
    say(manner, document, "\n".join(lines))


@command(as_json=False)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Write a commented recipe to start from into DIR."""
    from ..engine.store import disk_errors, write_atomic
    from ..recipe.files import bundled

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
    from ..recipe.files import schema_of

    if what == "recipe":
        from ..recipe.recipe import Recipe as Model
    else:
        from ..records import Report as Model  # type: ignore[assignment]
    click.echo(json.dumps(schema_of(Model, f"edgestill {what}"), indent=2))


@command()
@_run
@click.option("--recipe", type=click.Path(path_type=Path), help="Take the budgets of this recipe.")
@_overrides
@click.pass_obj
def gate(manner: Manner, run: Path, recipe: Path | None, overrides: tuple[str, ...]) -> None:
    """Judge RUN again, with other budgets, without measuring again."""
    from ..engine.store import disk_errors
    from ..runs.rejudge import budgets, judge_again

    with disk_errors(run, opening=True):
        found, report = judge_again(run, budgets(run, recipe, overrides))
    _conclude(manner, report, found)


@command()
@_run
@click.pass_obj
def report(manner: Manner, run: Path) -> None:
    """Draw RUN's pages again from its saved records."""
    from ..engine.store import disk_errors
    from ..runs.rejudge import draw_again

    with disk_errors(run, opening=True):
        draw_again(run)
    say(manner, {"report": str(run / "report.html")}, str(run / "report.html"))


@command()
@_run
@click.pass_obj
def verify(manner: Manner, run: Path) -> None:
    """Hash every file of RUN again and check its models' golden outputs."""
    from .verify_run import check

    found = check(run)
    faults = list(found.faults)
    say(
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

    from ...devices.doctor import checks

    found = checks(artifacts)
    marks = {"ok": "ok     ", "limited": "limited", "missing": "missing"}
    lines = []
    for check in found:
        lines.append(f"{marks[check.state]}  {check.name}: {check.found}")
        if check.state != "ok":
            lines.append(f"         {check.means}" + (f"; {check.fix}" if check.fix else ""))
    say(manner, [asdict(check) for check in found], "\n".join(lines))


# In the order of use.
for _one in (
    *(build, plan, init, schema),
    *(bench, compare, quantize, explain),
    *(gate, report, verify, devices, doctor),
):
    cli.add_command(_one)


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
    from ..judge.gate import EXIT_CODES

    code = manner.code = EXIT_CODES[report.verdict.outcome]
    if manner.json:
        document = {"run": str(run), "exit_code": code, "report": report.model_dump(mode="json")}
        click.echo(json.dumps(document, allow_nan=False))
    else:
        from ..report.terminal import table

        console = stdout()
        console.print(table(report))
        console.print(f"report: {run / 'report.html'}", soft_wrap=True, highlight=False)
