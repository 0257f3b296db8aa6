"""The command line: the table of commands, and how a failure becomes a line and an exit code.

A module that is slow to import is imported by the command that needs it, so that ``--help`` is
fast. Results go to stdout, progress and warnings to stderr.
"""

import errno
import json
import os
import signal
import sys
from typing import NoReturn

import click

from ...errors import EdgestillError, HostError, StorageError, UsageError
from ...version import __version__
from .bench import bench
from .builds import build, init, plan, schema
from .devices import devices, doctor
from .models import compare, explain, quantize
from .runs import gate, report, verify
from .shared import Commands, Invocation

INTERRUPTED = 130
TERMINATED = 143

COMMANDS: dict[str, click.Command] = {
    "build": build,
    "plan": plan,
    "init": init,
    "schema": schema,
    "bench": bench,
    "compare": compare,
    "quantize": quantize,
    "explain": explain,
    "gate": gate,
    "report": report,
    "verify": verify,
    "devices": devices,
    "doctor": doctor,
}
"""Every command by its name, in the order in which ``edgestill --help`` lists them."""


class TerminatedError(BaseException):
    """SIGTERM, as build servers send it: the command cleans up as it does on Ctrl-C."""


@click.group(
    cls=Commands,
    commands=COMMANDS,
    no_args_is_help=False,
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
    try:
        cli.main(prog_name="edgestill", standalone_mode=False, obj=invocation)
        code = invocation.code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see {context.command_path} --help" if context else ""
        code = _fail(invocation, UsageError(error.format_message().rstrip(".") + hint))
    except EdgestillError as error:
        code = _fail(invocation, error)
    except (KeyboardInterrupt, click.Abort, TerminatedError) as stop:
        code = _interrupted(invocation, stop)
    except MemoryError:
        full = HostError("out of memory", fix="lower batch_size, or free some memory")
        code = _fail(invocation, full)
    except (BrokenPipeError, SystemExit):
        # The reader of our output has ended, as `head` does; the verdict stands all the same. Click
        # and rich turn a broken pipe into an exit with 1, which would mean "not ready".
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = invocation.code
    except OSError as error:
        full_disk = StorageError("the disk is full", where=error.filename, fix="free some space")
        code = _fail(invocation, full_disk if error.errno == errno.ENOSPC else _bug(error))
    except Exception as error:  # noqa: BLE001 - users get no traceback, whatever fails
        code = _fail(invocation, _bug(error))
    sys.exit(code)


def _terminate(number: int, frame: object) -> NoReturn:
    del number, frame
    raise TerminatedError


def _interrupted(invocation: Invocation, stop: BaseException) -> int:
    if invocation.debug:
        raise stop
    code = TERMINATED if isinstance(stop, TerminatedError) else INTERRUPTED
    if invocation.json:
        click.echo(json.dumps({"error": {"kind": "Interrupted"}, "exit_code": code}))
    click.echo("interrupted; finished results are kept", err=True)
    return code


def _fail(invocation: Invocation, error: EdgestillError) -> int:
    if invocation.debug:
        import traceback

        traceback.print_exc()
    if invocation.json:
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
