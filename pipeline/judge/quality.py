"""What one variant answers on test, compared with the teacher, with fp32 and in other formats.

quality_of(variant, answers, reference, parity)     # a VariantQuality
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ...errors import reason
from ...exporters.package import Package
from .. import tasks
from ..records import (
    TEACHER,
    DataRecord,
    Fidelity,
    Here,
    PackageQuality,
    Parity,
    Shift,
    Variant,
    VariantQuality,
)
from ..tasks import confusion
from ..tasks.constant import over_constant
from ..tasks.probabilities import Probabilities
from ..tasks.proportions import share
from ..tasks.sampling import Sampling
from .answers import Logits, logits
from .parity import distance

FP32 = "fp32"
UNKNOWN = Estimate.unknown("the teacher's answers on test are not known")
NO_TEACHER = Estimate.unknown("there is no teacher")


@dataclass(frozen=True, slots=True)
class Reference:
    """What every variant is compared with, on test.

    Attributes:
        data: names of the classes or numbers.
        task: what is measured, and how.
        truth: labels; the teacher's vectors where there are none.
        teacher: the teacher's outputs; None where it has none for test.
        fp32: outputs of the fp32 student.
        sampling: how the test samples were drawn, and how sure intervals have to be.
        unknown: what a comparison with the teacher is without its outputs.
    """

    data: DataRecord
    task: tasks.Task
    truth: NDArray[Any]
    teacher: Logits | None
    fp32: Logits
    sampling: Sampling
    unknown: Estimate = UNKNOWN

    def score(self, outputs: Logits | None) -> Estimate:
        """The task's score of some outputs; unknown where there are none."""
        if outputs is None:
            return self.unknown
        return self.task.score(outputs, self.truth, self.sampling)

    def changed(self, outputs: Logits, before: Logits) -> NDArray[Any]:
        """Which samples are answered otherwise, boolean [n]."""
        return self.task.answers_differ(outputs, before, self.truth)

    def shift(self, outputs: Logits, before: Logits) -> Shift:
        """How far some outputs are from others, in the task's own terms."""
        return self.task.shift(outputs, before, self.truth, self.data.labels)


@dataclass(frozen=True, slots=True)
class Running:
    """How files are run on the test split.

    Attributes:
        folder: where they lie.
        x: samples [n, …] as the model takes them.
        batch: samples a run.
        workers: threads that share the samples out.
        precise: whether int8 is computed without saturation, as on the target.
        pad: of texts, which run at the length of the longest in a batch; None: no texts.
        probabilities: that the files give in place of logits, and how to turn each into the other;
            None: they give what the model gives.
    """

    folder: Path
    x: NDArray[Any]
    batch: int
    workers: int
    precise: bool
    pad: int | None = None
    probabilities: Probabilities | None = None

    def outputs(self, name: str, *, precise: bool) -> Logits:
        """What a file answers, float32 [n, outputs]; probabilities as logits that give them."""
        answers = logits(
            self.folder / name,
            self.x,
            batch=self.batch,
            workers=self.workers,
            precise=precise,
            pad=self.pad,
        )
        return answers if self.probabilities is None else self.probabilities.logits(answers)

    def apart(self, outputs: Logits, others: Logits) -> float:
        """The largest difference of two files' numbers, as they give them."""
        if self.probabilities is None:
            return distance(outputs, others)
        return distance(self.probabilities.of(outputs), self.probabilities.of(others))


def quality_of(
    variant: Variant,
    outputs: Logits,
    reference: Reference,
    running: Running,
    parity: tuple[Parity, ...],
) -> VariantQuality:
    """Score one variant, compare it, and run its other formats.

    Args:
        variant: its files.
        outputs: of its ``.onnx`` file on test.
        reference: what it is compared with.
        running: how files are run.
        parity: against its torch model; empty where it has none.

    Raises:
        ModelError: a file cannot be run or gives NaN.
    """
    name, task, truth = variant.name, reference.task, reference.truth
    metrics = task.metrics(outputs, truth, reference.sampling)
    return VariantQuality(
        name=name,
        checker=_checker(running.folder / variant.file) if variant.in_onnx else None,
        parity=parity,
        packages=tuple(
            _package(package, outputs, reference, running) for package in variant.packages[1:]
        ),
        score=metrics.get(task.metric.name) or reference.score(outputs),
        metrics=metrics,
        over_constant=over_constant(
            task, outputs, truth, reference.data.labels, metrics, reference.sampling
        ),
        agreement_with_teacher=agreement(outputs, reference),
        drop_vs_teacher=_drop(TEACHER, name, outputs, reference.teacher, reference),
        drop_vs_fp32=_drop(FP32, name, outputs, reference.fp32, reference),
        answers_changed_vs_fp32=(apart := reference.shift(outputs, reference.fp32)).changed,
        shift_vs_fp32=apart,
        fidelity=_fidelity(outputs, reference) if name != TEACHER else None,
        confusion=_confusion(outputs, reference),
        here=_here(variant, outputs, reference, running),
    )


def _confusion(outputs: Logits, reference: Reference) -> tuple[tuple[int, ...], ...] | None:
    """Answers by truth, where exactly one class is right."""
    if not reference.task.exclusive or reference.task.labels is None:
        return None
    return confusion.counts(outputs, reference.truth, len(reference.data.labels))


def _package(
    package: Package, expected: Logits, reference: Reference, running: Running
) -> PackageQuality:
    """What a format answers on test against ``.onnx``; without a runtime, why it does not."""
    difference = agreement = missing = None
    if package.runtime is None:
        missing = package.no_runtime or "no runtime here can load it"
    else:
        outputs = running.outputs(package.model.name, precise=running.precise)
        difference = running.apart(outputs, expected)
        agreement = 1.0 - float(reference.changed(outputs, expected).mean())
    return PackageQuality(
        format=package.format,
        max_abs_difference=difference,
        agreement=agreement,
        least_agreement=package.least_agreement,
        answers_hold=package.answers_hold,
        missing=missing,
    )


def _here(variant: Variant, outputs: Logits, reference: Reference, running: Running) -> Here | None:
    """What the file answers by this host's own kernels, where those are not the target's."""
    if not (running.precise and variant.changed_nodes and variant.in_onnx):
        return None
    own = running.outputs(variant.file, precise=False)
    apart = reference.shift(own, outputs)
    return Here(score=reference.score(own), answers_changed=apart.changed, shift=apart)


def agreement(outputs: Logits, reference: Reference) -> Estimate:
    """The share of test that is answered as by the teacher; unknown without its answers."""
    if reference.teacher is None:
        return reference.unknown
    agree = ~reference.changed(outputs, reference.teacher)
    return share(agree, reference.sampling, "agreement")


def _fidelity(outputs: Logits, reference: Reference) -> Fidelity | None:
    if reference.teacher is None:
        return None
    return reference.task.compare(
        outputs, reference.teacher, reference.truth, reference.data.labels, reference.sampling
    )


def _drop(
    of: str, name: str, outputs: Logits, before: Logits | None, reference: Reference
) -> Estimate:
    """Score lost to another model; to itself a file loses nothing, whatever the sample."""
    if name == of:
        return Estimate.exact(0.0, f"{of} is its own reference")
    if before is None:
        return reference.unknown
    return reference.task.drop(before, outputs, reference.truth, reference.sampling)


def _checker(path: Path) -> str | None:
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        return reason(error)
    return None
