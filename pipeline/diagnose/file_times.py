"""The operator times of one profiled file, attributed to layers.

after = FileTimes(int8_profile, joined.layer_of_int8)
after.us(3), after.around(3, after.conversions)       # microseconds a query
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

from ...devices.onboard.model.outline import Node
from ...devices.operators.profiling import Operator, Profile
from ...devices.operators.wiring import CONVERSIONS, REORDERS, Wiring, family
from .findings import Unjoined

_INTEGERS = ("uint8", "int8", "uint16", "int16", "int32", "uint4", "int4")


class FileTimes:
    """One file's operators, and the layer that each conversion and reordering runs for.

    Attributes:
        profile: the file's profile.
        graph: the graph that the runtime ran.
        wiring: of that graph.
        conversions: microseconds of each Q and DQ, by index of operator.
        reorders: microseconds of each transpose and reordering that belongs to no layer.
    """

    def __init__(self, profile: Profile, layer_of: Mapping[int, int]) -> None:
        self.profile = profile
        self.graph = profile.optimized
        self.wiring = Wiring(profile.optimized)
        self.conversions: dict[int, float] = {}
        self.reorders: dict[int, float] = {}
        self._layer_of = layer_of
        self._operator_of = {
            operator.node: index
            for index, operator in enumerate(profile.operators)
            if operator.node is not None
        }
        self._layers: dict[int, list[int]] = defaultdict(list)
        for index, layer in layer_of.items():
            self._layers[layer].append(index)
        self._unjoined: list[int] = []
        for index, operator in enumerate(profile.operators):
            if index in layer_of:
                continue
            if operator.op in CONVERSIONS:
                self.conversions[index] = operator.us
            elif operator.op in REORDERS or operator.op == "Transpose":
                self.reorders[index] = operator.us
            else:
                self._unjoined.append(index)
        self._nearest = {backward: self._nearest_layers(backward) for backward in (True, False)}
        self._runs_for = {
            index: self._layer_served(index) for index in (*self.conversions, *self.reorders)
        }

    def us(self, layer: int) -> float | None:
        """The time of the layer's own operators; None if it has none."""
        operators = self._layers.get(layer)
        return sum(self.profile.operators[i].us for i in operators) if operators else None

    def around(self, layer: int, times: Mapping[int, float]) -> float:
        """The time of those conversions or reorderings that run for the layer.

        Args:
            layer: its index.
            times: `conversions`, `reorders`, or a part of them.
        """
        return sum(us for index, us in times.items() if self._runs_for.get(index) == layer)

    def total(self, ops: set[str]) -> float:
        """The time of all operators of these types."""
        return sum(operator.us for operator in self.profile.operators if operator.op in ops)

    def unjoined(self, file: Literal["fp32", "int8"]) -> Iterable[Unjoined]:
        """The operators that belong to no layer and neither convert nor reorder."""
        for index in self._unjoined:
            operator = self.profile.operators[index]
            yield Unjoined(file, operator.name, operator.op, operator.us)

    def us_of(self, node: int) -> float:
        """The time of a node of the optimized graph, 0 if the profile does not place it."""
        index = self._operator_of.get(node)
        return self.profile.operators[index].us if index is not None else 0.0

    def converts_stored(self, index: int) -> bool:
        """Whether an operator converts a stored tensor rather than an activation."""
        node = self.profile.operators[index].node
        return node is not None and self.graph.nodes[node].inputs[0] in self.graph.stored

    def us_an_element(self, op: str) -> float:
        """Microseconds an element, over all conversions of this type that convert activations."""
        elements, us = 0, 0.0
        for index in self.conversions:
            operator = self.profile.operators[index]
            if operator.op == op and operator.elements and not self.converts_stored(index):
                elements, us = elements + operator.elements, us + operator.us
        return us / elements if elements else 0.0

    def _layer_served(self, index: int) -> int | None:
        """The layer a conversion or reordering runs for.

        A Q and a ReorderOutput run for the layer before them, all others for the layer after them;
        where there is none on that side, for the nearest on the other side.
        """
        operator = self.profile.operators[index]
        if operator.node is None:
            return None
        backward = operator.op in ("QuantizeLinear", "ReorderOutput")
        for direction in (backward, not backward):
            layer = self._nearest[direction].get(operator.node)
            if layer is not None:
                return layer
        return None

    def _nearest_layers(self, backward: bool) -> dict[int, int]:
        """The layer nearest to each node on one side, for all nodes in one pass over the graph.

        Of several at the same distance, the one on the way of the first neighbours.
        """
        own = {
            node: self._layer_of[index]
            for node, index in self._operator_of.items()
            if index in self._layer_of
        }
        distances = dict.fromkeys(own, 0)
        waiting = list(own)
        for node in waiting:  # grows meanwhile: breadth first, from all layers at once
            for neighbour in self.wiring.next(node, backward=not backward):
                if neighbour not in distances:
                    distances[neighbour] = distances[node] + 1
                    waiting.append(neighbour)
        nearest: dict[int, int] = {}
        for node in waiting:
            if node in own:
                nearest[node] = own[node]
                continue
            step = next(
                neighbour
                for neighbour in self.wiring.next(node, backward=backward)
                if distances.get(neighbour) == distances[node] - 1
            )
            nearest[node] = nearest[step]
        return nearest


def is_quantized(node: Node) -> bool:
    """Whether an operator converts between float and integers, or computes in integers."""
    return (
        node.op in CONVERSIONS
        or node.op.startswith(("QLinear", "QGemm", "QAttention", "MatMulNBits"))
        or "Integer" in node.op
        or node.op == "DynamicQuantizeMatMul"
    )


def computes(kernels: list[Operator]) -> Literal["integers", "float"] | None:
    """The numbers in which a layer's operators compute; None if it has no operators."""
    if not kernels:
        return None
    main = next((k for k in kernels if family(k.op) in ("Conv", "MatMul")), kernels[0])
    integers = main.op == "DynamicQuantizeMatMul" or main.type in _INTEGERS
    return "integers" if integers else "float"
