"""``[train]``: on what models are trained.

>>> Train().device
'auto'
"""

from typing import Literal

from pydantic import Field

from .part import Part


class Train(Part):
    """On what models are trained."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto",
        description="Where teacher and students are trained and soft targets are answered; auto: "
        "the GPU that torch can use here, else the processor. Another device gives other weights. "
        "What is exported, measured and judged does not depend on it.",
    )
