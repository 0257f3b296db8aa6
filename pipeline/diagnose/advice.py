"""Which layers of a quantized file to leave in float, by the times of both files.

    ledger = ledger_of(joined, int8_profile, costs)
    chosen = choose(ledger)
    ledger.saving_us(chosen)

Leaving a layer in float saves its int8 time and costs its fp32 time; and the conversions at its
edges come or go with what its neighbours are in. So layers cannot be chosen one by one: the set is
searched for, from several beginnings, by putting in or taking out one layer at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from ...devices.operators.layer_matching import Joined, Wiring
from ...devices.operators.profiling import Profile

_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor that the quantized file holds as integers.

    Attributes:
        maker: the layer that computes it; None for an input of the model.
        takers: the layers that read it.
        elements: how many numbers it has.
    """

    maker: int | None
    takers: tuple[int, ...]
    elements: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What each layer costs in either form, and what the conversions between them cost.

    Attributes:
        gains_us: by layer that may be left in float: its time as it is, less its time in fp32.
        weighted: layers that have weights of their own.
        in_float: layers that the quantized file computes in float as it is.
        unquantized: layers that it does not quantize at all.
        edges: tensors held as integers.
        quantize_us: microseconds an element.
        dequantize_us: microseconds an element.
    """

    gains_us: Mapping[int, float]
    weighted: frozenset[int]
    in_float: frozenset[int]
    unquantized: frozenset[int]
    edges: Sequence[Edge]
    quantize_us: float
    dequantize_us: float

    def saving_us(self, chosen: frozenset[int]) -> float:
        """Microseconds a query that leaving these layers in float is expected to save."""
        changed = self._changed(chosen)
        gained = sum(self.gains_us[one] for one in changed)
        return gained + self._conversions_us(frozenset()) - self._conversions_us(changed)

    def _changed(self, chosen: frozenset[int]) -> frozenset[int]:
        """Those that do run in float then.

        What has no weights and stands between DQ and Q still is fused with them: it changes only
        where something beside it is in float too.
        """
        touched: set[int] = set()
        for edge in self.edges:
            if edge.maker is None or edge.maker in self.unquantized or edge.maker in chosen:
                touched.update(edge.takers)
            if edge.maker is not None and not chosen.isdisjoint(edge.takers):
                touched.add(edge.maker)
        return frozenset(one for one in chosen if one in self.weighted or one in touched)

    def _conversions_us(self, chosen: frozenset[int]) -> float:
        """What the conversions between layers are expected to take.

        A Q runs where a layer that computes in float makes what another takes as integers, a DQ
        where one that computes in float takes what is there as integers only.
        """
        in_float = self.in_float | chosen
        free = self.unquantized | chosen  # their output is there in float
        total = 0.0
        for edge in self.edges:
            from_float = edge.maker is None or edge.maker in free
            through = [one for one in edge.takers if not (one in free and from_float)]
            if not through:
                continue
            if edge.maker is None or edge.maker in in_float:
                total += self.quantize_us * edge.elements
            total += self.dequantize_us * edge.elements * sum(one in in_float for one in through)
        return total


def edges_of(joined: Joined, int8: Profile) -> list[Edge]:
    """The tensors that the source graph of the quantized file holds as integers."""
    graph = int8.source
    wiring = Wiring(graph)
    edges = []
    for index, node in enumerate(graph.nodes):
        quantizes = node.op == "QuantizeLinear" and node.inputs[0] not in graph.stored
        if not quantizes and not node.op.startswith("Q"):
            continue
        source = wiring.maker.get(node.inputs[0]) if quantizes else index
        tensor = node.inputs[0] if quantizes else node.outputs[0]
        shape = graph.shapes.get(tensor) or graph.shapes.get(node.outputs[0])
        takers = [joined.layer_of_node.get(one) for one in wiring.after(index)]
        edges.append(
            Edge(
                maker=None if source is None else joined.layer_of_node.get(source),
                takers=tuple(dict.fromkeys(one for one in takers if one is not None)),
                elements=prod(shape) if shape else 0,
            )
        )
    return edges


def choose(ledger: Ledger, least_us: float) -> frozenset[int]:
    """The layers whose leaving in float saves most; empty for none.

    Args:
        ledger: what each costs.
        least_us: what each of them must add, microseconds; one that adds less is not worth naming.
    """
    every = frozenset(ledger.gains_us)
    slower = frozenset(one for one, gain in ledger.gains_us.items() if gain > 0)
    beginnings = (frozenset[int](), slower, every)
    best = max((_climb(ledger, one) for one in beginnings), key=ledger.saving_us)
    if ledger.saving_us(best) <= 0:
        return frozenset()
    return _thinned(ledger, best, least_us)


def _climb(ledger: Ledger, chosen: frozenset[int]) -> frozenset[int]:
    """Put in or take out one layer at a time while that saves more."""
    saving = ledger.saving_us(chosen)
    for _ in range(_ROUNDS):
        before = chosen
        for one in sorted(ledger.gains_us):
            other = chosen ^ {one}
            found = ledger.saving_us(other)
            if found > saving:
                chosen, saving = other, found
        if chosen == before:
            break
    return chosen


def _thinned(ledger: Ledger, chosen: frozenset[int], least_us: float) -> frozenset[int]:
    """Without the layers that add less than that, the least first."""
    while chosen:
        fewer = max((chosen - {one} for one in sorted(chosen)), key=ledger.saving_us)
        if ledger.saving_us(chosen) - ledger.saving_us(fewer) >= least_us:
            break
        chosen = fewer
    return chosen
