"""A model of the user's and its calibration data: what the worker process compresses.

model = ForeignModel.open(request)
model.compress("int8-static", Path("int8.onnx"))["changed_nodes"]
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...devices.onboard.model import training_operators
from ...devices.onboard.model.inputs import check_batch, named_axes
from ...devices.onboard.model.made_inputs import dtype_of
from ...devices.onboard.model.modelfile import check_external_data, printable
from ...devices.onboard.model.samples import Samples, samples_of
from ...devices.onboard.runtimes import load
from ...devices.onboard.settings import Session
from ...errors import DataError, no_read
from ..data.archive import unpacked
from ..judge.output_loss import reads_as_classes, worst
from ..judge.steadiness import FURTHER, answers_alone, steadiness
from ..recipe.compress import Compress
from ..records import Plan
from ..records.steadiness import require_one_answer
from .method import BATCH, Job, Outputs, answers
from .methods import METHODS
from .normalize.normal_form import COMPARED, normalize
from .parity import Feed

LABELS = "y"
"""Name of the array with the classes in a calibration file, unless an input has that name."""

_REPEATED = 4
"""Samples of each query that is asked again."""
_FIX = "write it with numpy.savez: one array an input, samples along the first axis"


@dataclass(frozen=True)
class ForeignModel:
    """A model, its calibration data and the options.

    Attributes:
        model: the fp32 file.
        normal: the same in the normal form, which the methods take.
        changes: what the normal form changed, for the report.
        warnings: what makes the model's answers depend on more than its input.
        feed: arrays by input name, and how they are cut into samples.
        labels: classes of the samples, or None.
        plan: types and bits of int8 for the target.
        options: the `[compress]` options.
    """

    model: Path
    normal: Path
    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    feed: Samples
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
        folder = Path(request["folder"])
        everything, labels = _calibration_data(
            model, Path(request["calibration"]), folder, request.get("batch_axes", {})
        )
        feed = everything.first(options.calibration_samples)
        plan = Plan.model_validate_json(request["plan"])
        warnings = unsteady(model, list(islice(feed.batches(_REPEATED), 1 + FURTHER)), plan)
        normal = folder / "normal.onnx"
        changes = normalize(model, normal, [next(feed.batches(COMPARED))])
        labels = None if labels is None else labels[: feed.count]
        return cls(model, normal, changes, warnings, feed, labels, plan, options)

    @property
    def samples(self) -> int:
        """The number of calibration samples."""
        return self.feed.count

    @property
    def bytes(self) -> int:
        """The size of the model, its external data included."""
        return sum(f.stat().st_size for f in (self.model, *check_external_data(self.model)))

    @cached_property
    def fp32(self) -> Outputs:
        """The fp32 outputs on the samples."""
        return answers(self.model, self._job(self.model))

    def compress(self, method: str, target: Path) -> dict[str, Any]:
        """Write one file and describe it: the worse of its optimized and its plain answers.

        Args:
            method: a key of `METHODS`.
            target: the file to write.

        Raises:
            ModelError: the method cannot compress the model.
        """
        job = self._job(target, fp32_outputs=self.fp32)
        effect = METHODS[method](job)
        # A model may be right and its optimized form wrong, or the other way round.
        outputs = [answers(target, job, optimization=level) for level in ("all", "none")]
        losses = zip(*(one.losses(self.fp32) for one in outputs), strict=True)
        return {
            "changed_nodes": effect.changed_nodes,
            "notes": [*self.changes, *effect.notes],
            "saturable": [layer.model_dump(mode="json") for layer in effect.saturable],
            "curve": [step.model_dump(mode="json") for step in effect.curve],
            "outputs": [
                loss.model_dump(mode="json") for pair in losses if (loss := worst(pair)) is not None
            ],
            "lost": max(job.lost(self.fp32, one) for one in outputs),
        }

    def _job(self, target: Path, fp32_outputs: Outputs | None = None) -> Job:
        return Job(
            source=self.normal,
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

        The first output of classes loses accuracy where there are labels; of others the share of
        classes or values that change counts, and of numbers the power of the noise over that of
        the output, which is 1 - R² of an output around zero.
        """

        def lost(fp32: Outputs, outputs: Outputs) -> float:
            found = {
                loss.name: loss.damage if loss.measure == "numbers" else loss.lost
                for loss in outputs.losses(fp32)
            }
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


def unsteady(model: Path, feeds: Sequence[Feed], plan: Plan) -> tuple[str, ...]:
    """What makes a model's answers depend on more than its input.

    Args:
        model: its file.
        feeds: queries, at least one.
        plan: how files are run.

    Raises:
        ModelError: it answers one input in several ways, so that no other file could be said to
            answer as it does.
    """
    found = steadiness(
        model,
        feeds[0],
        Session(precise=plan.precise),
        alone=answers_alone(model),
        further=feeds[1:],
    )
    require_one_answer(model, found.faults)
    return found.faults


def _calibration_data(
    model: Path, calibration: Path, folder: Path, batch_axes: Mapping[str, int | None]
) -> tuple[Samples, NDArray[Any] | None]:
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
        arrays = unpacked(calibration, folder, selected, _FIX, absent="correct --calibration")
    except OSError as error:
        raise no_read(calibration, error, DataError) from None
    labels = arrays.pop(LABELS) if LABELS in arrays and LABELS not in names else None
    axes = named_axes(batch_axes, {name: array.ndim for name, array in arrays.items()})
    samples = samples_of(arrays, schema, where=str(calibration), given=axes)
    if labels is not None and len(labels) < samples.count:
        raise DataError(
            f"{samples.count} of {printable(names[0])}, {len(labels)} of {printable(LABELS)}",
            expected="the same number of samples of each, at least one",
            where=str(calibration),
        )
    batch = next(samples.batches(BATCH))
    check_batch(batch, schema, [dtype_of(value) for value in schema], str(calibration))
    return samples, labels
