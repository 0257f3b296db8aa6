"""``[export]``: the files that a model is exported to."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from ...exporters import EXPORTERS, ONNX
from .part import Part


class Export(Part):
    """How models are exported."""

    opset: Annotated[int, Field(ge=18, le=23)] = Field(20, description="ONNX operator set.")
    formats: tuple[str, ...] = Field(
        ("onnx", "ort"),
        description=f"File formats of each variant: {', '.join(EXPORTERS)}; 'onnx' comes first.",
    )
    ort_target: Literal["arm", "amd64"] = Field(
        "arm",
        description="CPU the .ort file is optimized for; 'amd64' fixes memory layouts of this CPU.",
    )

    @field_validator("formats")
    @classmethod
    def _known(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in formats if name not in EXPORTERS]
        if unknown or len(set(formats)) < len(formats) or formats[:1] != (ONNX,):
            others = ", ".join(sorted(set(EXPORTERS) - {ONNX}))
            raise ValueError(f"'{ONNX}' first, then any of {others}, each once")
        return formats
