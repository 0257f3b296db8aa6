"""The ways to fuse a transformer, by the tool that fuses.

model = FUSERS["onnxruntime"]["fused"](Path("fp32.onnx"))
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model

from ...recipe.compress import FusionTool
from ..method import quiet
from . import attention, onnxruntime_tools

Fuser = Callable[[Path], onnx.ModelProto]
"""Takes the fp32 file and returns the fused model."""


def _by_onnxruntime(source: Path, *, skip_layer_norm: bool) -> onnx.ModelProto:
    """Fuse by ``onnxruntime.transformers`` and keep the mask.

    By default the fused attention reads only the number of tokens, which is right only if all
    padding is at the end.
    """
    options = FusionOptions("bert")
    options.use_raw_attention_mask(True)
    options.enable_skip_layer_norm = skip_layer_norm
    with quiet():
        fused = optimize_model(str(source), "bert", optimization_options=options)
    model: onnx.ModelProto = fused.model
    return model


def _by_tools(source: Path) -> onnx.ModelProto:
    """Fuse by the older package ``onnxruntime-tools``."""
    with TemporaryDirectory() as scratch:
        return onnxruntime_tools.fuse(source, Path(scratch) / "fused.onnx")


def _packed(source: Path) -> onnx.ModelProto:
    """Fuse attention with one packed projection, the form of the bundled text models."""
    return attention.fuse(onnx.load(source))


_ONNXRUNTIME: dict[str, Fuser] = {
    "attention of a packed projection": _packed,
    "fused but for SkipLayerNormalization": partial(_by_onnxruntime, skip_layer_norm=False),
    "fused": partial(_by_onnxruntime, skip_layer_norm=True),
}
_ONNXRUNTIME_TOOLS: dict[str, Fuser] = {"fused by onnxruntime-tools": _by_tools}
FUSERS: Mapping[FusionTool, dict[str, Fuser]] = {
    "onnxruntime": _ONNXRUNTIME,
    "onnxruntime-tools": _ONNXRUNTIME_TOOLS,
    "both": _ONNXRUNTIME_TOOLS | _ONNXRUNTIME,
}
"""By tool, each in the order of preference: the fewest changes first."""
