"""What every file answers on test, as the verify stage found it."""

from typing import Literal

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.task_names import TaskName
from .fidelity import Fidelity
from .record import Record
from .shift import Shift
from .steadiness import Steadiness


class Parity(Record):
    """How far a file is from PyTorch on real samples, at one batch and optimization level."""

    batch: int
    optimization: str
    samples: int
    max_abs_difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the largest difference stays within the tolerance."""
        return self.max_abs_difference <= self.tolerance


class Here(Record):
    """What an int8 file answers by this host's own kernels, which saturate and the target's do not.

    Every other figure of the file is then of the runtime's saturation-free mode.
    """

    score: Estimate
    answers_changed: int
    """Of test, against the saturation-free mode."""
    shift: Shift | None = None
    """How far its outputs are from that mode's; None in runs of schema 2."""


class PackageQuality(Record):
    """One model in another format than ``.onnx``, against its ``.onnx`` file on all of test."""

    format: str
    max_abs_difference: float | None
    """Largest difference in logits; None where nothing here can run the file."""
    agreement: float | None
    """Share of samples with the same answer; None where nothing here can run the file."""
    least_agreement: float
    """Below it, the file is not the same model."""
    answers_hold: bool
    """Whether the answers found here are those of the target."""
    missing: str | None = None
    """Why the file was not run; None where it was."""


class OverConstant(Record):
    """What a model gains, by one metric, over the best answer that does not depend on the input."""

    metric: str
    answer: str
    """That answer, in words."""
    constant: float
    """The metric of it, on test."""
    gain: Estimate
    """Of the model over it, so that more is better; of the score paired by sample. Exact where the
    model itself gives one answer to all of test."""


class VariantQuality(Record):
    """What one variant answers on the whole test split, in the runtime that ships."""

    name: str
    checker: str | None
    """The message of ``onnx.checker``; None where it passes."""
    parity: tuple[Parity, ...]
    """Against the torch model that the file was made of. Empty for a file that a method quantized:
    that is judged by its accuracy."""
    packages: tuple[PackageQuality, ...]
    """The formats beside ``.onnx``."""
    score: Estimate
    """The task's own: accuracy, mAP, R² or cosine. Its interval, as all here but that of the gain,
    has the confidence of ``judge.promise``."""
    metrics: dict[str, Estimate]
    """Every metric of the task, by name."""
    over_constant: tuple[OverConstant, ...] = ()
    """By each metric of the task that asks for it. Empty in runs of schema 2.0."""
    agreement_with_teacher: Estimate
    drop_vs_teacher: Estimate
    drop_vs_fp32: Estimate
    answers_changed_vs_fp32: int
    shift_vs_fp32: Shift | None = None
    """How far its outputs are from those of fp32; None in runs of schema 2."""
    fidelity: Fidelity | None = None
    """Against the teacher; None for the teacher itself, or where its answers are not known."""
    here: Here | None = None
    """By this host's own kernels, where those are not the target's."""
    made_from: str | None = None
    """The variant whose file it was made from, and whose faults are its own; None for none."""
    confusion: tuple[tuple[int, ...], ...] | None = None
    """Samples of test by true class (rows) and answer (columns). None of other tasks, of more than
    fifty classes, and in runs of older versions."""
    steadiness: Steadiness | None = None
    """Whether it answers one input in one way; None where a run of an older version lacks it."""


class Gain(Record):
    """The gain of distillation: the same student, seed and steps with and without the teacher."""

    seeds: tuple[int, ...]
    distilled_score: tuple[float, ...]
    plain_score: tuple[float, ...]
    difference: Estimate
    """Distilled minus plain. One seed: paired over test samples; more: over seeds."""
    labelled_score: tuple[float, ...] = ()
    """Of the student that is taught on the labelled samples alone; empty where every sample has a
    label, where the recipe asks for no such student, and in runs of older versions."""
    by_unlabelled: Estimate | None = None
    """Distilled minus that student: what the samples without a label gave. None as above."""


class Int8Drops(Record):
    """What static int8 takes of a student, with and without the teacher; it decides no budget."""

    seeds: tuple[int, ...]
    distilled_drop: tuple[float, ...]
    """Score lost from fp32 to static int8 on test, one a seed."""
    plain_drop: tuple[float, ...]
    distilled_changed: tuple[int, ...]
    """Answers of test that int8 changed, one a seed."""
    plain_changed: tuple[int, ...]
    difference: Estimate
    """Drop of the distilled minus drop of the plain student: above 0, distillation made it harder
    to quantize. One seed: paired over test samples; more: over seeds."""


class GroupScore(Record):
    """The score of every model on one group of test: a speaker, a subject, a site."""

    name: str
    samples: int
    scores: dict[str, float | None]
    """By model, the teacher among them; None where it is not defined on these samples."""


class VerifyRecord(Record):
    """Quality of the teacher and every variant."""

    task: TaskName
    labels: tuple[str, ...]
    """Names of the classes, labels or numbers, whose figures are ``metrics["name[index]"]``."""
    split: Literal["test", "validation"] = "test"
    """What was judged by: a verdict is one on test, a rung of a search one on validation."""
    test_samples: int
    """Of that split."""
    metric: str
    """What a score is: accuracy, mAP, R² or cosine."""
    label_unit: str = ""
    """The unit that all numbers of a regression share; empty where there is none."""
    left_out: tuple[str, ...] = ()
    """Classes, labels or numbers that test has nothing to judge by; means over them leave them
    out."""
    teacher: VariantQuality | None
    """Of the teacher's file, where there is one."""
    teacher_score: Estimate
    """Of its answers, file or not."""
    variants: tuple[VariantQuality, ...]
    gain: Gain | None
    """None without labels, since no student can then be trained without the teacher."""
    int8_drops: Int8Drops | None = None
    """None without labels, without the variant int8-static, and in runs of older versions."""
    groups: tuple[GroupScore, ...] = ()
    """Of each group of test, the worst for the student first; empty without groups."""
    remarks: tuple[str, ...] = ()
    """What a reader of the scores has to know; on the first page."""

    @property
    def files(self) -> tuple[VariantQuality, ...]:
        """Everything that has a file: the teacher first, where it has one."""
        return (*([self.teacher] if self.teacher else []), *self.variants)
