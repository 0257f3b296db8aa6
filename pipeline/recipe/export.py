"""``[export]``: the files that a model is exported to, and what stands inside them."""

import difflib
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from ...exporters import EXPORTERS, ONNX, format_meant
from ...exporters.axes import NHWC
from ...exporters.interface import Activation
from .part import Part

NORMALIZE = "normalize"
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
INSIDE = (NORMALIZE, *ACTIVATIONS)
"""The words of ``export.inside``."""
FRONT_END = "front-end"
_NO_FRONT_END = (
    "no 'front-end': sound, pixels, texts and columns become the model's input before training, "
    "and no split keeps what they were, so that a file with the front end inside could be neither "
    "calibrated nor verified in any format; the app computes it as the bundle's preprocessing.json "
    'says (for sound, data.audio.front_end = "wave" has a model of the samples themselves)'
)


class Export(Part):
    """How models are exported."""

    opset: Annotated[int, Field(ge=18, le=23)] = Field(20, description="ONNX operator set.")
    formats: tuple[str, ...] = Field(
        ("onnx", "ort"),
        description=f"File formats of each variant: {', '.join(EXPORTERS)}; 'onnx' comes first.",
    )
    inside: tuple[str, ...] = Field(
        (NORMALIZE,),
        description="What the files compute besides the model's layers. 'normalize' comes first "
        "and is in every file: it takes values as they are in the data set. 'softmax' "
        "(classification) or 'sigmoid' (multi-label): it gives probabilities in place of logits.",
    )
    litert_io: Literal["float", "int8"] = Field(
        "float",
        description="What static int8 .tflite files of the format litert take and give: float32, "
        "or int8 by the scales in the .json file beside them. Those of tflite-micro are int8.",
    )
    litert_layout: Literal["data", "nhwc"] = Field(
        "data",
        description="Axes of the images that .tflite files take (litert and tflite-micro): those "
        "of the data set, or 'nhwc', channels last, as cameras give them. Images that were read "
        "from files have their channels last anyway.",
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
            near = next(filter(None, map(format_meant, unknown)), None)
            hint = f"; {near}" if near else ""
            raise ValueError(f"'{ONNX}' first, then any of {others}, each once{hint}")
        return formats

    @field_validator("inside")
    @classmethod
    def _stands_inside(cls, inside: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [word for word in inside if word not in INSIDE]
        if FRONT_END in unknown:
            raise ValueError(_NO_FRONT_END)
        if unknown:
            near = difflib.get_close_matches(unknown[0], INSIDE, n=1)
            hint = f"did you mean {near[0]!r} by {unknown[0]!r}?" if near else f"not {unknown[0]!r}"
            raise ValueError(f"words of {', '.join(map(repr, INSIDE))}; {hint}")
        if inside[:1] != (NORMALIZE,) or len(inside) > 2 or len(set(inside)) < len(inside):
            raise ValueError(
                "'normalize' first, for every model normalizes by itself, then 'softmax' or "
                "'sigmoid' or nothing"
            )
        return inside

    def axes_of(self, layout: str) -> tuple[int, ...] | None:
        """The order in which ``.tflite`` files take the axes of samples; None: the samples' own."""
        return NHWC if self.litert_layout == "nhwc" and layout == "chw" else None

    @property
    def activation(self) -> Activation | None:
        """What stands behind the logits in every file."""
        return next((word for word in ACTIVATIONS if word in self.inside), None)
