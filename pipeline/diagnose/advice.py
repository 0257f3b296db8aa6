"""Which layers of a quantized file to leave in float, computed from the times of both files.

advice = advise(joined, before, after).advice
advice.exclude, advice.saving_us
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from ...devices.operators.layers import JoinedLayers
from ...devices.operators.profiling import Profile
from ...devices.operators.wiring import Wiring, shown
from .file_times import FileTimes, computes, is_quantized
from .findings import Advice
from .layer_choice import choose
from .layer_costs import Edge, LayerCosts

LEAST_SHARE = 0.02
"""Of a query: a smaller saving is not worth an advice."""
LEAST_SHARE_OF_A_LAYER = 0.01
"""Of a query: what each layer must add to the saving."""
_RESOLUTION_US = 1.0
"""The resolution of the runtime's clock."""


@dataclass(frozen=True, slots=True)
class Advised:
    """What to leave in float, and what the other layers would add to that.

    Attributes:
        advice: None if it saves less than `LEAST_SHARE` of a query.
        added_us: by layer that is not advised and could be left in float.
    """

    advice: Advice | None
    added_us: Mapping[int, float]


def advise(joined: JoinedLayers, before: FileTimes, after: FileTimes) -> Advised:
    """The layers to leave in float.

    Args:
        joined: the layers of both files.
        before: times of the fp32 file.
        after: times of the quantized file.
    """
    query_us = after.profile.p10_us
    costs = layer_costs(joined, before, after)
    chosen = choose(costs, max(_RESOLUTION_US, LEAST_SHARE_OF_A_LAYER * query_us))
    saving = costs.saving_us(chosen)
    if not chosen or saving < LEAST_SHARE * query_us:
        return Advised(None, _added(costs, frozenset()))
    fp32, int8 = before.profile.source.nodes, after.profile.source.nodes
    wiring = Wiring(after.profile.source)
    nodes = [
        n
        for layer in sorted(chosen)
        for n in sorted(joined.layers[layer].int8_nodes)
        if _takes_integers(n, wiring)
    ]
    advice = Advice(
        layers=tuple(joined.layers[layer].name for layer in sorted(chosen)),
        exclude=tuple(
            shown(fp32[joined.fp32_of_node[n]]) for n in nodes if n in joined.fp32_of_node
        ),
        nodes=tuple(shown(int8[n]) for n in nodes),
        saving_us=saving,
    )
    return Advised(advice, _added(costs, chosen))


def _added(costs: LayerCosts, chosen: frozenset[int]) -> dict[int, float]:
    """What each other layer would add to the saving of the chosen ones."""
    saving = costs.saving_us(chosen)
    others = [layer for layer in costs.gains_us if layer not in chosen]
    return {layer: costs.saving_us(chosen | {layer}) - saving for layer in others}


def layer_costs(joined: JoinedLayers, before: FileTimes, after: FileTimes) -> LayerCosts:
    """What each layer costs in either file and what a conversion costs; arguments as `advise`."""
    operators = after.profile.operators
    wiring = Wiring(after.profile.source)
    takes_integers = {
        layer for node, layer in joined.layer_of_node.items() if _takes_integers(node, wiring)
    }
    in_float = frozenset(
        index
        for index, layer in enumerate(joined.layers)
        if computes([operators[i] for i in layer.int8]) == "float"
    )
    every = range(len(joined.layers))
    return LayerCosts(
        gains_us=_gains(before, after, [i for i in every if i in takes_integers], in_float),
        weighted=frozenset(i for i, layer in enumerate(joined.layers) if layer.multiplies),
        in_float=in_float,
        unquantized=frozenset(i for i in every if i not in takes_integers),
        edges=edges_of(joined, after.profile),
        quantize_us=after.us_an_element("QuantizeLinear"),
        dequantize_us=after.us_an_element("DequantizeLinear"),
    )


def _gains(
    before: FileTimes, after: FileTimes, layers: list[int], in_float: frozenset[int]
) -> dict[int, float]:
    """Time in the quantized file minus time in the fp32 file, by layer."""
    operators = after.profile.operators
    own_conversions = {
        index: us
        for index, us in after.conversions.items()
        if operators[index].op == "DynamicQuantizeLinear" or after.converts_stored(index)
    }
    gains: dict[int, float] = {}
    for layer in layers:
        fp32_us, int8_us = before.us(layer), after.us(layer)
        if fp32_us is None or int8_us is None:
            continue
        converting_us = after.around(layer, own_conversions)
        if layer in in_float and not converting_us:
            gains[layer] = 0.0  # both files run the same kernel on the same numbers
            continue
        gains[layer] = (
            int8_us
            + converting_us
            + after.around(layer, after.reorders)
            - fp32_us
            - before.around(layer, before.reorders)
        )
    return gains


def edges_of(joined: JoinedLayers, int8: Profile) -> list[Edge]:
    """The tensors that the source graph of the quantized file holds as integers."""
    graph = int8.source
    wiring = Wiring(graph)
    edges = []
    for index, node in enumerate(graph.nodes):
        quantizes = node.op == "QuantizeLinear" and node.inputs[0] not in graph.stored
        if not quantizes and not node.op.startswith("Q"):
            continue
        producer = wiring.producer.get(node.inputs[0]) if quantizes else index
        tensor = node.inputs[0] if quantizes else node.outputs[0]
        shape = graph.shapes.get(tensor) or graph.shapes.get(node.outputs[0])
        readers = [joined.layer_of_node.get(reader) for reader in wiring.after(index)]
        edges.append(
            Edge(
                producer=None if producer is None else joined.layer_of_node.get(producer),
                readers=tuple(dict.fromkeys(layer for layer in readers if layer is not None)),
                elements=prod(shape) if shape else 0,
            )
        )
    return edges


def _takes_integers(index: int, wiring: Wiring) -> bool:
    """Whether a node of a source graph computes in integers or reads a DQ."""
    nodes = wiring.graph.nodes
    return is_quantized(nodes[index]) or any(
        nodes[producer].op == "DequantizeLinear" for producer in wiring.next(index, backward=True)
    )
