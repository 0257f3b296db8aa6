"""Formulas spelled out in primitives: LayerNorm, RMSNorm, GELU, SiLU, Mish, softmax and their kin.

    >>> formulas(onnx.load("bert.onnx").graph)          # doctest: +SKIP
    [('ReduceMean_3', 'Sub_4'), ('Pow_6', 'ReduceMean_7', 'Add_9', 'Sqrt_10', 'Div_11', ...)]

What they have in common is a tensor that meets a non-linear function of itself, without a layer in
between: x · sigmoid(x), (x - mean x) / sqrt(variance x). Each step is exact in float and has 256
levels in int8, and the steps need far more: the squares of a row of 50 and one of 1 are 2,500 to 1
apart, so that the small one is divided by zero's root. As one operator such a formula is never
rounded inside.
"""

from collections.abc import Iterator

import onnx
from onnx import NodeProto

from ....devices.onboard.model.graph import Graph

_JOINS = ("Mul", "Div", "Sub", "Add")
_CURVED = ("Pow", "Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Tanh", "Sigmoid", "HardSigmoid",
           "Softplus", "Softsign", "Abs", "Clip", "Max", "Min", "Sin", "Cos", "Softmax",
           "GlobalAveragePool")  # fmt: skip
_STRAIGHT = (
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Neg",
    "Cast",
    "Identity",
    "Unsqueeze",
    "Squeeze",
    "Expand",
)
_MOST = 16
"""Operators of a formula at most; the longest known, GELU by tanh, has 8."""


def formulas(graph: onnx.GraphProto) -> list[tuple[str, ...]]:
    """The names of the operators of each formula, in graph order; the graph is sorted."""
    look = Graph(graph)
    place = {name: i for i, node in enumerate(graph.node) for name in node.output}
    found = []
    for node in graph.node:
        if node.op_type in _JOINS:
            inside = _between(look, node, place)
            if any(_curved(one) for one in inside):
                inside = sorted([*inside, *_affine(look, node)], key=lambda n: place[n.output[0]])
                found.append(tuple(one.name for one in inside))
    return found


def _curved(node: NodeProto) -> bool:
    return node.op_type in _CURVED or node.op_type.startswith("Reduce")


def _between(look: Graph, join: NodeProto, place: dict[str, int]) -> list[NodeProto]:
    """The operators from the tensor that both operands come from to the join; none without one."""
    if len(join.input) != 2 or join.input[0] == join.input[1]:
        return []
    first, second = (_before(look, name) for name in join.input)
    common = first & second
    if not common:
        return []
    fork = max(common, key=lambda name: place.get(name, -1))
    return [*_paths(look, join, fork, first | second), join]


def _before(look: Graph, name: str) -> set[str]:
    """The computed tensors that one comes from without a layer between, and itself."""
    found: set[str] = set()
    waiting = [name]
    while waiting and len(found) <= 2 * _MOST:
        source = waiting.pop(0)
        if not source or source in found or source in look.stored:
            continue
        found.add(source)
        node = look.maker.get(source)
        if node is not None and (_curved(node) or node.op_type in _STRAIGHT):
            waiting += node.input
    return found


def _paths(look: Graph, join: NodeProto, fork: str, reached: set[str]) -> Iterator[NodeProto]:
    """The operators on a way from the fork to the join."""
    leads: dict[str, bool] = {fork: True}

    def leads_from_fork(name: str) -> bool:
        if name not in leads:
            leads[name] = False
            node = look.maker.get(name)
            if node is not None and name in reached:
                every = [leads_from_fork(source) for source in node.input]  # all, not the first
                leads[name] = any(every)
        return leads[name]

    for name in join.input:
        leads_from_fork(name)
    seen: set[int] = set()
    for name, on_way in leads.items():
        node = look.maker.get(name)
        if on_way and name != fork and node is not None and id(node) not in seen:
            seen.add(id(node))
            yield node


def _affine(look: Graph, node: NodeProto) -> Iterator[NodeProto]:
    """The products and sums with stored numbers that alone follow, as scale and shift of a norm."""
    while True:
        takers = look.takers.get(node.output[0], [])
        if len(takers) != 1:
            return
        node = takers[0][0]
        if node.op_type not in ("Mul", "Add") or look.stored.keys().isdisjoint(node.input):
            return
        yield node
