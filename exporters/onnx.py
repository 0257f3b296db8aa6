"""ONNX through torch's dynamo exporter: dynamic batch, and nothing of this machine in it.

>>> export(model, torch.zeros(2, 8, 8), Path("student.onnx"), opset=20)   # doctest: +SKIP
"""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import onnx
import torch

from ..errors import ModelError, reason
from .interface import BATCH, INPUT, LENGTH, OUTPUT
from .kept_axes import keep_axes


def export(
    module: torch.nn.Module,
    example: torch.Tensor,
    path: Path,
    *,
    opset: int,
    texts: bool = False,
) -> None:
    """Write a module as ONNX with one input, one output and a dynamic batch.

    Args:
        module: in eval mode or not, it is exported in eval mode.
        example: a batch of at least two, for a batch of one would be taken for a constant.
        path: the file to write.
        opset: ONNX operator set.
        texts: whether the second axis of the input is tokens, whose number is then dynamic, too;
            fixed where the module does not take texts of any length.

    Raises:
        ModelError: the exporter cannot express the module; with its reason.
    """
    module.eval()
    axes = {0: torch.export.Dim.DYNAMIC}
    if not texts:
        model = _exported(module, example, opset, axes)
    else:
        try:
            model = _exported(module, example, opset, {**axes, 1: torch.export.Dim.DYNAMIC})
        except ModelError:
            model = _exported(module, example, opset, axes)
    _clean(model)
    _name_axes(model)
    keep_axes(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _exported(
    module: torch.nn.Module, example: torch.Tensor, opset: int, axes: Mapping[int, Any]
) -> onnx.ModelProto:
    """The module as ONNX, as the exporter leaves it.

    Raises:
        ModelError: the exporter cannot express the module; with its reason.
    """
    with _quiet():
        try:
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes=(dict(axes),),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=opset,
                external_data=False,
                verbose=False,
            )
        except (MemoryError, OSError):
            raise
        except Exception as error:
            why, fix = _why_not(error)
            raise ModelError(
                found=f"cannot be exported to ONNX ({why})", where=type(module).__name__, fix=fix
            ) from error
    assert program is not None  # noqa: S101 - it is None only for the old exporter
    model: onnx.ModelProto = program.model_proto
    return model


_FIXES = (
    (
        (
            "data-dependent",
            "DataDependent",
            "GuardOnDataDependent",
            "non-strict",
            "dynamic control",
        ),
        "compute both branches and choose with torch.where: forward may not branch on values",
    ),
    (("ScriptModule", "ScriptFunction", "TorchScript"), "return the module without torch.jit"),
    (("ConstraintViolation", "specialized", "constant"), "let no size in forward depend on n"),
)
"""What to do about an exporter's refusal, by words in it."""


def _why_not(error: BaseException) -> tuple[str, str | None]:
    """The cause of a refusal in one line, and what to do.

    The exporter wraps what it met in texts of its own, which end in advice to its own users.
    """
    chain = [error]
    while chain[-1].__cause__ is not None and chain[-1].__cause__ not in chain:
        chain.append(chain[-1].__cause__)
    cause = chain[-1]
    text = f"{type(cause).__name__}: {reason(cause)}"
    fixes = (fix for words, fix in _FIXES if any(word in text for word in words))
    return text, next(fixes, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of packages nobody asked for (torchvision) and of its own deprecations.

    Where it refuses a module, several parts of torch print the graph that they had until then.
    """
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


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


def _name_axes(model: onnx.ModelProto) -> None:
    """Call the dynamic axes what they are; the exporter numbers its symbols."""
    graph = model.graph
    dims = graph.input[0].type.tensor_type.shape.dim
    names = {
        dim.dim_param: name
        for dim, name in zip(dims, (BATCH, LENGTH), strict=False)
        if dim.dim_param
    }
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]
