"""ONNX through torch's dynamo exporter: dynamic batch, and nothing of this machine in it.

>>> export(model, torch.zeros(2, 8, 8), Path("student.onnx"), opset=20)   # doctest: +SKIP
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch

from ..errors import ModelError
from .interface import BATCH, INPUT, OUTPUT


def export(module: torch.nn.Module, example: torch.Tensor, path: Path, *, opset: int) -> None:
    """Write a module as ONNX with one input, one output and a dynamic batch.

    Args:
        module: in eval mode or not, it is exported in eval mode.
        example: a batch of at least two, for a batch of one would be taken for a constant.
        path: the file to write.
        opset: ONNX operator set.

    Raises:
        ModelError: the exporter cannot express the module; with its reason.
    """
    module.eval()
    with _quiet():
        try:
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=opset,
                external_data=False,
                verbose=False,
            )
        except (
            torch.onnx.errors.OnnxExporterError,
            torch._dynamo.exc.TorchDynamoException,
        ) as error:
            raise ModelError(
                found=f"cannot be exported to ONNX ({str(error).splitlines()[0]})",
                where=type(module).__name__,
            ) from error
    assert program is not None  # noqa: S101 - it is None only for the old exporter
    model = program.model_proto
    _clean(model)
    _name_batch(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of packages nobody asked for (torchvision) and of its own deprecations."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _clean(model: onnx.ModelProto) -> None:
    """Drop what the exporter leaves behind: source paths, stack traces, folder names."""
    graph = model.graph
    for item in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""
    for tensor in graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    del model.metadata_props[:]
    model.doc_string = ""


def _name_batch(model: onnx.ModelProto) -> None:
    """Call the dynamic axis what it is; the exporter numbers its symbols."""
    graph = model.graph
    symbol = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == symbol:
                dim.dim_param = BATCH
