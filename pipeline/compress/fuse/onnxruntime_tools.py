"""Fusion by onnxruntime-tools 1.7.0 (2021), whose code has since moved into onnxruntime.

    python -m edgestill.pipeline.compress.fuse.onnxruntime_tools SOURCE.onnx TARGET.onnx

It runs in a separate process, because both packages contain modules of the same names.
``SkipLayerNormalization`` is off: to fuse it this package infers shapes first, which fails for
every opset from 13 on.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import onnx

from ....devices.onboard.machine.child import PYTHON, finish, last_line
from ....errors import HostError, ModelError

TIMEOUT_S = 600.0
PACKAGE = "onnxruntime_tools"


def fuse(source: Path, target: Path) -> onnx.ModelProto:
    """The source, fused by onnxruntime-tools.

    Args:
        source: an fp32 file.
        target: a file that may be written, in a folder that may be written to.

    Raises:
        HostError: the package is not installed.
        ModelError: the package cannot fuse this model.
    """
    if find_spec(PACKAGE) is None:
        raise HostError(
            found="onnxruntime-tools is not installed",
            expected="the package, for compress.fusion",
            fix="pip install 'edgestill[onnxruntime-tools]'",
        )
    # The package may write an intermediate file beside the model that it reads.
    copy = target.with_name("before_fusion.onnx")
    onnx.save(onnx.load(source), copy)
    command = (*PYTHON, __name__, str(copy), str(target))
    ending = finish(command, "", timeout_s=TIMEOUT_S, where=str(source))
    if ending is None:
        raise ModelError(f"onnxruntime-tools took more than {TIMEOUT_S:g} s")
    if ending.status or not target.is_file():
        reason = last_line(ending.words) or f" ({ending.how})"
        raise ModelError(f"onnxruntime-tools cannot fuse the model{reason}")
    return onnx.load(target)


def main(source: str, target: str) -> None:
    """Fuse in this process; the package reads heads and width from the model."""
    from onnxruntime_tools import optimizer
    from onnxruntime_tools.transformers.onnx_model_bert import BertOptimizationOptions

    options = BertOptimizationOptions("bert")
    options.use_raw_attention_mask(True)
    options.enable_skip_layer_norm = False
    fused = optimizer.optimize_model(
        source, "bert", num_heads=0, hidden_size=0, optimization_options=options, opt_level=0
    )
    onnx.save(fused.model, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
