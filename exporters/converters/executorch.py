"""Torch programs into ``.pte`` files for XNNPACK, in float32 or quantized by PT2E."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    QuantizationConfig,
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import ExecutorchProgramManager, to_edge_transform_and_lower
from executorch.extension.pybindings.portable_lib import _load_program_from_buffer
from torchao.quantization.pt2e import MinMaxObserver
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from .protocol import Request, each, serve
from .samples import queries_of

_LEAST_SCALE = 2**-12
"""The quantizer's own, so that a tensor of zeros has a scale."""
_PLUMBING = ("executorch_call_delegate", "getitem")
"""What stands in a graph for the call of a delegate."""


def convert(folder: Path, request: Request) -> dict[str, Any]:
    """Make a file of each model, and run it once: some fail only then."""
    queries = [torch.from_numpy(query) for query in queries_of(folder, int(request["batch"]))]
    left: dict[str, dict[str, int]] = {}

    def one(model: Request) -> None:
        program = torch.export.load(str(folder / model["program"]))
        module = program.module(check_guards=False)
        _pool_means(module)
        # The quantizer passes over nodes without the facts that an export gives them.
        module = torch.export.export(module, (queries[0],)).module(check_guards=False)
        module = _MAKERS[model["scheme"]](module, queries)
        made, operators = _lowered(torch.export.export(module, (queries[0],)))
        _load_program_from_buffer(made.buffer).load_method("forward")((queries[0],))
        Path(model["target"]).write_bytes(made.buffer)
        left[model["name"]] = operators

    refused = each(request["models"], one)
    by = f"ExecuTorch {version('executorch')} with torchao {version('torchao')}"
    return {"refused": refused, "not_delegated": left, "by": by}


def _float32(module: Any, queries: list[torch.Tensor]) -> Any:
    del queries
    return module


def _dynamic(module: Any, queries: list[torch.Tensor]) -> Any:
    """With ranges that are found as the file runs."""
    config = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True)
    return _quantized(module, queries, config)


def _static(module: Any, queries: list[torch.Tensor]) -> Any:
    """With the ranges of which the outputs for the queries differ least from those in float.

    Those of the extremes of all queries, or the quantizer's own by histograms, which cut what is
    rare.
    """
    by_histogram = get_symmetric_quantization_config(is_per_channel=True)
    extremes = replace(
        by_histogram.input_activation,
        observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=_LEAST_SCALE),
    )
    by_extremes = replace(by_histogram, input_activation=extremes, output_activation=extremes)
    expected = _answers(module, queries)
    made = [_quantized(deepcopy(module), queries, one) for one in (by_extremes, by_histogram)]
    return min(made, key=lambda one: float((_answers(one, queries) - expected).square().mean()))


def _answers(module: Any, queries: list[torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([module(query).double() for query in queries])


def _quantized(module: Any, queries: list[torch.Tensor], config: QuantizationConfig) -> Any:
    """The module with quantized layers, per channel; of one that takes token ids, its products.

    Sums and products by element stay in float in attention: one range for scores and the mask
    that is added to them leaves the scores few steps.
    """
    quantizer = XNNPACKQuantizer()
    if queries[0].is_floating_point():
        quantizer.set_global(config)
    else:
        quantizer.set_operator_type(torch.ops.aten.linear.default, config)
    prepared = prepare_pt2e(module, quantizer)
    with torch.no_grad():
        for query in queries:
            prepared(query)
    return convert_pt2e(prepared)


_MAKERS: Mapping[str, Callable[[Any, list[torch.Tensor]], Any]] = {
    "float32": _float32,
    "int8-static": _static,
    "int8-dynamic": _dynamic,
}
"""By the scheme that a request names."""


def _pool_means(module: Any) -> None:
    """Means over both axes of images become pools: XNNPACK and its quantizer take only these."""
    aten = torch.ops.aten
    graph = module.graph
    for node in list(_means(graph)):
        with graph.inserting_before(node):
            pooled = graph.call_function(aten.adaptive_avg_pool2d.default, (node.args[0], [1, 1]))
            kept = len(node.args) > 2 and node.args[2]
            same = pooled if kept else graph.call_function(aten.flatten.using_ints, (pooled, 1))
        node.replace_all_uses_with(same)
        graph.erase_node(node)
    module.recompile()


def _means(graph: torch.fx.Graph) -> Iterator[torch.fx.Node]:
    for node in graph.nodes:
        if node.target is torch.ops.aten.mean.dim and "dtype" not in node.kwargs:
            source = node.args[0].meta["val"]
            axes = sorted(axis % source.ndim for axis in node.args[1] or ())
            if source.ndim == 4 and axes == [2, 3] and len(node.args) <= 3:
                yield node


def _lowered(program: torch.export.ExportedProgram) -> tuple[ExecutorchProgramManager, Any]:
    """The file, and the number of nodes by operator that XNNPACK does not take."""
    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    called = (node for node in edge.exported_program().graph.nodes if node.op == "call_function")
    names = Counter(_name(node.target) for node in called)
    left = {name: names[name] for name in sorted(names) if name not in _PLUMBING}
    return edge.to_executorch(), left


def _name(target: Any) -> str:
    """An operator without its namespace and overload: ``mean``."""
    name = getattr(target, "__name__", str(target))
    return name.removeprefix("aten.").partition(".")[0]


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(convert)
