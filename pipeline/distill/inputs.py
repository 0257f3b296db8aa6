"""What the stages of this folder take as input. All of it is part of their keys.

Importing this module loads no torch, so that a plan can be made without it.
"""

from dataclasses import dataclass, replace

from ..engine.stage import Made
from ..recipe.architecture import Architecture, Start, Student, Teacher
from ..recipe.augment import Augment
from ..recipe.distill import SoftLosses, SoftTargets, TeacherLayers
from ..recipe.training import Schedule
from ..records import DataRecord, ModelRecord, TargetsRecord, TunedRecord


@dataclass(frozen=True, slots=True)
class Samples:
    """The data set as training sees it.

    Attributes:
        data: the data stage's output.
        augment: how samples are varied.
        seed: of the variation.
        select_by: the metric by which every training keeps its best epoch; None: see
            ``Task.chooses``.
    """

    data: Made[DataRecord]
    augment: Augment
    seed: int
    select_by: str | None = None


@dataclass(frozen=True, slots=True)
class TeacherInputs:
    """Input of the teacher stage.

    Attributes:
        teacher: the recipe's part for one teacher.
        file_hash: hash of the file or module that it names; only the key needs it.
        samples: what it is trained on; their seed is also that of its first weights and of the
            batch order.
    """

    teacher: Teacher
    file_hash: str | None
    samples: Samples


@dataclass(frozen=True, slots=True)
class Teachers:
    """All teachers of a build.

    Attributes:
        models: the teacher stage's outputs, in the recipe's order.
        shares: the weight of each teacher's answers; they add up to 1.
    """

    models: tuple[Made[ModelRecord], ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TargetsInputs:
    """Input of the targets stage.

    Attributes:
        teachers: the teachers whose answers are stored.
        options: how many views they answer and how many classes are stored.
        samples: what they answer.
    """

    teachers: Teachers
    options: SoftTargets
    samples: Samples


@dataclass(frozen=True, slots=True)
class Distillation:
    """What a student learns from its teachers.

    Attributes:
        soft: the soft losses and their weights.
        targets: stored answers of the teachers.
        layers: losses between layers, and whether the first weights come from the teacher.
        teachers: needed where no answers are stored or layers are compared; else None.
        loss_hashes: of the module of each loss that is a user's function; only the key needs them.
        labelled_only: whether the samples without a label are left out.
    """

    soft: SoftLosses
    targets: Made[TargetsRecord]
    layers: TeacherLayers | None = None
    teachers: Teachers | None = None
    loss_hashes: tuple[str, ...] = ()
    labelled_only: bool = False


@dataclass(frozen=True, slots=True)
class Training:
    """How a student is trained, whatever its architecture and seed.

    Attributes:
        samples: what it is trained on; the teachers' answers are to the same views.
        schedule: the recipe's part.
        distillation: None trains on labels alone.
        share: of the labelled train samples that are used, in as many steps as all of them take.
    """

    samples: Samples
    schedule: Schedule
    distillation: Distillation | None = None
    share: float = 1.0

    def shortened(self, share: float) -> "Training":
        """The same over a share of the epochs."""
        return replace(self, schedule=self.schedule.shortened(share))


@dataclass(frozen=True, slots=True)
class StudentInputs:
    """Input of the student stage.

    Attributes:
        architecture: of the student.
        module_hash: hash of the user's module that makes the student; only the key needs it.
        training: how it is trained.
        seed: of the first weights and the batch order.
        start: the weights that it starts from, and which of them are trained; None: random ones.
        start_hash: hash of the file of those weights.
        stepwise: whether it is scored after steps of a geometric grid, too.
    """

    architecture: Architecture
    module_hash: str | None
    training: Training
    seed: int
    start: Start | None = None
    start_hash: str | None = None
    stepwise: bool = False


def student_inputs(
    student: Student,
    module_hash: str | None,
    start_hash: str | None,
    training: Training,
    seed: int,
    *,
    scratch: bool = False,
) -> StudentInputs:
    """The inputs of one student of a recipe.

    Args:
        student: the recipe's part.
        module_hash: of the user's module that makes it.
        start_hash: of the weights that the part names.
        training: how it is trained.
        seed: of it.
        scratch: whether it starts from random weights whatever the part says.
    """
    starts = student.weights is not None
    start = student.only(Start) if starts and not scratch else None
    return StudentInputs(
        student.only(Architecture),
        module_hash,
        training,
        seed,
        start,
        start_hash if start else None,
        stepwise=starts,
    )


@dataclass(frozen=True, slots=True)
class Models:
    """The torch models of a build, of which files are made.

    Attributes:
        teachers: exported as one file where all of them are torch modules here.
        students: the distilled students, one a seed.
        tuned: the best student as each method of the tuned stage trained it further.
    """

    teachers: Teachers
    students: tuple[Made[ModelRecord], ...]
    tuned: tuple[Made[TunedRecord], ...] = ()
