"""``[teacher]`` and ``[student]``: which models they are, and how the teacher is made.

>>> Student(model="resnet8").width
8
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from .model_names import (
    NO_TEACHER,
    PATH_KINDS,
    TEACHER_FORMS,
    TEACHER_KINDS,
    family_and_depth,
    is_factory,
)
from .part import Part, Positive, across
from .search import AUTO
from .training import Schedule

_WIDTH = (
    "Channels of the first stage; of mlp: units of a hidden layer; of transformer: size of a "
    "token's vector."
)


class Architecture(Part):
    """A model: a family with depth and width, or a function of the user's that returns it."""

    model: str = Field(
        description="Family and depth in one name ('resnet20', 'mlp2'), or 'module:function'."
    )
    width: Annotated[int, Field(ge=1, le=8192)] = Field(16, description=_WIDTH)
    arguments: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="Arguments of the function 'module:function'."
    )

    @field_validator("model")
    @classmethod
    def _is_a_family_and_a_depth(cls, value: str) -> str:
        if value.partition(":")[0] in TEACHER_KINDS or not is_factory(value):
            family_and_depth(value)
        return value


class Member(Architecture):
    """One more teacher of an ensemble."""

    addresses = frozenset({"weights"})

    weights: Path | None = Field(None, description="As teacher.weights.", strict=False)
    train: bool = Field(True, description="As teacher.train.")
    normalize: bool = Field(True, description="As teacher.normalize.")
    weight: Positive = Field(1.0, description="How much this teacher's answers count.")

    @field_validator("model")
    @classmethod
    def _is_a_family_and_a_depth(cls, value: str) -> str:
        """A teacher may also be one of ``TEACHER_KINDS``."""
        kind, colon, rest = value.partition(":")
        if not (colon and rest and kind in TEACHER_KINDS) and not is_factory(value):
            family_and_depth(value)
        return value

    @across
    def _is_trained_or_has_weights(self) -> None:
        if not self.train:
            _has_weights(self, "train = false")

    @across
    def _normalizes_what_it_can(self) -> None:
        """Refuse a key without effect."""
        kind = self.model.partition(":")[0]
        if not self.normalize and kind in TEACHER_KINDS and kind != "timm":
            raise ValueError(
                f"normalize = true, since {kind!r} takes the samples as they are in any case"
            )

    @property
    def is_trained(self) -> bool:
        """Whether it is trained, where it is a model that can be."""
        return self.train

    def ingredients(self) -> dict[str, Any]:
        """Without the path of a file, whose content is hashed instead."""
        values = super().ingredients()
        if (kind := self.model.partition(":")[0]) in PATH_KINDS:
            values["model"] = kind
        return values


def _has_weights(teacher: Member, why: str) -> None:
    """Refuse a family that is neither trained nor loaded: its weights would be random."""
    named = teacher.model != NO_TEACHER and ":" not in teacher.model
    if named and teacher.weights is None:
        raise ValueError(f"weights for {teacher.model!r}, which is not to be trained ({why})")


class Teacher(Member, Schedule):
    """The teacher: trained here, loaded, run as a black box, or recorded logits."""

    model: str = Field(
        description="Family and depth in one name ('resnet20', 'mlp2'), 'module:function', "
        f"{', '.join(TEACHER_FORMS)} or '{NO_TEACHER}': the student is trained on labels alone."
    )
    weights: Path | None = Field(
        None,
        description="A .safetensors (or weights-only .pt) file to load instead of training.",
        strict=False,
    )
    train: bool = Field(
        True,
        description="false: the model of a 'module:function' is trained already and keeps the "
        "weights it comes with; it gives logits, or numbers in the units of the labels. Epochs = 0 "
        "is the same.",
    )
    normalize: bool = Field(
        True,
        description="Whether data.mean and data.std normalize a sample before the teacher takes "
        "it; false: it gets float32 in the data's own units, such as pixels from 0 to 255. "
        "Channels come first in either case.",
    )
    epochs: Annotated[int, Field(ge=0, le=100_000)] = Field(
        20, description="Passes over the train split; 0: as train = false."
    )
    members: tuple[Member, ...] = Field((), description="More teachers, which make an ensemble.")

    @field_validator("model")
    @classmethod
    def _is_a_family_and_a_depth(cls, value: str) -> str:
        """There may be no teacher at all, and no member that is none."""
        return value if value == NO_TEACHER else Member._is_a_family_and_a_depth(value)

    @across
    def _none_is_nothing_else(self) -> None:
        others = [key for key in ("members", "weights") if self.is_none and getattr(self, key)]
        if others:
            raise ValueError(f"no {' and no '.join(others)} beside {NO_TEACHER!r}, no teacher")

    @across
    def _without_epochs_all_have_weights(self) -> None:
        """Members have the teacher's schedule: without epochs none of them is trained."""
        members: tuple[Member, ...] = (self, *self.members)
        for teacher in members if self.epochs == 0 else ():
            if teacher.train:
                _has_weights(teacher, "epochs = 0; 1 or more train it")

    @property
    def is_none(self) -> bool:
        """Whether there is no teacher."""
        return self.model == NO_TEACHER

    @property
    def is_trained(self) -> bool:
        """Whether it is trained, where it is a model that can be."""
        return self.train and self.epochs > 0

    def teachers(self) -> tuple["Teacher", ...]:
        """This teacher and every member, as teachers without members; all have one schedule.

        Empty where there is no teacher.
        """
        if self.is_none:
            return ()
        schedule = {key: getattr(self, key) for key in Schedule.model_fields}
        alone: dict[str, Any] = {"members": (), "weight": 1.0}
        members = ({key: getattr(m, key) for key in Member.model_fields} for m in self.members)
        return (
            self.model_copy(update=alone),
            *(Teacher.model_construct(**{**schedule, **member, **alone}) for member in members),
        )

    @property
    def shares(self) -> tuple[float, ...]:
        """The weight of each teacher's answers, in the order of ``teachers``; their sum is 1."""
        if self.is_none:
            return ()
        weights = (self.weight, *(member.weight for member in self.members))
        return tuple(weight / sum(weights) for weight in weights)


class Start(Part):
    """The weights that a student starts from, and which of them are trained."""

    addresses = frozenset({"weights"})

    weights: Path | None = Field(
        None,
        description="A .safetensors file of the same model, trained on other data, to start from; "
        "its last layer is made anew. None: random weights. `edgestill adapt` sets it.",
        strict=False,
    )
    tune: Literal["frozen", "partly", "whole"] = Field(
        "whole",
        description="With weights, what is trained: the new last layer alone (frozen, a linear "
        "probe), also the later half of the other layers (partly), or all layers (whole).",
    )

    @across
    def _nothing_random_is_frozen(self) -> None:
        if self.tune != "whole" and self.weights is None:
            raise ValueError(f"weights beside tune = {self.tune!r}, or all layers stay random")


class Student(Architecture, Start):
    """The model that ships."""

    model: str = Field(
        description="Family and depth in one name ('resnet20', 'mlp2'), 'module:function', or "
        "'auto': the student is chosen by the budgets, as [search] says."
    )
    width: Annotated[int, Field(ge=1, le=8192)] = Field(8, description=_WIDTH)
    scratch: bool = Field(
        True,
        description="With weights: the same student is trained from random weights, too, by the "
        "same schedule, to see what the start gave.",
    )
    sample_shares: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = Field(
        (),
        description="With weights and without a teacher: it is trained on these shares of the "
        "samples, too, such as [0.0625, 0.25], to see how few of them reach the score of the same "
        "student from random weights on all.",
    )
    step_shares: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = Field(
        (),
        description="With weights: it is trained for these shares of the epochs, too, each by a "
        "complete schedule, such as [0.1, 0.2], to see how short a training reaches the score of "
        "the same student from random weights after all epochs.",
    )

    @field_validator("model")
    @classmethod
    def _is_a_family_and_a_depth(cls, value: str) -> str:
        kind = value.partition(":")[0]  # 'timm:name' has the form of a function, and is a teacher
        if value == AUTO or (is_factory(value) and kind not in TEACHER_KINDS):
            return value
        family_and_depth(value, also=f", or {AUTO!r}")
        return value

    @across
    def _says_nothing_of_what_is_chosen(self) -> None:
        unset = type(self).model_fields["width"].default
        if self.model == AUTO and (self.arguments or self.weights or self.width != unset):
            raise ValueError(
                f"no width, arguments and weights with model = {AUTO!r}; search.widths has the "
                "widths to choose from"
            )

    @across
    def _shares_compare_with_something(self) -> None:
        shares = {"sample_shares": self.sample_shares, "step_shares": self.step_shares}
        given = [key for key, value in shares.items() if value]
        if given and not (self.weights and self.scratch):
            raise ValueError(
                f"weights and scratch = true beside {given[0]}, which compare a start with a "
                "student from random weights"
            )
