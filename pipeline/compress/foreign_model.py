"""A model of the user's and its calibration data: what the worker process compresses.

model = ForeignModel.open(request)
model.compress("int8-static", Path("int8.onnx"))["changed_nodes"]
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...devices.onboard.model import training_operators
from ...devices.onboard.model.inputs import check_batch
from ...devices.onboard.model.made_inputs import dtype_of
from ...devices.onboard.model.modelfile import check_external_data, printable
from ...devices.onboard.runtimes import load
from ...devices.onboard.settings import Session
from ...errors import DataError, ModelError
from ..data.archive import unpacked
from ..judge.output_loss import reads_as_classes
from ..judge.steadiness import answers_alone, steadiness
from ..recipe.compress import Compress
from ..records import Plan
from ..records.steadiness import SEVERAL_WAYS
from .method import BATCH, Job, Outputs, answers, fp32_answers
from .methods import METHODS

LABELS = "y"
"""Name of the array with the classes in a calibration file, unless an input has that name."""


_FIX = "write it with numpy.savez: one array an input, samples along the first axis"


@dataclass(frozen=True)
class ForeignModel:
    """A model, its calibration data and the options.

    Attributes:
        model: the fp32 file.
        feed: arrays by input name, samples along the first axis.
        labels: classes of the samples, or None.
        plan: types and bits of int8 for the target.
        options: the `[compress]` options.
    """

    model: Path
    feed: Mapping[str, NDArray[Any]]
    labels: NDArray[Any] | None
    plan: Plan
    options: Compress

    @classmethod
    def open(cls, request: Mapping[str, Any]) -> "ForeignModel":
        """Check the model and its calibration data.

        Raises:
            ModelError: the model is broken or has inputs of an unsupported type.
            DataError: the calibration data do not match the model's inputs.
        """
        model = Path(request["model"])
        check_external_data(model)
        training_operators.check(model)
        options = Compress.model_validate_json(request["asked"])
        feed, labels = _calibration_data(
            model, Path(request["calibration"]), Path(request["folder"])
        )
        limit = options.calibration_samples
        return cls(
            model,
            {name: array[:limit] for name, array in feed.items()},
            None if labels is None else labels[:limit],
            Plan.model_validate_json(request["plan"]),
            options,
        )

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What makes the model's answers depend on more than its input.

        Raises:
            ModelError: it answers one input in several ways, so that no other file could be said to
                answer as it does.
        """
        found = steadiness(
            self.model,
            next(self._job(self.model).feeds()),
            Session(precise=self.plan.precise),
            alone=answers_alone(self.model),
        )
        for fault in found.faults:
            if fault.startswith(SEVERAL_WAYS):
                raise ModelError(
                    f"a model that {fault}",
                    expected="one answer to one input",
                    where=str(self.model),
                    fix="export it in eval mode",
                )
        return found.faults

    @property
    def samples(self) -> int:
        """The number of calibration samples."""
        return min(map(len, self.feed.values()))

    @cached_property
    def fp32(self) -> Outputs:
        """The fp32 outputs on the samples."""
        return fp32_answers(self._job(self.model))

    def compress(self, method: str, target: Path) -> dict[str, Any]:
        """Write one file and describe it.

        Args:
            method: a key of `METHODS`.
            target: the file to write.

        Raises:
            ModelError: the method cannot compress the model.
        """
        job = self._job(target, fp32_outputs=self.fp32)
        effect = METHODS[method](job)
        outputs = answers(target, job)
        return {
            "changed_nodes": effect.changed_nodes,
            "notes": effect.notes,
            "saturable": [layer.model_dump(mode="json") for layer in effect.saturable],
            "curve": [step.model_dump(mode="json") for step in effect.curve],
            "outputs": [loss.model_dump(mode="json") for loss in outputs.losses(self.fp32)],
            "lost": job.lost(self.fp32, outputs),
        }

    def _job(self, target: Path, fp32_outputs: Outputs | None = None) -> Job:
        return Job(
            source=self.model,
            target=target,
            samples=self.feed,
            plan=self.plan,
            calibration=self.options.calibration,
            percentile=self.options.percentile,
            lost=self._lost(),
            most_lost=self.options.mixed_max_loss,
            fusion=self.options.fusion,
            fp32_outputs=fp32_outputs,
        )

    def _lost(self) -> Callable[[Outputs, Outputs], float]:
        """The loss of a file against fp32, of the output that loses most.

        The first output of classes loses accuracy where there are labels; every other loses what
        its own measure says.
        """

        def lost(fp32: Outputs, outputs: Outputs) -> float:
            found = {loss.name: loss.lost for loss in outputs.losses(fp32)}
            if self._labelled is not None:
                before, after = (self._accuracy(one, self._labelled) for one in (fp32, outputs))
                found[self._labelled] = before - after
            return max(found.values(), default=0.0)

        return lost

    @cached_property
    def _labelled(self) -> str | None:
        """The output that the labels belong to; None without labels, or without classes."""
        if self.labels is None:
            return None
        return next(
            (
                name
                for name, blocks in self.fp32.by_name.items()
                if reads_as_classes(name, blocks)
                and blocks[0].ndim == 2
                and sum(map(len, blocks)) == len(self.labels)
            ),
            None,
        )

    def _accuracy(self, outputs: Outputs, name: str) -> float:
        return float((outputs.whole(name).argmax(1) == self.labels).mean())


def _calibration_data(
    model: Path, calibration: Path, folder: Path
) -> tuple[dict[str, NDArray[Any]], NDArray[Any] | None]:
    """The arrays of the inputs, memory-mapped, and the labels or None."""
    schema = load(model, Session(optimization="none")).inputs
    names = [value.name for value in schema]

    def selected(members: list[str]) -> dict[str, str]:
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
        arrays = unpacked(calibration, folder, selected, _FIX)
    except OSError as error:
        raise DataError(
            f"a file that cannot be read ({error.strerror})", where=str(calibration)
        ) from None
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        shown_lengths = ", ".join(f"{n} of {printable(name)}" for name, n in lengths.items())
        raise DataError(
            shown_lengths,
            expected="the same number of samples of each, at least one",
            where=str(calibration),
        )
    labels = arrays.pop(LABELS) if LABELS in arrays and LABELS not in names else None
    batch = {name: array[:BATCH] for name, array in arrays.items()}
    check_batch(batch, schema, [dtype_of(value) for value in schema], str(calibration))
    return arrays, labels
