"""Run one command: write to its stdin, read what it writes, until it ends or its time is up.

Its stdin stays open until it ends, because for the far side of a measurement the end of stdin means
that nobody waits any more.
"""

import subprocess
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO

from ...errors import DataError, ReachError
from ..onboard.machine.child import end, session_of_its_own


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status, negative for a signal.
        out: its stdout.
        stderr: its stderr.
    """

    status: int
    out: bytes
    stderr: str


def exchange(
    words: Sequence[str], pieces: Iterable[bytes], *, timeout_s: float, where: str
) -> Ended:
    """Run a program here, write to its stdin and return what it wrote.

    Args:
        words: the argument list.
        pieces: the bytes for its stdin.
        timeout_s: seconds until it is ended.
        where: for messages.

    Raises:
        ReachError: no such program, or its time is up.
        DataError: a piece could not be read.
    """
    try:
        child = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            **session_of_its_own(),
        )
    except OSError as error:
        raise ReachError(
            f"no program {words[0]} ({error.strerror})", where=where, fix=f"install {words[0]}"
        ) from None
    out, stderr = bytearray(), bytearray()
    unread: list[OSError] = []
    with child:
        threads = [
            threading.Thread(target=_hear, args=(child.stdout, out), daemon=True),
            threading.Thread(target=_hear, args=(child.stderr, stderr), daemon=True),
            threading.Thread(target=_tell, args=(child.stdin, pieces, unread), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ReachError(
                f"no answer after {timeout_s:g} s", where=where, fix="see that the device answers"
            ) from None
        finally:
            # Also on KeyboardInterrupt: whatever happens, nothing is left running.
            end(child)
            for thread in threads:
                thread.join(timeout=10)
    if unread:
        raise DataError(f"a file that cannot be read ({unread[0]})", where=where)
    return Ended(child.returncode, bytes(out), stderr.decode(errors="replace"))


def _hear(stream: IO[bytes], into: bytearray) -> None:
    while chunk := stream.read(1 << 16):
        into += chunk


def _tell(stream: IO[bytes], pieces: Iterable[bytes], unread: list[OSError]) -> None:
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[stream.write(rest) :]
    except (BrokenPipeError, ValueError):
        return  # it ended before it read everything; its stderr says why
    except OSError as error:
        unread.append(error)
