"""``[search]``: how a student that fits is chosen, and what is tried where a budget is missed.

>>> Search(ladder=("calibration", "qat")).ladder
('calibration', 'qat')
"""

from typing import Annotated, Literal, TypeVar, get_args

from pydantic import Field, field_validator

from ...exporters import EXPORTERS, format_meant
from .model_names import family_and_depth, is_factory
from .part import Part, Positive

T = TypeVar("T")

AUTO = "auto"
"""``student.model`` of a recipe whose student is to be chosen."""
RungName = Literal[
    "int8",
    "int8-size",
    "weights",
    "calibration",
    "mixed",
    "runtime",
    "qat",
    "teacher",
    "longer",
    "views",
    "loss",
    "larger",
    "smaller",
    "pruning",
]
LADDER: tuple[RungName, ...] = get_args(RungName)
"""All rungs, the cheapest first; ``judge.rungs`` says what each changes."""

ChoiceName = Literal["student", "loss", "temperature", "alpha", "epochs", "learning-rate"]
CHOICES: tuple[ChoiceName, ...] = get_args(ChoiceName)
"""What ``edgestill search`` may choose; ``search.choices`` has the options of each."""


class Search(Part):
    """How a student that fits is chosen, and what is tried where a budget is missed."""

    models: tuple[str, ...] = Field(
        (),
        description='student.model = "auto", and edgestill search: families and depths to choose '
        "from, such as ['resnet8', 'mobilenet3']; none: those that suit the samples. Of a student "
        "that is named: those of the rungs larger and smaller; none: its own family.",
    )
    widths: tuple[Annotated[int, Field(ge=1, le=8192)], ...] = Field(
        (), description="As models: widths of each; none: several that suit it."
    )
    finalists: Annotated[int, Field(ge=1, le=100)] = Field(
        3,
        description="The largest candidates that fit are so many; they are trained for a short "
        "time, and the best of them on validation is trained for the whole.",
    )
    finalist_share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.25,
        description="Share of distill.epochs that a finalist is trained for, and a choice of "
        "edgestill search, before the best are trained for the whole.",
    )
    processes: Annotated[int, Field(ge=1, le=200)] = Field(
        5,
        description="Fresh processes that measure a candidate or a rung; the verdict measures "
        "anew, as [benchmark] says.",
    )
    ladder: tuple[RungName, ...] = Field(
        LADDER,
        description="What may be tried, in this order, where a budget is missed; an empty list: "
        "nothing.",
    )
    formats: tuple[str, ...] = Field(
        (), description="Formats that may be added to export.formats where a budget is missed."
    )
    max_minutes: Positive = Field(
        60.0,
        description="After so many minutes no further rung is begun, and in edgestill search no "
        "further choice and no further whole training; what has begun is finished.",
    )

    choices: tuple[ChoiceName, ...] = Field(
        CHOICES,
        min_length=1,
        description="edgestill search: what it may choose; the rest stays as the recipe has it. "
        "epochs: the recipe's or twice as many; the other numbers: several around the recipe's.",
    )

    @field_validator("models")
    @classmethod
    def _are_families(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        for model in models:
            if is_factory(model):
                raise ValueError(
                    f"families with a depth, not {model!r}: a function of yours has one size"
                )
            family_and_depth(model)
        return _each_once(models)

    @field_validator("widths")
    @classmethod
    def _differ(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        return _each_once(widths)

    @field_validator("ladder")
    @classmethod
    def _are_tried_once(cls, ladder: tuple[RungName, ...]) -> tuple[RungName, ...]:
        return _each_once(ladder)

    @field_validator("choices")
    @classmethod
    def _are_chosen_once(cls, choices: tuple[ChoiceName, ...]) -> tuple[ChoiceName, ...]:
        return _each_once(choices)

    @field_validator("formats")
    @classmethod
    def _exist(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for name in formats:
            if name not in EXPORTERS:
                near = format_meant(name)
                hint = f"; {near}" if near else ""
                raise ValueError(f"any of {', '.join(EXPORTERS)}{hint}")
        return _each_once(formats)


def _each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"each of them once, and {value!r} is there twice")
    return values
