"""``[distill]``: how the student is trained on the teacher's answers.

>>> Distill(temperature=2.0).alpha
0.9
"""

from typing import Annotated

from pydantic import Field

from .loss_names import LayerLossName, SoftLossName
from .model_names import is_factory
from .part import Fraction, Part, Positive
from .training import Schedule


def _hinton() -> dict[str, float]:
    return {"kd": 1.0}


class SoftLosses(Part):
    """The weights of the losses: (1 - alpha) · hard + alpha · the weighted sum of soft losses."""

    temperature: Annotated[float, Field(gt=0.0, le=100.0)] = Field(
        4.0,
        description="Temperature of the teacher's and the student's logits; kd, dkd and dist are "
        "scaled by T².",
    )
    alpha: Fraction = Field(0.9, description="Weight of the soft losses; 0: hard labels alone.")
    losses: dict[SoftLossName, Positive] = Field(
        default_factory=_hinton,
        min_length=1,
        description="Weight of each soft loss: kd (Hinton 2015), mse (Ba & Caruana 2014), dkd "
        "(Zhao 2022), dist (Huang 2022); cosine for embeddings; or 'module:function'.",
    )
    standardize: bool = Field(
        False,
        description="Soft losses take logits scaled to mean 0 and standard deviation 1 (Sun 2024).",
    )
    dkd_alpha: Annotated[float, Field(ge=0.0, le=1000.0)] = Field(
        1.0, description="dkd: weight of the target class against all others."
    )
    dkd_beta: Annotated[float, Field(ge=0.0, le=1000.0)] = Field(
        8.0, description="dkd: weight of the other classes among themselves."
    )


class LayerPair(Part):
    """A loss between a layer of the teacher and one of the student."""

    loss: LayerLossName = Field(
        description="hint (Romero 2015), attention (Zagoruyko 2017), similarity (Tung 2019), "
        "rkd (Park 2019), cosine or 'module:function'."
    )
    teacher: str = Field(description="Name of the teacher's layer, as named_modules() gives it.")
    student: str = Field(description="Name of the student's layer.")
    weight: Positive = Field(1.0, description="Weight of this loss in the sum of all losses.")


class SoftTargets(Part):
    """Which answers of the teacher are recorded as soft targets."""

    views: Annotated[int, Field(ge=0, le=100_000)] = Field(
        1,
        description="Augmented views of each sample whose answers are recorded, once; epoch e "
        "trains on view e modulo views (Beyer 2022). 0: the teacher runs at every step instead.",
    )
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0,
        description="Classes recorded of each soft target, the others as one sum; 0: all of up to "
        "256 classes, 64 of more.",
    )


class TeacherLayers(Part):
    """What the student takes from the teacher besides its answers."""

    layers: tuple[LayerPair, ...] = Field(
        (), description="Losses between layers; they need views = 0."
    )
    initialize: bool = Field(
        False, description="Start a transformer student from layers of its transformer teacher."
    )

    @property
    def needed(self) -> bool:
        """Whether the student needs the teacher's layers."""
        return self.initialize or bool(self.layers)


class Distill(Schedule, SoftLosses, SoftTargets, TeacherLayers):
    """How the student is trained."""

    control_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Label smoothing of the student that is trained without the teacher."
    )
    labelled_control: bool = Field(
        True,
        description="Where samples without a label are used: whether a further student learns the "
        "teacher's answers to the labelled ones alone, which shows what the others gave.",
    )
    seeds: Annotated[int, Field(ge=1, le=100)] = Field(
        1,
        description="Number of students, trained with seed, seed+1, …; the one with the best score "
        "on validation ships.",
    )

    @property
    def user_losses(self) -> tuple[tuple[str, str], ...]:
        """Losses that are functions of the user's, each with the key that names it."""
        named = [("distill.losses", name) for name in self.losses]
        named += [("distill.layers", pair.loss) for pair in self.layers]
        return tuple((key, name) for key, name in named if is_factory(name))

    def control(self) -> Schedule:
        """How the same student is trained without the teacher."""
        schedule = self.only(Schedule)
        if not self.control_smoothing:
            return schedule
        return schedule.model_copy(update={"label_smoothing": self.control_smoothing})
