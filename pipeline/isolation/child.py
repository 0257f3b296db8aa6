"""The parent's end of a foreign model's process: time-outs, its death and its last words.

>>> with Child(Path("teacher.onnx"), command=WORKER, fix="mend it") as child:  # doctest: +SKIP
...     child.ask({"do": "files", "model": "teacher.onnx"})
{'external': [], 'arrays': []}
"""

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from numpy.typing import NDArray

from ...devices.onboard.machine.child import Ending, end, kill, start
from ...devices.onboard.machine.system import memory_bytes
from ...devices.onboard.refusals import raise_refusal
from ...errors import EdgestillError, MeasureError, ModelError, StorageError
from . import wire

TIMEOUT_S = 600.0


class Child:
    """A process that runs a foreign model. Its end ends nothing else.

    Args:
        model: named in what is refused.
        command: the program that answers, as an argument list: ``PYTHON`` and its module.
        fix: what to do where it dies or takes too long.
        threads: of the runtime.
        timeout_s: wall-clock seconds for each request.
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
        # 0: as much as there is, where the system does not tell how much that is.
        limit = memory_limit_bytes or memory_bytes() or 0
        # A file, not a pipe: what nobody reads must not stop it.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        try:
            self._process = start(
                [*command, str(os.getpid()), str(limit)],
                threads=threads,
                where=self._where,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
            )
        except MeasureError:
            self._stderr.close()
            raise
        self._requests = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it can answer a request."""
        return self._process.returncode is None

    def ask(self, header: Mapping[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> dict[str, Any]:
        """Send one request and return the head of its answer; ``array`` reads the arrays after it.

        Raises:
            ModelError: it refuses, dies or runs out of time.
        """
        with self._timed():
            wire.send(self._requests, header, arrays)
            answer = wire.receive(self._answers)
            if answer is None:
                raise EOFError
        raise_refusal(answer)
        return answer

    def array(self, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """An array behind the head of an answer, whose dtype and shape the caller has checked.

        Raises:
            ModelError: it dies or runs out of time.
        """
        with self._timed():
            return wire.array(self._answers, dtype, shape)

    def close(self) -> None:
        """End it; nothing is left running."""
        end(self._process)
        for stream in (self._requests, self._answers, self._stderr):
            # Nobody is left to read what was not sent yet.
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _expire(self) -> None:
        self._expired = True
        kill(self._process)

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

    def _death(self) -> EdgestillError:
        try:
            # Its pipe is closed a moment before it is gone.
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = 0
        ending = Ending(code, self._words())
        self.close()
        if self._expired:
            return ModelError(
                f"a model that gave no answer within {self._timeout_s:g} s",
                where=self._where,
                fix=self._fix,
            )
        if ending.disk is not None:
            return StorageError(
                f"what is made of it cannot be written ({ending.disk})",
                where=self._where,
                fix="free some space, or write to another disk",
            )
        memory = "it may need more memory than there is; " if ending.signal == "SIGKILL" else ""
        return ModelError(
            f"a model whose process {ending.how}", where=self._where, fix=memory + self._fix
        )

    def _words(self) -> str:
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - 4096))
        return self._stderr.read().decode(errors="replace")
