"""Torch programs into ``.tflite`` files, and those into int8 by LiteRT's quantizer.

The ranges of activations are those of `litert_ranges`, not of the quantizer's own calibration.
"""

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import litert_torch
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import algorithm_manager, qtyping, quantizer, recipe_manager
from numpy.typing import NDArray

from ..learned_ranges import LearnedRanges
from .litert_ranges import Calibration, Ranges
from .protocol import Request, each, serve
from .samples import queries_of

_SIGNATURE = "serving_default"
_INTEGERS = "int8-static-inputs"
"""The scheme whose files take and give int8."""
_ALL = ".*"
_OPERATORS = qtyping.TFLOperationName
_ALGORITHMS = algorithm_manager.AlgorithmName


class _Named(torch.nn.Module):
    """A module whose output has a name in the file's signature.

    Args:
        module: takes a query of samples.
        output: the name.
        axes: the order in which the file takes the axes of a query; None: the module's.
    """

    def __init__(
        self, module: torch.nn.Module, output: str, axes: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self._module, self._output = module, output
        self._back = None if axes is None else [int(axis) for axis in np.argsort(axes)]

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """The only output, by its name."""
        (x,) = inputs.values()
        return {self._output: self._module(x if self._back is None else x.permute(self._back))}


def convert(folder: Path, request: Request) -> dict[str, Any]:
    """Convert each program once, and make every model from its float file."""
    axes: Sequence[int] | None = request.get("axes")
    turn = partial(_turned, axes=axes)
    samples = [turn(query) for query in queries_of(folder, int(request["batch"]))]
    floats = folder / "float"
    floats.mkdir()
    scales: dict[str, dict[str, Any]] = {}
    learned: dict[str, tuple[int, int]] = {}

    def one(model: Request) -> None:
        source = floats / f"{model['program']}.tflite"
        if not source.exists():
            program = torch.export.load(str(folder / model["program"]))
            example = torch.from_numpy(samples[0])
            named = _Named(program.module(), request["output"], axes)
            made = litert_torch.convert(named, sample_kwargs={request["input"]: example})
            made.export(str(source))
        ranges = model.get("ranges")
        calibration = Calibration(
            request["input"],
            samples,
            turn,
            request.get("limits"),
            LearnedRanges.read(folder / ranges) if ranges else None,
        )
        content = _MAKERS[model["scheme"]](source, calibration)
        Path(model["target"]).write_bytes(content)
        if model["scheme"] == _INTEGERS or axes is not None:
            scales[model["name"]] = _scales(content)
        if calibration.learned is not None:
            learned[model["name"]] = calibration.found, len(calibration.learned.ranges)

    refused = each(request["models"], one)
    tools = ("litert-torch", "ai-edge-quantizer")
    return {
        "refused": refused,
        "scales": scales,
        "learned": learned,
        "by": " and ".join(f"{tool} {version(tool)}" for tool in tools),
    }


def _scales(content: bytes) -> dict[str, Any]:
    """The types and shapes of a file's only input and output, and what their integers mean."""
    interpreter = Interpreter(model_content=content)
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    return {"input": _scaled(taken), "output": _scaled(given)}


def _scaled(detail: Mapping[str, Any]) -> dict[str, Any]:
    quantized = detail["quantization_parameters"]
    one = len(quantized["scales"]) == 1
    return {
        "dtype": np.dtype(detail["dtype"]).name,
        "shape": [int(extent) for extent in detail["shape"]],
        "scale": float(quantized["scales"][0]) if one else None,
        "zero_point": int(quantized["zero_points"][0]) if one else None,
    }


def _float32(source: Path, calibration: Calibration) -> bytes:
    del calibration
    return source.read_bytes()


def _quantized(
    source: Path,
    calibration: Calibration,
    *,
    configure: Callable[[recipe_manager.RecipeManager], None],
) -> bytes:
    """A float file quantized as a recipe says."""
    manager = recipe_manager.RecipeManager()
    configure(manager)
    made = quantizer.Quantizer(str(source), manager.get_quantization_recipe())
    ranges = None
    if made.need_calibration:
        ranges = calibration.ranges(partial(_calibrated, made), _SIGNATURE)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.tflite"
        made.quantize(ranges).export_model(str(target))
        return target.read_bytes()


def _calibrated(made: Any, query: Mapping[str, NDArray[Any]]) -> Ranges:
    """The extremes of each tensor on one query."""
    ranges: Ranges = made.calibrate({_SIGNATURE: [dict(query)]})
    return ranges


def _turned(query: NDArray[Any], axes: Sequence[int] | None) -> NDArray[Any]:
    """A query of samples with the axes of the file."""
    return query if axes is None else np.ascontiguousarray(query.transpose(axes))


def _whole(manager: recipe_manager.RecipeManager) -> None:
    """Inputs and outputs, too."""
    manager.add_static_config(
        regex=_ALL,
        operation_name=_OPERATORS.ALL_SUPPORTED,
        activation_num_bits=8,
        weight_num_bits=8,
    )


def _static(manager: recipe_manager.RecipeManager) -> None:
    _whole(manager)
    for operator in (_OPERATORS.INPUT, _OPERATORS.OUTPUT):
        manager.add_quantization_config(
            regex=_ALL, operation_name=operator, algorithm_key=_ALGORITHMS.NO_QUANTIZE
        )


def _static_layers(manager: recipe_manager.RecipeManager) -> None:
    """Products of matrices alone: one range cannot hold scores and the mask that is added to them.

    In such a range a step of int8 is larger than all scores.
    """
    for operator in (_OPERATORS.FULLY_CONNECTED, _OPERATORS.BATCH_MATMUL):
        manager.add_static_config(
            regex=_ALL, operation_name=operator, activation_num_bits=8, weight_num_bits=8
        )


def _dynamic(manager: recipe_manager.RecipeManager) -> None:
    manager.add_dynamic_config(regex=_ALL, operation_name=_OPERATORS.ALL_SUPPORTED, num_bits=8)


def _weights(manager: recipe_manager.RecipeManager) -> None:
    manager.add_weight_only_config(regex=_ALL, operation_name=_OPERATORS.ALL_SUPPORTED, num_bits=8)


def _four_bits(manager: recipe_manager.RecipeManager) -> None:
    manager.add_weight_only_config(regex=_ALL, operation_name=_OPERATORS.ALL_SUPPORTED, num_bits=4)


def _half(manager: recipe_manager.RecipeManager) -> None:
    manager.add_weight_only_config(
        regex=_ALL,
        operation_name=_OPERATORS.ALL_SUPPORTED,
        num_bits=16,
        algorithm_key=_ALGORITHMS.FLOAT_CASTING,
    )


_MAKERS: dict[str, Callable[[Path, Calibration], bytes]] = {
    "float32": _float32,
    "float16-weights": partial(_quantized, configure=_half),
    "int8-static": partial(_quantized, configure=_static),
    "int8-static-layers": partial(_quantized, configure=_static_layers),
    _INTEGERS: partial(_quantized, configure=_whole),
    "int8-dynamic": partial(_quantized, configure=_dynamic),
    "int8-weights": partial(_quantized, configure=_weights),
    "int4-weights": partial(_quantized, configure=_four_bits),
}
"""By the scheme that a request names."""


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(convert)
