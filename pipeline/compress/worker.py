"""The fresh process in which a model that nobody vouches for is compressed.

    python -m edgestill.pipeline.compress.worker PARENT_PID MEMORY_LIMIT_BYTES

It reads messages of ``wire`` from stdin: first the model, its calibration data and how,
then a method at a time. It writes into the folder it is given.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.machine.confine import confine
from ...devices.onboard.model.inputs import check_batch
from ...devices.onboard.model.modelfile import check_external_data, printable
from ...devices.onboard.refusals import told
from ...devices.onboard.runtimes.onnxruntime import dtype_of, inputs_of, open_session
from ...devices.onboard.settings import Session
from ...errors import DataError, EdgestillError, ModelError
from ..data.archive import unpacked
from ..isolation import wire
from ..recipe.compress import Compress
from ..records import Plan
from .method import BATCH, Job, Outputs, answers, fp32_answers
from .methods import METHODS

LABELS = "y"
"""The array of a calibration file that holds the classes, where it is no input."""
_FIX = "write it with numpy.savez: one array an input, samples along the first axis"


def main() -> int:
    """Answer until stdin ends."""
    parent, memory_limit_bytes = int(sys.argv[1]), int(sys.argv[2])
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    confine(parent, memory_limit_bytes)
    serve(sys.stdin.buffer, replies, memory_limit_bytes)
    return 0


def serve(requests: BinaryIO, replies: BinaryIO, memory_limit_bytes: int) -> None:
    """One reply for each request, in order; the first opens the model."""
    work: Work | None = None
    while (request := wire.receive(requests)) is not None:
        try:
            if work is None:
                work = Work.open(request)
                reply: dict[str, Any] = {"samples": work.samples, "labels": work.labels is not None}
            else:
                reply = work.compress(request["method"], Path(request["target"]))
        except EdgestillError as error:
            reply = {"error": told(error)}
        except MemoryError:
            refusal = ModelError(
                f"a model that needs more than {memory_limit_bytes} bytes of memory",
                fix="quantize it on a machine with more memory",
            )
            reply = {"error": told(refusal)}
        wire.send(replies, reply)


@dataclass(frozen=True)
class Work:
    """A model, what it is calibrated with, and how."""

    model: Path
    feed: Mapping[str, NDArray[Any]]
    labels: NDArray[Any] | None
    plan: Plan
    asked: Compress

    @classmethod
    def open(cls, request: Mapping[str, Any]) -> "Work":
        """Check the model and its calibration data.

        Raises:
            ModelError: the model is broken or takes what cannot be fed.
            DataError: the calibration data are not the model's inputs.
        """
        model = Path(request["model"])
        check_external_data(model)
        asked = Compress.model_validate_json(request["asked"])
        feed, labels = _read(model, Path(request["calibration"]), Path(request["folder"]))
        most = asked.calibration_samples
        return cls(
            model,
            {name: array[:most] for name, array in feed.items()},
            None if labels is None else labels[:most],
            Plan.model_validate_json(request["plan"]),
            asked,
        )

    @property
    def samples(self) -> int:
        """Samples it is calibrated with."""
        return min(map(len, self.feed.values()))

    @cached_property
    def fp32(self) -> Outputs:
        """What the model itself answers to the samples."""
        return fp32_answers(self._job(self.model))

    def compress(self, method: str, target: Path) -> dict[str, Any]:
        """Write one file, and say what it is.

        Raises:
            ModelError: the model cannot be compressed so.
        """
        job = self._job(target, known=self.fp32)
        effect = METHODS[method](job)
        found = answers(target, job)
        changed = changed_answers(self.fp32, found)
        return {
            "changed_nodes": effect.changed_nodes,
            "notes": effect.notes,
            "saturable": [one.model_dump(mode="json") for one in effect.saturable],
            "curve": [one.model_dump(mode="json") for one in effect.curve],
            "answers_changed": None if changed is None else int(changed.sum()),
            "lost": job.lost(self.fp32, found),
            "max_abs_difference": float(np.abs(self.fp32 - found).max()),
        }

    def _job(self, target: Path, known: Outputs | None = None) -> Job:
        return Job(
            source=self.model,
            target=target,
            samples=self.feed,
            plan=self.plan,
            calibration=self.asked.calibration,
            percentile=self.asked.percentile,
            lost=self._lost(),
            most_lost=self.asked.mixed_max_loss,
            fusion=self.asked.fusion,
            known=known,
        )

    def _lost(self) -> Callable[[Outputs, Outputs], float]:
        """Accuracy lost where there are labels, else the share of answers changed.

        Of outputs that are no classes: the root mean square difference, over fp32's own.
        """
        labels = self.labels

        def lost(fp32: Outputs, found: Outputs) -> float:
            changed = changed_answers(fp32, found)
            if changed is None:
                power = float(np.square(fp32, dtype=np.float64).mean())
                noise = float(np.square(fp32 - found, dtype=np.float64).mean())
                return (noise / power) ** 0.5 if power else 0.0
            if labels is None:
                return float(changed.mean())
            right = [float((one.argmax(1) == labels).mean()) for one in (fp32, found)]
            return right[0] - right[1]

        return lost


def changed_answers(fp32: Outputs, found: Outputs) -> NDArray[np.bool_] | None:
    """Whether the class of each sample is another one, bool [n]; None where there are none."""
    if fp32.ndim != 2 or fp32.shape[1] < 2:
        return None
    differ: NDArray[np.bool_] = fp32.argmax(1) != found.argmax(1)
    return differ


def _read(
    model: Path, calibration: Path, folder: Path
) -> tuple[dict[str, NDArray[Any]], NDArray[Any] | None]:
    """The inputs' arrays, memory-mapped, and the labels if there are any."""
    schema = inputs_of(open_session(model, Session(optimization="none")))
    names = [one.name for one in schema]

    def wanted(members: list[str]) -> dict[str, str]:
        missing = sorted(set(names) - set(members))
        if missing:
            raise DataError(
                f"the arrays {', '.join(map(printable, sorted(members))) or 'none'}",
                expected=f"one for each input: {', '.join(map(printable, names))}",
                where=str(calibration),
                fix=_FIX,
            )
        return {name: name for name in (*names, LABELS) if name in members}

    try:
        arrays = unpacked(calibration, folder, wanted, _FIX)
    except OSError as error:
        raise DataError(
            f"a file that cannot be read ({error.strerror})", where=str(calibration)
        ) from None
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        told_lengths = ", ".join(f"{n} of {printable(name)}" for name, n in lengths.items())
        raise DataError(
            told_lengths, expected="as many samples of each, one at least", where=str(calibration)
        )
    labels = arrays.pop(LABELS) if LABELS in arrays and LABELS not in names else None
    batch = {name: array[:BATCH] for name, array in arrays.items()}
    check_batch(batch, schema, [dtype_of(one) for one in schema], str(calibration))
    return arrays, labels


if __name__ == "__main__":
    sys.exit(main())
