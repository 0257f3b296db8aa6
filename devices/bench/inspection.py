"""Inspect a model of unknown origin, in a child process.

>>> inspect(Path("model.onnx")).inputs          # doctest: +SKIP
(Input(name='x', type='tensor(float)', shape=('batch', 3, 32, 32)),)
"""

from dataclasses import dataclass
from pathlib import Path

from ..onboard.measure.job import InspectJob
from ..onboard.model.cost import Cost
from ..onboard.model.modelfile import Input
from ..onboard.model.training_operators import refusal
from ..onboard.process.run_job import run
from ..onboard.settings import DEFAULT_FEED, Feed
from ..place.worker import worker_of


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a model's file says, checked.

    Attributes:
        path: the model.
        format: `onnx` or `ort`.
        inputs: of the model.
        outputs: of the model.
        cost: operations and bytes of one inference, None where they cannot be counted.
        cost_missing: why there is no cost.
        external_files: files of weights beside it.
        file_bytes: size of all its files.
        runtime: the runtime that loaded it, and its version.
        training: the operators that act as in training, as a sentence; None where there is none.
        library_bytes: size of the runtime's shared libraries in memory; None where unknown.
        libraries: their names.
    """

    path: Path
    format: str
    inputs: tuple[Input, ...]
    outputs: tuple[Input, ...]
    cost: Cost | None
    cost_missing: str | None
    external_files: tuple[Path, ...]
    file_bytes: int
    runtime: str
    training: str | None = None
    library_bytes: int | None = None
    libraries: tuple[str, ...] = ()

    def check_training(self) -> None:
        """Refuse a model that answers one input in several ways.

        Raises:
            ModelError: it has operators that act as in training.
        """
        if self.training is not None:
            raise refusal(self.training, str(self.path))


def inspect(
    path: Path,
    *,
    feed: Feed = DEFAULT_FEED,
    timeout_s: float = 60.0,
    memory_limit_bytes: int | None = None,
) -> Inspection:
    """Schema, files and cost of a `.onnx` or `.ort` model, read in a child process.

    Args:
        path: the model.
        feed: batch and shapes, for the costs.
        timeout_s: seconds until the child is ended.
        memory_limit_bytes: of the child's address space, or None.

    Raises:
        ModelError: missing, broken, or with external data outside its own folder.
        MeasureError: the child died or ran out of time.
    """
    job = InspectJob(str(path), feed=feed)
    answer = run(
        job,
        timeout_s=timeout_s,
        memory_limit_bytes=memory_limit_bytes,
        command=worker_of(job),
    )
    return Inspection(
        path=path,
        format=answer.format,
        inputs=answer.inputs,
        outputs=answer.outputs,
        cost=answer.cost,
        cost_missing=answer.cost_missing,
        external_files=tuple(Path(file) for file in answer.external_files),
        file_bytes=answer.file_bytes,
        runtime=answer.runtime,
        training=answer.training,
        library_bytes=answer.library_bytes,
        libraries=answer.libraries,
    )
