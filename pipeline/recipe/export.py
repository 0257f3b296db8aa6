"""``[export]``: the files that a model is exported to."""

from typing import Annotated, Literal

from pydantic import Field

from .part import Part


class Export(Part):
    """How models are exported."""

    opset: Annotated[int, Field(ge=18, le=23)] = Field(20, description="ONNX operator set.")
    ort_target: Literal["arm", "amd64"] = Field(
        "arm",
        description="CPU the .ort file is optimized for; 'amd64' fixes memory layouts of this CPU.",
    )
