"""A student, or a variant of it, compared with its teacher on test."""

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.task_names import TaskName
from .record import Record
from .shift import Shift


class Calibration(Record):
    """How far a classifier's confidence (its largest probability) is from its accuracy."""

    error: float
    """Expected calibration error (Guo et al. 2017, eq. 3), in bins of equal count.

    Biased both ways. Bins of few samples differ from their confidence by chance, which raises it
    (see ``by_chance``). Over- and underconfidence within one bin cancel, which lowers it (Kumar et
    al. 2019).
    """
    by_chance: float
    """The error that these confidences would show on as many samples if they were exact."""
    overconfidence: float
    """Mean confidence minus accuracy; above 0 is overconfident."""
    bins: int
    """Fewer than the setting where confidences are equal, since equal ones share a bin."""


class ClassDrop(Record):
    """The recall that one class, or label, lost."""

    name: str
    samples: int
    """Samples of the class in test; of a label, those with it."""
    teacher_recall: float | None
    student_recall: float | None
    drop: Estimate
    """Teacher minus student, paired; the intervals of all classes hold together (Bonferroni)."""


class Example(Record):
    """One sample with another answer: class numbers, or the numbers of all labels that apply."""

    sample: int
    """Row of test."""
    truth: tuple[int, ...]
    reference: tuple[int, ...]
    answer: tuple[int, ...]
    margin: float
    """How far both answers are apart, in probability."""


class Changed(Record):
    """Samples whose answer differs from the reference's."""

    lost: int
    """The reference was right and this model is wrong."""
    won: int
    """The reference was wrong and this model is right."""
    both_wrong: int
    examples: tuple[Example, ...]
    """Those with the largest margins, in falling order."""


class Fidelity(Record):
    """A student, or a variant of it, compared with its teacher on test."""

    task: TaskName
    samples: int
    agreement: Estimate
    """Share of the teacher's answers that are kept: of classes; of labels, every one by itself; of
    numbers, all within a tenth of a deviation; of vectors, recall@1."""
    figures: dict[str, Estimate]
    """What else there is for the task, over samples: ``KL(teacher‖student)`` in nats at temperature
    1, of labels their mean; ``correlation`` and ``mean |difference|`` in deviations of the truth;
    ``cosine`` and ``recall@1``."""
    teacher_calibration: Calibration | None
    student_calibration: Calibration | None
    """Of classification only."""
    classes: tuple[ClassDrop, ...]
    """Empty where the task has none."""
    worst_class: str | None
    """The class with the largest drop observed."""
    worst_drop: Estimate
    changed: Changed | None
    """Of classification and multi-label."""
    shift: Shift | None = None
    """How far its outputs are from the teacher's; None in runs of schema 2."""
