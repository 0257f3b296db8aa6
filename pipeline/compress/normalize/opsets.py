"""One range of opsets for all methods.

converted(model)        # at opset 13 where it was older
"""

import onnx
from onnx import version_converter

from ....errors import ModelError
from .editing import STANDARD

OLDEST = 13
"""The first opset whose DequantizeLinear has an axis, which scales for each channel need."""


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operators; 0 if the model has none."""
    return next((one.version for one in model.opset_import if one.domain in STANDARD), 0)


def converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at `OLDEST` at least; a later one as it is.

    Raises:
        ModelError: onnx cannot convert it.
    """
    opset = opset_of(model)
    if opset >= OLDEST:
        return model
    try:
        return version_converter.convert_version(model, OLDEST)
    except (RuntimeError, ValueError, version_converter.ConvertError) as error:
        reason = str(error).strip().partition("\n")[0][:300]
        raise ModelError(
            f"opset {opset}, which cannot be converted ({reason})",
            expected=f"opset {OLDEST} or later",
            fix=f"export it at opset {OLDEST} or later",
        ) from error
