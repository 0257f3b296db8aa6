"""``[gate]``: the budgets that decide whether a variant may ship.

>>> Gate(min_accuracy=0.9).budgets()
{'min_accuracy': 0.9}
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .part import Fraction, Part, Positive

Preference = Literal["latency", "size", "energy", "accuracy"]


class Gate(Part):
    """The budgets. A variant is READY if the interval of every figure lies inside its budget."""

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

    @model_validator(mode="after")
    def _has_a_budget(self) -> Self:
        if not self.budgets():
            raise ValueError(
                "at least one budget, such as min_accuracy = 0.9 or max_size_kib = 100"
            )
        return self

    def budgets(self) -> dict[str, float]:
        """The budgets that are set, by key."""
        return {
            key: value
            for key, value in self.model_dump(exclude={"prefer"}).items()
            if value is not None
        }
