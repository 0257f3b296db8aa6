"""A child process: its environment, its start, its end and what it wrote last.

    ending = finish(("python", "-c", "exit('too small')"), "", timeout_s=10, where="m.onnx")
    ending.how                                          # 'ended with status 1 (too small)'

Every process in which edgestill measures a model on this machine goes through here. A child has a
session of its own: Ctrl-C reaches only its parent, which then ends the child with everything that
it started.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from ....errors import MeasureError
from . import system

# -P: no module is imported from the current folder; a foreign one may hold a numpy.py.
PYTHON = (sys.executable, "-P", "-m")
# What a child may see of our environment. Everything else (thread counts, preloads, debug switches)
# would make the figure depend on who ran it.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
# Without these no program starts on Windows, or none finds its folders and its processor.
_KEPT_WINDOWS = (
    *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "APPDATA"),
    *("LOCALAPPDATA", "PROGRAMDATA", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE"),
)
# numpy's own pool computes nothing here, but starts its threads on import; 1 is none.
_NUMPY_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LONGEST_WORDS = 300
_DISK = {
    r"No space left on device": "the disk is full",
    # numpy says so of an array that the disk took a part of.
    r"\d+ requested and \d+ written": "the disk is full",
    r"Disk quota exceeded": "the disk quota is used up",
    r"File too large": "the limit of a file's size is too small",
}
"""By a mark in the last line that a process wrote."""
_FAULTS = {0xC0000005: "SIGSEGV", 0xC000001D: "SIGILL", 0xC0000409: "SIGABRT"}
"""What Windows ends a process with (ntstatus.h), by the signal of the same meaning."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended.

    Attributes:
        status: its exit status, negative for a signal.
        words: what it wrote to stderr.
    """

    status: int
    words: str

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended it; None where it ended by itself."""
        if self.status >= 0:
            return _FAULTS.get(self.status) if system.WINDOWS else None
        try:
            return signal.Signals(-self.status).name
        except ValueError:
            return f"signal {-self.status}"

    @property
    def disk(self) -> str | None:
        """What the disk refused it, in words; None where the disk was not the cause."""
        last = last_line(self.words)
        return next((said for mark, said in _DISK.items() if re.search(mark, last)), None)

    @property
    def how(self) -> str:
        """The end in words, such as `was ended by SIGKILL`, with its last line in brackets."""
        end = f"ended with status {self.status}" if self.signal is None else None
        return f"{end or f'was ended by {self.signal}'}{last_line(self.words)}"


def environment(threads: int, source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a child: a few variables of ours, the rest fixed.

    Args:
        threads: of OpenMP, which some execution providers use.
        source: our own environment.
    """
    fixed = {
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": str(threads),
        **dict.fromkeys(_NUMPY_THREADS, "1"),
    }
    kept = (*_KEPT, *_KEPT_WINDOWS) if system.WINDOWS else _KEPT
    return {name: source[name] for name in kept if name in source} | fixed


def start(
    command: Sequence[str],
    *,
    threads: int,
    where: str | None,
    stdout: int = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a child whose stdin is a pipe.

    Args:
        command: the program and its arguments.
        threads: see `environment`.
        where: what the child is for, for the message.
        stdout: as of `subprocess.Popen`.
        stderr: the same.

    Raises:
        MeasureError: no process could be started.
    """
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            env=environment(threads),
            **session_of_its_own(),
        )
    except OSError as error:
        raise MeasureError(f"no process could be started ({error})", where=where) from None


def session_of_its_own() -> dict[str, Any]:
    """The words of `subprocess.Popen` for a child that Ctrl-C does not reach, only its parent."""
    if system.WINDOWS:
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return {"start_new_session": True}


def end(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and all that it started; nothing happens where it has ended."""
    if child.poll() is None:
        kill(child)
        child.wait()


def kill(child: subprocess.Popen[bytes]) -> None:
    """The same without waiting, for another thread than the one that waits for the child."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(child.pid, signal.SIGKILL)
            else:
                tree = ("taskkill", "/T", "/F", "/PID", str(child.pid))
                with contextlib.suppress(OSError):
                    subprocess.run(tree, capture_output=True, check=False)
                child.kill()


def finish(
    command: Sequence[str], text: str, *, timeout_s: float, where: str | None, threads: int = 1
) -> Ending | None:
    """Start a child, write a text to its stdin and wait for its end.

    This process blocks in the kernel meanwhile: a parent that polls would take a core from what is
    measured.

    Args:
        command: the program and its arguments.
        text: for its stdin.
        timeout_s: wall-clock seconds until it is killed.
        where: as of `start`.
        threads: as of `start`.

    Returns:
        How it ended; None where its time was up.

    Raises:
        MeasureError: no process could be started.
    """
    with start(command, threads=threads, where=where) as child:
        try:
            _, words = child.communicate(text.encode(), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # Also on KeyboardInterrupt: whatever happens, nothing is left running.
            end(child)
    return Ending(child.returncode, words.decode(errors="replace"))


def last_line(words: str) -> str:
    """The last line that a process wrote, in brackets and printable; empty where there is none."""
    lines = [line for line in words.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    shown = "".join(c if c.isprintable() else "?" for c in lines[-1])
    return f" ({shown[:_LONGEST_WORDS]})"
