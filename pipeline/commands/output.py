"""Where text leaves the program: results to stdout, everything else to stderr.

    take_streams()          # once, before anything is printed
    say("2 files written")

Three promises hold for every line. It can be encoded: what the encoding lacks is spelled out or
replaced. It is shown, not obeyed: no control character of a name reaches the terminal, and no
name is read as markup. And a line that cannot be written is a `StorageError` on stdout, whose
reader waits for a result, but is dropped on stderr; where the reader has ended, as `head` does, the
rest is dropped on both and the exit code stands.
"""

import codecs
import errno
import io
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

import click

from ...errors import StorageError
from ..printable import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

_NO_TERMINALS = ("dumb", "unknown")
"""Values of ``TERM`` that have no colours and cannot move the cursor."""

SPELLED = "edgestill.spelled"
"""The error handler of encodings that lack a character."""
_SPELLING = {
    "×": "x",
    "\u00b5": "u",
    "\u03bc": "u",
    "…": "...",
    "‖": "||",
    "ß": "ss",
    "±": "+/-",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "\u2013": "-",
    "\u2014": "-",
    "\u2212": "-",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
}


def spelled(error: UnicodeError) -> tuple[str, int]:
    """What to write for characters that an encoding lacks: their spelling in ASCII, else ``?``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_ascii, lacking)), error.end


def _ascii(character: str) -> str:
    plain = unicodedata.normalize("NFKD", _SPELLING.get(character, character))
    return plain.encode("ascii", "ignore").decode() or "?"


codecs.register_error(SPELLED, spelled)


class _Stream(io.TextIOWrapper):
    """A standard stream whose failures are handled in one place.

    Args:
        descriptor: 1 or 2.
        encoding: of the stream it replaces.
    """

    def __init__(self, descriptor: int, encoding: str) -> None:
        raw = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - lives as long as we do
        super().__init__(raw, encoding=encoding, errors=SPELLED, line_buffering=True)
        self._descriptor = descriptor

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._failed(error)
        return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        """Write to nowhere from here on: Python flushes again when it ends, and would fail there.

        Raises:
            StorageError: a result cannot be written.
        """
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._descriptor)
        os.close(nowhere)
        if self._descriptor == 1 and error.errno != errno.EPIPE:
            raise unwritable(error) from None


def unwritable(error: OSError) -> StorageError:
    """What is said where stdout takes no result."""
    said = {errno.ENOSPC: "the disk is full", errno.EBADF: "it is closed"}
    why = said.get(error.errno or 0) or os.strerror(error.errno or 0).lower()
    return StorageError(
        f"the result cannot be written ({why})",
        where="stdout",
        fix="send stdout elsewhere",
    )


def take_streams() -> None:
    """Open what is closed, and make stdout and stderr keep the promises above.

    A closed descriptor is given to the next file that is opened: what is printed would end up in
    it. Streams that are not the process's own, such as those of a test, stay as they are.
    """
    if sys.stdin is None:
        _open_closed(0, os.O_RDONLY)
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        # Writing to a descriptor that is open for reading alone fails, as it does to a closed one.
        _open_closed(1, os.O_RDONLY)
        sys.stdout = _Stream(1, getattr(sys.stdout, "encoding", "utf-8"))
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        _open_closed(2, os.O_WRONLY)
        sys.stderr = _Stream(2, getattr(sys.stderr, "encoding", "utf-8"))


def check_stdout() -> None:
    """Fail in the first second, not after the work, where stdout takes no result.

    Nothing is written; Linux and macOS refuse even that.

    Raises:
        StorageError: it was closed, or opened for reading.
    """
    if not isinstance(sys.stdout, _Stream):
        return
    try:
        os.write(1, b"")
    except OSError as error:
        if error.errno == errno.EBADF:
            raise unwritable(error) from None


def _open_closed(descriptor: int, mode: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, mode)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def coloured(stream: TextIO) -> bool:
    """Whether a stream gets colours: a terminal does, unless NO_COLOR or TERM say otherwise.

    ``FORCE_COLOR`` asks for them anywhere; rich, which prints tables, reads the same variables.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") not in _NO_TERMINALS


def tell(kind: str, text: str, colour: str) -> None:
    """One line on stderr that begins with what kind of message it is, in colour on a terminal."""
    shown = coloured(sys.stderr)
    line = fitted(f"{kind}{printable(text)}", sys.stderr, hang=2)
    head = click.style(kind, fg=colour, bold=True) if shown else kind
    click.echo(f"{head}{line[len(kind) :]}", file=sys.stderr, color=shown)


def show(text: str, file: TextIO) -> None:
    """Print a text of ours that has colours of its own, such as help, which are left out here."""
    click.echo(text, file=file, color=coloured(file))


def fitted(line: str, stream: TextIO, hang: int = 0) -> str:
    """A line as a terminal has room for it, broken between words; elsewhere as it is.

    Args:
        line: of printable text.
        stream: where it goes.
        hang: spaces before all but the first part.
    """
    columns = shutil.get_terminal_size().columns
    if len(line) <= columns or not stream.isatty():
        return line
    parts = textwrap.wrap(
        line,
        columns,
        subsequent_indent=" " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(parts)


def say(*lines: str, file: TextIO | None = None, hang: int | None = None) -> None:
    """Print lines as they are; what would break or colour one is replaced.

    Args:
        lines: each without a line end.
        file: default: stdout as it is now.
        hang: of sentences: a terminal gets them broken between words, and this many spaces before
            all but the first part; None: of documents and paths, which stay whole.
    """
    stream = file or sys.stdout
    shown = [printable(line) for line in lines]
    if hang is not None:
        shown = [fitted(line, stream, hang) for line in shown]
    click.echo("\n".join(shown), file=stream)


def prompt(question: str) -> str:
    """The user's answer to a question on stderr."""
    return str(click.prompt(printable(question), err=True))


def stderr() -> "Console":
    """The console for progress and warnings."""
    return _console(stderr=True)


def stdout() -> "Console":
    """The console for results."""
    return _console()


def recorder(width: int) -> "Console":
    """A console that keeps what it is given, for a page."""
    return _console(record=True, file=io.StringIO(), width=width)


def _console(**given: Any) -> "Console":
    from rich.console import Console
    from rich.segment import Segment

    class Safe(Console):
        """Shows names as they are: no markup, no emoji codes, no control characters."""

        def render(
            self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
        ) -> "Iterable[Segment]":
            for segment in super().render(renderable, options):
                if segment.control or segment.text == "\n":
                    yield segment
                else:
                    yield Segment(_shown(segment.text), segment.style)

    return Safe(markup=False, emoji=False, highlight=False, **given)


def _shown(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
