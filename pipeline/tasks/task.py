"""The contract of a task: everything that differs between tasks, as plain functions and figures.

    >>> from edgestill.pipeline.tasks import of
    >>> of("classification").metric
    Metric(name='accuracy', unit='share', higher_is_better=True)

Outputs are float [n, k]. The truth is what ``Task.labels`` reads, or the teacher's vectors [n, k]
where a task has no labels. A score is higher where the model is better.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.training import Schedule
from ..records import DataRecord, Fidelity, OutputShift, Shift
from .changed_answers import class_names
from .labels import Labels
from .metric import Metric, MetricUnit, Outputs, Truth, slug
from .probabilities import Probabilities
from .sampling import Sampling

if TYPE_CHECKING:
    import torch

__all__ = ["FidelityFigure", "Metric", "MetricUnit", "Outputs", "Task", "Truth"]

SampleLoss = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
"""``loss(outputs, labels)``: outputs float [n, k], labels as ``Labels.read`` gives them; [n].

At least 0: a training stops where the loss is several times the lowest one so far.
"""
HardLoss = Callable[[DataRecord, Schedule | None], SampleLoss]
"""Makes the loss from labels. The schedule has smoothing and class weights; None for neither."""


@dataclass(frozen=True, slots=True)
class FidelityFigure:
    """A figure that compares a student with its teacher.

    Attributes:
        title: its row in the report.
        unit: of its value.
    """

    title: str
    unit: MetricUnit


def _no_outputs(*_: object) -> tuple[OutputShift, ...]:
    return ()


def _nothing_left_out(truth: Truth, outputs: int) -> NDArray[np.bool_]:  # noqa: ARG001
    return np.zeros(outputs, np.bool_)


def one_for_each_name(data: DataRecord) -> int:
    """As many outputs as there are names of classes, labels or numbers."""
    return len(data.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a task's labels, outputs, losses and figures are.

    Attributes:
        name: in a recipe, and the key in ``TASKS``.
        labels: what labels may look like, and how they are read; None where the truth is the
            teacher's output, so that nothing can be trained or scored without the teacher.
        outputs: ``(data)``: how many numbers a model gives for one sample; None where only the
            teacher decides.
        output_noun: singular and plural of what one output stands for; None where the outputs have
            no meaning of their own.
        exclusive: whether the outputs are logits of classes of which exactly one is right, so that
            a softmax gives probabilities and a constant added to all outputs changes nothing.
        label_units: whether the outputs are numbers in the units of the labels. The model then
            removes their mean and deviation inside, and losses are in deviations.
        probabilities: how probabilities become logits; None where outputs are not logits.

        hard_loss: makes the loss from labels alone, on tensors; imports torch when called. None
            where there are no labels, so that no student is trained without the teacher.
        soft_losses: by the name in a recipe, the name in ``distill.losses``. The first is the one
            that an error message suggests.

        reported: every metric that ``metrics`` may return; the first is the score, which has a
            ``value`` and a ``constant``.
        weighted_by: the metric that chooses epochs where classes are weighted; None: the score.
        score: ``(outputs, truth, sampling)``: the score with its interval over samples.
        drop: ``(reference outputs, outputs, truth, sampling)``: the reference's score minus the
            other score, paired by sample, with its interval.
        metrics: ``(outputs, truth, sampling)``: every metric by name with its interval and unit,
            that of one class, label or number as ``name[index]``. A metric that is not defined on
            these samples is left out.
        answers_differ: ``(a, b, truth)``: bool [n], where a gives another answer than b.
        same_answer: what an answer has to be to count as the same.
        tolerance: how far a number may move and be the same answer, in words.
        output_shifts: ``(a, b, truth, names)``: how far each output of a is from that of b; none
            where the one answer of a sample is a class.
        left_out: ``(truth, k)``: bool [k], the classes, labels or numbers that these samples have
            nothing to judge by, so that means over them leave them out.
        left_out_of: which figures leave them out, with a verb: ``mAP and recall are``.
        why_left_out: singular and plural of why: ``has no positive sample``.
        constant_answer: ``(truth, names)``: the best constant answer as a reader is told of it.

        fidelity: ``(student, teacher, truth, names, sampling)``: the record of what a student
            lost.
        agreement_title: what the share of unchanged answers is called.
        agreement_figure: the figure of ``fidelity_figures`` that is the same as the agreement, and
            is shown instead of it; None where there is no such figure.
        fidelity_figures: what ``Fidelity.figures`` may have, by name.
        recall_noun: singular and plural of what recall is measured of; None without class recall.
        right_answer: a sentence that says when a sample counts as right, where that needs saying.
        shown_answer: ``(class numbers, names)``: an answer of an example, as a reader sees it.
    """

    name: str
    labels: Labels | None
    outputs: Callable[[DataRecord], int | None] = one_for_each_name
    output_noun: tuple[str, str] | None
    exclusive: bool = False
    label_units: bool = False
    probabilities: Probabilities | None = None

    hard_loss: HardLoss | None
    soft_losses: Mapping[str, str]

    reported: tuple[Metric, ...]
    weighted_by: str | None = None
    score: Callable[[Outputs, Truth, Sampling], Estimate]
    drop: Callable[[Outputs, Outputs, Truth, Sampling], Estimate]
    metrics: Callable[[Outputs, Truth, Sampling], dict[str, Estimate]]
    answers_differ: Callable[[Outputs, Outputs, Truth], NDArray[np.bool_]]
    same_answer: str = "the same answer"
    tolerance: str = ""
    output_shifts: Callable[[Outputs, Outputs, Truth, Sequence[str]], tuple[OutputShift, ...]] = (
        _no_outputs
    )
    left_out: Callable[[Truth, int], NDArray[np.bool_]] = _nothing_left_out
    left_out_of: str = ""
    why_left_out: tuple[str, str] = ("", "")
    constant_answer: Callable[[Truth, Sequence[str]], str]

    fidelity: Callable[[Outputs, Outputs, Truth, Sequence[str], Sampling], Fidelity]
    agreement_title: str
    agreement_figure: str | None = None
    fidelity_figures: Mapping[str, FidelityFigure]
    recall_noun: tuple[str, str] | None = None
    right_answer: str = ""
    shown_answer: Callable[[Sequence[int], Sequence[str]], str] = class_names

    @property
    def metric(self) -> Metric:
        """The score."""
        return self.reported[0]

    def selection(self, outputs: Outputs, truth: Truth) -> float:
        """The score alone, cheap, a number wherever the outputs are numbers."""
        return self.metric.measure(outputs, truth)

    def named(self, name: str | None) -> Metric:
        """A metric by its name or the part of its key; the score for None.

        Raises:
            KeyError: there is none of that name.
        """
        if name is None:
            return self.metric
        return {slug(metric.name): metric for metric in self.reported}[slug(name)]

    def chooses(self, select_by: str | None, *, class_weights: bool) -> Metric:
        """The metric on validation by which a training keeps its best epoch.

        Args:
            select_by: the one that a recipe names.
            class_weights: whether classes are weighted. A plain share of right answers would then
                keep an epoch in which the weights have done the least.
        """
        if select_by is None and class_weights:
            select_by = self.weighted_by
        return self.named(select_by)

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes that can be counted, smoothed and weighted."""
        return self.labels is not None and self.labels.counts is not None

    def better(self, a: float, b: float) -> bool:
        """Whether a score of a is better than one of b."""
        return a > b if self.metric.higher_is_better else a < b

    def shift(self, a: Outputs, b: Outputs, truth: Truth, names: Sequence[str]) -> Shift:
        """How far the outputs of a are from those of b, in the task's own terms.

        Args:
            a: finite float [n, k].
            b: the same of the reference.
            truth: as ``answers_differ`` takes it.
            names: of the classes, labels or numbers.
        """
        changed = int(self.answers_differ(a, b, truth).sum())
        outputs = self.output_shifts(a, b, truth, names)
        return Shift(samples=len(a), changed=changed, outputs=outputs)

    def compare(
        self,
        student: Outputs,
        teacher: Outputs,
        truth: Truth | None,
        names: Sequence[str],
        sampling: Sampling,
    ) -> Fidelity:
        """Compare a student's outputs with its teacher's.

        Two models of one accuracy may be wrong on different samples, and a small drop overall may
        be the whole of a rare class (Hooker et al., "What do compressed deep neural networks
        forget?", 2019).

        Args:
            student: finite float [n, k].
            teacher: finite float [n, k], the same samples in the same order.
            truth: labels [n] or [n, k]; not read by a task without labels.
            names: of the classes or labels; not read by a task without classes.
            sampling: how the samples were drawn.

        Raises:
            ValueError: shapes that do not fit each other, or no samples.
        """
        if student.shape != teacher.shape or student.ndim != 2 or not len(student):
            raise ValueError(f"a student of shape {student.shape}, a teacher of {teacher.shape}")
        if self.labels is None:
            truth = teacher
        if truth is None or len(truth) != len(student):
            raise ValueError("there must be as many labels as there are samples")
        shift = self.shift(student, teacher, truth, names)
        found = self.fidelity(student, teacher, truth, names, sampling)
        return found.model_copy(update={"shift": shift})
