"""A teacher that is an ONNX file of the user: a black box, of which only the answers are used.

    >>> with BlackBox(Path("teacher.onnx"), Signature.of(data)) as teacher:     # doctest: +SKIP
    ...     logits = teacher.ask(x)

The file is not trusted. It is loaded and run in a child process with a memory limit and a time-out,
which returns nothing but numbers. Its input is the samples as the data set has them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.machine.child import PYTHON
from ...errors import ModelError, no_file
from .. import tasks
from ..isolation.child import TIMEOUT_S, Child
from .fitting import Arrangement, Port, Signature, bare, choose, plan

WORKER = (*PYTHON, "edgestill.pipeline.teachers.worker")
_RECORD = "ask it elsewhere and give its recorded logits: teacher.model = 'logits:FILE'"
_BLOCK_SAMPLES = 256
_BLOCK_BYTES = 1 << 24


class BlackBox:
    """An ONNX model that gives logits for samples.

    Args:
        path: the ``.onnx`` or ``.ort`` file.
        of: the samples and the number of outputs.
        threads: intra-op threads.
        timeout_s: wall-clock seconds for loading it, and for each block of samples.
        memory_limit_bytes: of its process; None: no limit.
        command: the program that runs it, as an argument list.

    Attributes:
        outputs: number of outputs per sample.
        notes: sentences for the report: how the model's inputs and outputs were interpreted.

    Raises:
        ModelError: it is missing or broken, has weights outside its folder, does not take the
            samples, gives other outputs, or does not run.
        MeasureError: no process could be started.
    """

    def __init__(
        self,
        path: Path,
        of: Signature,
        *,
        threads: int = 1,
        timeout_s: float = TIMEOUT_S,
        memory_limit_bytes: int | None = None,
        command: Sequence[str] = WORKER,
    ) -> None:
        self._where = str(path)
        self._of = of
        self._probabilities: bool | None = None
        self.notes: tuple[str, ...] = ()
        if not path.is_file():
            raise no_file(path, ModelError, "correct teacher.model")
        self._child = Child(
            path,
            threads=threads,
            timeout_s=timeout_s,
            memory_limit_bytes=memory_limit_bytes,
            command=command,
            fix=_RECORD,
        )
        try:
            opened = self._child.ask({"do": "open", "model": str(path), "threads": threads})
            self._ports = [_port(output) for output in opened["outputs"]]
            self._plan = plan([_port(port) for port in opened["inputs"]], of, self._where)
            self._arrangement, self._batch, self._want, self.outputs = self._find_arrangement()
        except BaseException:
            self.close()
            raise
        self._note_interpretation()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the model's process."""
        self._child.close()

    def ask(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of samples, in order; log-probabilities if the model gives probabilities.

        Args:
            x: [n, *sample_shape], of the data set's dtype.

        Returns:
            float32 [n, outputs].

        Raises:
            ModelError: the model dies, runs out of time, or gives NaN or infinity.
        """
        answers = np.empty((len(x), self.outputs), np.float32)
        step = self._step()
        for start in range(0, len(x), step):
            part = slice(start, min(start + step, len(x)))
            answers[part] = self._logits(self._outputs_of(np.asarray(x[part])), start)
        return answers

    def _step(self) -> int:
        """Samples per block: few enough for the pipe and the time-out if samples are large."""
        size = np.dtype(self._of.dtype).itemsize * int(np.prod(self._of.sample_shape))
        most = max(1, min(_BLOCK_SAMPLES, _BLOCK_BYTES // max(size, 1)))
        return -(-most // self._batch) * self._batch if self._batch else most

    def _outputs_of(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """The logits output for one block, [n, outputs]."""
        n = len(x)
        if self._batch and n % self._batch:
            # Copies of the last sample fill up a fixed batch.
            x = np.concatenate([x, np.repeat(x[-1:], -n % self._batch, axis=0)])
        answer = self._run(x, self._arrangement, self._batch, self._want)
        dtype, shape = answer["arrays"][0]
        if dtype != "<f4" or bare(shape, self.outputs) != (len(x), self.outputs):
            raise ModelError(
                found=f"answers of shape {shape} to {len(x)} samples",
                expected=f"[{len(x)}, {self.outputs}]",
                where=self._where,
                fix="export it with a dynamic batch, or with a batch of 1",
            )
        values: NDArray[np.float32] = self._child.array(dtype, shape)
        return values.reshape(len(x), self.outputs)[:n]

    def _run(
        self, x: NDArray[Any], arrangement: Arrangement, batch: int | None, want: int | None
    ) -> dict[str, Any]:
        slots = self._plan.slots
        request = {
            "do": "run",
            "names": [slot.name for slot in slots],
            "constant": [slot.name for slot in slots if slot.role == "constant"],
            "samples": len(x),
            "batch": batch,
            "want": want,
        }
        return self._child.ask(request, self._plan.feed(x, arrangement, self._of.pad))

    def _find_arrangement(self) -> tuple[Arrangement, int | None, int, int]:
        """Run it on zeros, the likeliest arrangement first, until its outputs have the right shape.

        The shapes that a model declares are often open, and sometimes wrong about the batch.
        """
        runs, outputs = [], []
        batches = (self._plan.batch,) if self._plan.batch else (None, 1)
        for arrangement in self._plan.arrangements:
            for batch in batches:
                # With as many samples as outputs, the axes could not be told apart.
                rows = batch or (3 if self._of.outputs == 2 else 2)
                x = np.zeros((rows, *self._of.sample_shape), self._of.dtype)
                try:
                    shapes = self._run(x, arrangement, batch, None)["shapes"]
                except ModelError as error:
                    if not self._child.alive:
                        raise
                    runs.append(error)
                    continue
                want = choose(self._ports, shapes, rows, self._of)
                if want is not None:
                    return arrangement, batch, want, bare(shapes[want], self._of.outputs)[1]
                outputs.append(self._no_output(shapes))
        raise (outputs or runs)[0]

    def _no_output(self, shapes: Sequence[Sequence[int] | None]) -> ModelError:
        listed = ", ".join(
            f"{port}" + (f" (shape {shape} when run)" if shape else "")
            for port, shape in zip(self._ports, shapes, strict=True)
        )
        count = "k" if self._of.outputs is None else self._of.outputs
        return ModelError(
            found=f"outputs {listed}",
            expected=f"one output of floats [n, {count}], or one of several named 'logits'",
            where=self._where,
            fix="see that it was made for these classes; export it with its logits as an output",
        )

    def _note_interpretation(self) -> None:
        shape = self._of.sample_shape
        if self._arrangement.shape != shape:
            self._note(f"takes samples as {list(self._arrangement.shape)}, not {list(shape)}")
        slot = next(slot for slot in self._plan.slots if slot.role == "sample")
        if self._of.layout != "tokens" and slot.dtype != np.dtype(self._of.dtype):
            self._note(
                f"takes {slot.dtype}: the data set's {self._of.dtype} values are cast, not scaled"
            )
        if self._batch:
            self._note(f"is asked {self._batch} at a time")

    def _note(self, text: str) -> None:
        self.notes += (f"teacher {Path(self._where).name}: {text}",)

    def _logits(self, values: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        """A block's outputs as logits; the first block decides whether they are probabilities."""
        if not np.isfinite(values).all():
            row = start + int(np.argwhere(~np.isfinite(values))[0][0])
            raise ModelError(
                found=f"NaN or infinity for sample {row}",
                expected="finite logits",
                where=self._where,
                fix="check that it takes samples as the data set holds them",
            )
        probabilities = tasks.of(self._of.task).probabilities
        likely = probabilities is not None and probabilities.recognized(values)
        if self._probabilities is None:
            self._probabilities = likely
            if likely and probabilities:
                odds = probabilities.odds
                self._note(f"gives probabilities p; log({odds}) is taken for its logits")
        if not self._probabilities or probabilities is None:
            return values
        if not likely:
            raise ModelError(
                found=f"probabilities for the first samples, other numbers from sample {start} on",
                expected="logits, or probabilities throughout",
                where=self._where,
                fix="export it with its logits as an output",
            )
        return probabilities.logits(values)


def _port(port: dict[str, Any]) -> Port:
    return Port(port["name"], port["type"], tuple(port["shape"]), port["dtype"])


def external_files(path: Path) -> tuple[Path, ...]:
    """The files of weights that an ONNX file refers to; a child process reads it.

    Raises:
        ModelError: it is broken, or names a file outside its own folder.
    """
    with Child(path, command=WORKER, fix=_RECORD, timeout_s=60.0) as child:
        return tuple(map(Path, child.ask({"do": "files", "model": str(path)})["external"]))


__all__ = ["BlackBox", "Signature", "external_files"]
