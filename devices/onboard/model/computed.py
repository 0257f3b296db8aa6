"""Shapes that onnx leaves open because a tensor says them: pads, the target of a Reshape.

    compute(model)           # in place: completes the shapes that `infer_shapes` left unknown

Small tensors of whole numbers are evaluated with onnx's reference implementation, and the operators
are gone through once, in order, each with the shapes and numbers of what it reads. A shape that the
graph takes from its inputs is a number here, because the extents of one query are known. onnx is
imported inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .graph import inner_graphs

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, TypeProto

TAKEN = "edgestill.taken"
"""In the metadata of an If: the branch that this query takes, where its condition is known."""
_MOST = 1024
"""Numbers in a tensor that is evaluated: shapes, pads, indices, not weights."""
_EVALUATED = frozenset({
    "Abs", "Add", "And", "Cast", "Ceil", "Concat", "ConstantOfShape", "Div", "Equal", "Expand",
    "Flatten", "Floor", "Gather", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual",
    "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Range", "ReduceMax", "ReduceMin",
    "ReduceProd", "ReduceSum", "Reshape", "ScatterND", "Slice", "Split", "Sqrt", "Squeeze", "Sub",
    "Tile", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip


def compute(model: ModelProto) -> None:
    """Complete the shapes of a model whose own inference left some open; in place."""
    if not _open(model.graph):
        return
    opsets = {one.domain: int(one.version) for one in model.opset_import}
    _Scope(model.graph, opsets, model.ir_version, None).run()


def _open(graph: GraphProto) -> bool:
    """Whether a shape of a graph, or of one inside it, is unknown."""
    known = {
        one.name for one in (*graph.value_info, *graph.output) if _extents(one.type) is not None
    }
    return any(
        any(name and name not in known for name in node.output)
        or any(_open(inner) for _, inner in inner_graphs(node))
        for node in graph.node
        if node.op_type != "Constant"
    )


class _Scope:
    """One graph: the types and the small numbers of its tensors, and those of the graph around."""

    def __init__(
        self, graph: GraphProto, opsets: Mapping[str, int], ir_version: int, outer: _Scope | None
    ) -> None:
        self._graph = graph
        self._opsets = opsets
        self._ir = ir_version
        self._outer = outer
        self._types: dict[str, TypeProto] = {
            one.name: one.type for one in (*graph.value_info, *graph.output, *graph.input)
        }
        self._values: dict[str, NDArray[Any]] = {}
        for tensor in graph.initializer:
            self._store(tensor.name, tensor)

    def run(self) -> None:
        """Go through the operators once, then write down what was found."""
        found: dict[str, TypeProto] = {}
        for node in self._graph.node:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self._store(node.output[0], attribute.t)
                continue
            inner = [_Scope(graph, self._opsets, self._ir, self) for _, graph in inner_graphs(node)]
            for scope in inner:
                scope.run()
            unknown = [name for name in node.output if name and _extents(self._type(name)) is None]
            self._evaluate(node)
            told: Mapping[str, TypeProto] = {}
            if any(_extents(self._type(name)) is None for name in unknown):
                told = self._of_branches(node, inner) if inner else self._told(node)
            for name in unknown:
                kind = self._type(name) if _extents(self._type(name)) else told.get(name)
                if kind is not None and _extents(kind) is not None:
                    self._types[name] = found[name] = kind
        self._write(found)

    def _write(self, found: Mapping[str, TypeProto]) -> None:
        graph = self._graph
        for value in (*graph.output, *graph.value_info):
            if value.name in found:
                value.type.CopyFrom(found[value.name])
        named = {value.name for value in (*graph.output, *graph.value_info)}
        for name, kind in found.items():
            if name not in named:
                value = graph.value_info.add()
                value.name = name
                value.type.CopyFrom(kind)

    def output_types(self) -> list[TypeProto | None]:
        """Of the graph's outputs, in their order."""
        return [self._type(port.name) for port in self._graph.output]

    def _store(self, name: str, tensor: TensorProto) -> None:
        from onnx import helper, numpy_helper

        self._types[name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
        if math.prod(tensor.dims) <= _MOST and not tensor.external_data:
            self._values[name] = numpy_helper.to_array(tensor)

    def _type(self, name: str) -> TypeProto | None:
        found = self._types.get(name)
        return self._outer._type(name) if found is None and self._outer else found

    def _value(self, name: str) -> NDArray[Any] | None:
        found = self._values.get(name)
        if found is None and self._outer is not None and name not in self._types:
            return self._outer._value(name)
        return found

    def _evaluate(self, node: NodeProto) -> None:
        """The numbers that an operator writes, where they are few and follow from stored ones."""
        if node.domain not in ("", "ai.onnx") or not node.input:
            return
        if node.op_type in ("Shape", "Size"):
            self._measure(node)
            return
        read = {name: self._value(name) for name in node.input if name}
        if node.op_type not in _EVALUATED or any(one is None for one in read.values()):
            return
        try:
            answered = self._answers(node, {k: v for k, v in read.items() if v is not None})
        except Exception:  # noqa: BLE001  # the reference implementation shares no narrower class
            return  # what cannot be evaluated stays unknown
        for name, value in zip(node.output, answered, strict=False):
            if name and isinstance(value, np.ndarray | np.generic) and np.size(value) <= _MOST:
                self._know(name, np.asarray(value))

    def _answers(self, node: NodeProto, read: Mapping[str, NDArray[Any]]) -> list[Any]:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        if node.op_type in ("ConstantOfShape", "Expand", "Range", "Tile"):
            self._check_small(node, read)
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(one.dtype), None)
            for name, one in read.items()
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        alone = helper.make_model(
            helper.make_graph([node], "one", inputs, outputs),
            opset_imports=[helper.make_opsetid("", self._opsets.get("", 17))],
        )
        return list(ReferenceEvaluator(alone).run(None, dict(read)))

    def _check_small(self, node: NodeProto, read: Mapping[str, NDArray[Any]]) -> None:
        """Refuse to make a large tensor out of a few numbers."""
        told = _extents(self._told(node).get(node.output[0]))
        if told is None or math.prod(told) > _MOST:
            raise ValueError(f"{node.op_type} of {sorted(read)} is too large to be evaluated")

    def _measure(self, node: NodeProto) -> None:
        shape = _extents(self._type(node.input[0]))
        if shape is None:
            return
        if node.op_type == "Size":
            self._know(node.output[0], np.asarray(math.prod(shape), np.int64))
            return
        ends = {one.name: int(one.i) for one in node.attribute}
        part = shape[ends.get("start", 0) : ends.get("end", len(shape))]
        self._know(node.output[0], np.asarray(part, np.int64))

    def _know(self, name: str, value: NDArray[Any]) -> None:
        from onnx import helper

        self._values[name] = value
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        self._types[name] = helper.make_tensor_type_proto(kind, list(value.shape))

    def _of_branches(self, node: NodeProto, inner: list[_Scope]) -> Mapping[str, TypeProto]:
        """The outputs of an If whose condition is known, or whose branches give the same shapes."""
        if node.op_type != "If":
            return {}
        branches = [scope.output_types() for scope in inner]
        condition = self._value(node.input[0])
        if condition is not None and condition.size == 1:
            name = "then_branch" if condition.reshape(-1)[0] else "else_branch"
            names = [one for one, _ in inner_graphs(node)]
            branches = [branches[names.index(name)]]
            taken = node.metadata_props.add()
            taken.key, taken.value = TAKEN, name
        return _agreed(node, branches)

    def _told(self, node: NodeProto) -> Mapping[str, TypeProto]:
        """What onnx infers of one operator, if the types of all that it reads are known."""
        from onnx import defs, helper, numpy_helper, shape_inference

        read = [name for name in node.input if name]
        types = {name: kind for name in read if (kind := self._type(name)) is not None}
        if len(types) < len(set(read)):
            return {}
        values = {name: self._value(name) for name in types}
        try:
            schema = defs.get_schema(node.op_type, self._opsets.get(node.domain, 1), node.domain)
            found: Mapping[str, TypeProto] = shape_inference.infer_node_outputs(
                schema,
                node,
                types,
                {
                    name: numpy_helper.from_array(np.asarray(one, order="C"), name)
                    for name, one in values.items()
                    if one is not None
                },
                opset_imports=[helper.make_opsetid(*pair) for pair in self._opsets.items()],
                ir_version=self._ir,
            )
        except Exception:  # noqa: BLE001  # of onnx's C++ and of its wrapper, which share none
            return {}  # what cannot be inferred stays unknown
        return found


def _agreed(node: NodeProto, branches: list[list[TypeProto | None]]) -> Mapping[str, TypeProto]:
    found = {}
    for name, kinds in zip(node.output, zip(*branches, strict=True), strict=True):
        shapes = {_extents(kind) for kind in kinds}
        if len(shapes) == 1 and kinds[0] is not None:
            found[name] = kinds[0]
    return found


def _extents(kind: TypeProto | None) -> tuple[int, ...] | None:
    """The shape, None unless every extent is known."""
    if kind is None or not kind.HasField("tensor_type"):
        return None
    tensor = kind.tensor_type
    dims = tensor.shape.dim
    known = tensor.HasField("shape") and all(
        dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims
    )
    return tuple(dim.dim_value for dim in dims) if known and tensor.elem_type else None
