"""The parent's end of a foreign model's process: time-outs, its death and its last words.

>>> with Child(Path("teacher.onnx"), command=WORKER, fix="mend it") as child:  # doctest: +SKIP
...     child.ask({"do": "files", "model": "teacher.onnx"})
{'external': [], 'arrays': []}
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from numpy.typing import NDArray

from ...devices.onboard.process.run_job import environment
from ...errors import DataError, EdgestillError, MeasureError, ModelError, UsageError
from . import wire

# -P: the current folder is no place to import from.
PYTHON = (sys.executable, "-P", "-m")
TIMEOUT_S = 600.0
_KINDS: Mapping[str, type[EdgestillError]] = {
    one.__name__: one for one in (UsageError, DataError, ModelError, MeasureError)
}


class Child:
    """A process that runs a foreign model. Its end ends nothing else.

    Args:
        model: named in what is refused.
        command: the program that answers, as an argument list: ``PYTHON`` and its module.
        fix: what to do where it dies or takes too long.
        threads: of the runtime.
        timeout_s: wall-clock seconds for each question.
        memory_limit_bytes: of its address space; None: all the machine has.

    Raises:
        MeasureError: no process could be started.
    """

    def __init__(
        self,
        model: Path,
        *,
        command: Sequence[str],
        fix: str,
        threads: int = 1,
        timeout_s: float = TIMEOUT_S,
        memory_limit_bytes: int | None = None,
    ) -> None:
        self._fix = fix
        self._where = str(model)
        self._timeout_s = timeout_s
        self._expired = False
        limit = memory_limit_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        # A file, not a pipe: what nobody reads must not stop it.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        try:
            self._process = subprocess.Popen(
                [*command, str(os.getpid()), str(limit)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=environment(threads),
                start_new_session=True,
            )
        except OSError as error:
            self._said.close()
            raise MeasureError(
                f"no process could be started ({error})", where=self._where
            ) from None
        self._requests = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.returncode is None

    def ask(self, header: Mapping[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> dict[str, Any]:
        """One question and the head of its answer; ``array`` reads what comes behind it.

        Raises:
            ModelError: it refuses, dies or runs out of time.
        """
        with self._timed():
            wire.send(self._requests, header, arrays)
            answer = wire.receive(self._answers)
            if answer is None:
                raise EOFError
        if (error := answer.get("error")) is not None:
            raise _KINDS[error["kind"]](
                error["found"], expected=error["expected"], where=error["where"], fix=error["fix"]
            )
        return answer

    def array(self, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """An array behind the head of an answer, of a kind that the caller has found right.

        Raises:
            ModelError: it dies or runs out of time.
        """
        with self._timed():
            return wire.array(self._answers, dtype, shape)

    def close(self) -> None:
        """End it; nothing is left running."""
        self._kill()
        self._process.wait()
        for stream in (self._requests, self._answers, self._said):
            # What was not yet sent has nobody to go to.
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _expire(self) -> None:
        self._expired = True
        self._kill()

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        timer = threading.Timer(self._timeout_s, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (BrokenPipeError, EOFError):
            raise self._death() from None
        except BaseException:
            # Ctrl-C too: a half-read answer cannot be taken up again.
            self.close()
            raise
        finally:
            timer.cancel()

    def _death(self) -> ModelError:
        try:
            # Its pipe is closed a moment before it is gone.
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = 0
        words = self._last_words()
        self.close()
        if self._expired:
            return ModelError(
                f"a model that gave no answer within {self._timeout_s:g} s",
                where=self._where,
                fix=self._fix,
            )
        how = f"ended with status {code}" if code >= 0 else f"was ended by {_signal(-code)}"
        short = "it may need more memory than there is; " if code == -signal.SIGKILL else ""
        return ModelError(
            f"a model whose process {how}{words}", where=self._where, fix=short + self._fix
        )

    def _last_words(self) -> str:
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - 4096))
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        shown = "".join(c if c.isprintable() else "?" for c in lines[-1]) if lines else ""
        return f" ({shown[:300]})" if shown else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
