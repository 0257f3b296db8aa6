"""``[gate]``: the budgets that decide whether a variant may ship.

>>> Gate(min_accuracy=0.9, min_recall={"cat": 0.8}).budgets()
{'min_accuracy': 0.9, 'min_recall.cat': 0.8}

Besides the keys named here every metric of the task is one: ``min_`` or ``max_`` and its name.
Which those are is known where the tasks are (``judge/task_budgets.py``).
"""

import math
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    field_validator,
    model_validator,
)

from ...exporters import EXPORTERS, format_meant
from .part import Fraction, Part, Positive

Preference = Literal["latency", "size", "energy", "accuracy"]
_NO_BUDGETS = ("prefer", "runtimes")


def _metric_budget(value: object) -> float | dict[str, float]:
    """A number, or a table of numbers.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, Mapping) and value and all(map(_is_number, value.values())):
        return {str(name): float(number) for name, number in value.items()}
    if not _is_number(value):
        raise ValueError("a number, or a table of numbers by the name of a class, label or number")
    return float(value)  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and math.isfinite(value)  # type: ignore[arg-type]


MetricKey = Annotated[str, StringConstraints(pattern=r"^(min|max)_[a-z0-9]+(_[a-z0-9]+)*$")]
MetricBudget = Annotated[
    float | dict[str, float],
    PlainValidator(_metric_budget, json_schema_input_type=float | dict[str, float]),
]
"""Of all of test, or of some classes, labels or numbers by their names."""


class Gate(Part):
    """The budgets. A variant is READY if the interval of every figure lies inside its budget."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[MetricKey, MetricBudget]

    min_accuracy: Fraction | None = Field(None, description="Accuracy on test, 0 to 1.")
    min_score: float | None = Field(
        None, description="Score of the task on test: accuracy, mAP, R² or cosine similarity."
    )
    max_drop_vs_teacher: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        None, description="Loss of score on test against the teacher; 0.02 is two points."
    )
    max_drop_vs_fp32: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        None, description="Loss of score on test against the fp32 student; 0.01 is one point."
    )
    min_agreement: Fraction | None = Field(
        None, description="Share of test with the same answer as the teacher's, right or wrong."
    )
    max_worst_class_drop: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        None,
        description="Largest loss of recall of any class against the teacher; 0.05 is five points.",
    )
    max_p50_ms: Positive | None = Field(
        None, description="Latency that half of all queries, in whichever process, keep; ms."
    )
    max_p90_ms: Positive | None = Field(
        None, description="The same of nine queries of ten; takes some 60 processes."
    )
    max_p99_ms: Positive | None = Field(
        None, description="The same of 99 queries of 100; takes some 600 processes."
    )
    max_peak_memory_mib: Positive | None = Field(
        None, description="Peak memory above that of the imported runtime, MiB."
    )
    max_arena_kib: Positive | None = Field(
        None,
        description="Memory that the model takes on a microcontroller, KiB: the arena of format "
        "'tflite-micro', a count.",
    )
    max_size_kib: Positive | None = Field(None, description="Size of the model file, KiB.")
    max_energy_uj: Positive | None = Field(
        None,
        description="Energy per inference, microjoules. Only measured energy decides; the declared "
        "model leaves it undecided.",
    )
    max_instructions: Positive | None = Field(
        None,
        description="Instructions of a query, which are counted by callgrind, or for an ARM target "
        "on an emulated core.",
    )
    prefer: Preference = Field(
        "latency", description="The READY variant that is best in this figure ships."
    )
    runtimes: tuple[str, ...] | None = Field(
        None,
        description="Formats that the app can take; a variant in another one is judged and cannot "
        "ship. Not set: all of export.formats.",
    )

    @field_validator("runtimes")
    @classmethod
    def _known(cls, runtimes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if runtimes is None:
            return None
        for name in runtimes:
            if name not in EXPORTERS:
                near = format_meant(name)
                hint = f"; {near}" if near else ""
                raise ValueError(f"any of {', '.join(EXPORTERS)}, each once{hint}")
        if not runtimes or len(set(runtimes)) < len(runtimes):
            raise ValueError(f"some of {', '.join(EXPORTERS)}, each once")
        return runtimes

    @model_validator(mode="after")
    def _has_a_budget(self) -> Self:
        if not self.budgets():
            raise ValueError(
                "at least one budget, such as min_accuracy = 0.9 or max_size_kib = 100"
            )
        return self

    def budgets(self) -> dict[str, float]:
        """The budgets that are set, by key; that of one class as ``min_recall.cat``."""
        found: dict[str, float] = {}
        for key, value in self:
            if isinstance(value, dict):
                found |= {f"{key}.{name}": number for name, number in value.items()}
            elif value is not None and key not in _NO_BUDGETS:
                found[key] = value
        return found
