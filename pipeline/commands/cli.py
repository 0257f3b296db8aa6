"""The command line: the table of commands, and how a failure becomes a line and an exit code.

A module that is slow to import is imported by the command that needs it, so that ``--help`` is
fast. Results go to stdout, progress and warnings to stderr.
"""

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from ...errors import EdgestillError, UsageError, did_you_mean
from ...version import __version__
from .bench import bench
from .builds import adapt, build, init, plan, schema
from .bundle import bundle
from .completion import answer, completion
from .devices import devices, doctor
from .failures import failure_of
from .gate import gate
from .help import Commands
from .history import history
from .models import compare, explain, export, quantize
from .output import check_stdout, coloured, say, show, take_streams, tell
from .runs import report, verify
from .search import search
from .shared import Invocation
from .store import store
from .toolchains import toolchains
from .track import track

if TYPE_CHECKING:
    from ..engine.processes import Job

INTERRUPTED = 130
TERMINATED = 143

SECTIONS: dict[str, dict[str, click.Command]] = {
    "Build a student": {
        "build": build,
        "adapt": adapt,
        "search": search,
        "plan": plan,
        "init": init,
        "schema": schema,
    },
    "Work on any model": {
        "bench": bench,
        "compare": compare,
        "quantize": quantize,
        "explain": explain,
        "export": export,
    },
    "Use a finished run": {
        "gate": gate,
        "report": report,
        "history": history,
        "verify": verify,
        "bundle": bundle,
        "track": track,
    },
    "Know the machines": {
        "devices": devices,
        "toolchains": toolchains,
        "store": store,
        "doctor": doctor,
    },
    "Set up the shell": {"completion": completion},
}
"""Every command by its name, below its heading, in the order of ``edgestill --help``."""

COMMANDS: dict[str, click.Command] = {
    name: one for section in SECTIONS.values() for name, one in section.items()
}


class TerminatedError(BaseException):
    """SIGTERM, as build servers send it: the command cleans up as it does on Ctrl-C."""


@click.group(
    cls=Commands,
    commands=COMMANDS,
    sections={heading: tuple(names) for heading, names in SECTIONS.items()},
    epilog="`edgestill COMMAND --help` describes a command. Begin with `edgestill build`: it "
    "needs no recipe, no data and no network.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="edgestill")
def cli() -> None:
    """Distil a teacher into a student that provably fits an edge device.

    \b
    Exit codes: 0 ready, 1 not ready, 2 usage or recipe, 3 data or model,
    4 environment, 5 undecided, 70 a bug in edgestill, 130 interrupted.
    """  # noqa: D301 - click takes the backspace for: keep these lines as they are


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    # Before click parses: a usage error follows --json and --debug, too.
    invocation = Invocation(debug="--debug" in sys.argv, json="--json" in sys.argv)
    signal.signal(signal.SIGTERM, _terminate)
    take_streams()
    if (answered := answer(cli)) is not None:
        sys.exit(answered)
    try:
        code = _in_job(invocation) if os.environ.get("WORLD_SIZE") else _code(invocation)
        # From here on the code stands. torchrun ends the rest of a job while a process leaves it.
        signal.signal(signal.SIGTERM, _ignore)
    except (KeyboardInterrupt, TerminatedError) as stop:  # while it followed, or told its end
        code = _stopped(stop)
    with contextlib.suppress(EdgestillError):
        sys.stdout.flush()
    sys.exit(code)


def _in_job(invocation: Invocation) -> int:
    """Run the command in the first process of a job; in the others help it to train."""
    from ..engine.processes import job_of, led

    job = job_of(os.environ)
    if job is not None and job.rank:
        return _followed(invocation, job)
    with led(job):
        return _code(invocation)


def _followed(invocation: Invocation, job: "Job") -> int:
    """Take part in the trainings that the first process of a job leads, which tells the rest."""
    try:
        job.follow()
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception as error:  # noqa: BLE001 - as below
        return _fail(invocation, failure_of(error))
    return 0


def _code(invocation: Invocation) -> int:
    """Run the command; whatever ends it, the exit code is that of its verdict or of its failure.

    A code of a verdict (1, 5) comes from a verdict only, so every other end has a branch here.
    """
    try:
        check_stdout()
        with _results_apart(invocation):
            cli.main(
                prog_name="edgestill",
                standalone_mode=False,
                obj=invocation,
                color=coloured(sys.stdout),
            )
    except NoArgsIsHelpError as error:
        if invocation.json:
            command = f"{error.ctx.command_path} COMMAND"
            return _fail(invocation, UsageError("no command", expected=command))
        show(error.format_message(), sys.stderr)
        return UsageError.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see {context.command_path} --help" if context else ""
        hint = f"; {near}" if (near := _meant(error)) else hint
        return _fail(invocation, UsageError(error.format_message().rstrip(".") + hint))
    except (KeyboardInterrupt, click.Abort, TerminatedError) as stop:
        if isinstance(stop.__cause__, EOFError):
            return _fail(invocation, UsageError("stdin ended where an answer was expected"))
        return _interrupted(invocation, stop)
    except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no Exception
        return _fail(invocation, failure_of(error))
    return invocation.code


def _meant(error: click.ClickException) -> str | None:
    """The value that a misspelt one of several resembles; click says so of options alone."""
    kind = error.param.type if isinstance(error, click.BadParameter) and error.param else None
    given = re.match(r"'(.*)' is not one of", getattr(error, "message", ""))
    if not isinstance(kind, click.Choice) or given is None:
        return None
    return did_you_mean(given[1], map(str, kind.choices))


_RESUMING = ("build", "adapt", "search")
"""Commands that find what they finished in the store."""


@contextlib.contextmanager
def _results_apart(invocation: Invocation) -> Iterator[None]:
    """With --json, what a user's own module prints goes to stderr: stdout has one document."""
    if not invocation.json:
        yield
        return
    invocation.results = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _terminate(number: int, frame: object) -> NoReturn:
    del frame
    signal.signal(number, _ignore)  # once is enough, and a second one would break into the cleanup
    raise TerminatedError


def _ignore(number: int, frame: object) -> None:
    """No ``SIG_IGN``, which processes that are started later would inherit."""
    del number, frame


def _stopped(stop: BaseException) -> int:
    return TERMINATED if isinstance(stop, TerminatedError) else INTERRUPTED


def _interrupted(invocation: Invocation, stop: BaseException) -> int:
    if invocation.debug:
        _trace(stop)
    code = _stopped(stop)
    _tell(invocation, {"error": {"kind": "Interrupted"}, "exit_code": code})
    command = next((word for word in sys.argv[1:] if word[:1] != "-"), "")
    again = "; the same command goes on from them" if command in _RESUMING else ""
    tell("interrupted", f"; finished results are kept{again}", "yellow")
    return code


def _fail(invocation: Invocation, error: EdgestillError) -> int:
    if invocation.debug:
        _trace(error.__cause__ or error)
    problems = [_parts(one) for one in error.problems]
    document = {"kind": type(error).__name__, **problems[0], "problems": problems}
    _tell(invocation, {"error": document, "exit_code": error.exit_code})
    for one in error.problems:
        tell("error:", f" {' '.join(one.line().split())}", "red")
    return error.exit_code


def _parts(error: EdgestillError) -> dict[str, str | None]:
    return {key: getattr(error, key) for key in ("found", "expected", "where", "fix")}


def _tell(invocation: Invocation, document: object) -> None:
    """The failure as JSON, where that is asked for and can be written."""
    if invocation.json:
        with contextlib.suppress(EdgestillError):
            say(json.dumps(document), file=invocation.results)


def _trace(error: BaseException) -> None:
    import traceback

    lines = "".join(traceback.format_exception(error)).rstrip().split("\n")
    say(*lines, file=sys.stderr)
