"""What every record has in common."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

TEACHER = "teacher"
"""The name of the teacher's file among the variants."""
Outcome = Literal["ready", "not ready", "undecided"]


class Record(BaseModel):
    """A frozen stage result."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
