"""The set of layers whose leaving in float saves most, from what each layer and conversion costs.

    chosen = choose(costs, least_us=1.0)
    costs.saving_us(chosen)

Leaving a layer in float saves its int8 time and costs its fp32 time, and the conversions at its
edges appear or disappear with the type of its neighbours. Layers therefore cannot be chosen
independently: a local search, started from several sets, adds or removes one layer at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from .layer_state import LayerState

_ROUNDS = 20
_NOISE_US = 1e-6
"""Differences below it are rounding of sums."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor that the quantized file holds as integers.

    Attributes:
        producer: the layer that computes it; None for an input of the model.
        readers: the layers that read it.
        elements: how many numbers it has.
    """

    producer: int | None
    readers: tuple[int, ...]
    elements: int


@dataclass(frozen=True, slots=True)
class LayerCosts:
    """What each layer costs in int8 and in float, and what the conversions between them cost.

    Attributes:
        gains_us: its time in the quantized file minus its time in fp32, by layer that may be left
            in float.
        weighted: layers with weights.
        in_float: layers that the quantized file computes in float already.
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
        gained = sum(self.gains_us[layer] for layer in changed)
        return gained + self._conversions_us(frozenset()) - self._conversions_us(changed)

    def _changed(self, chosen: frozenset[int]) -> frozenset[int]:
        """The chosen layers that then do run in float.

        An operator without weights that stays between a DQ and a Q is fused with them as before; it
        changes only if a neighbour is in float too.
        """
        touched: set[int] = set()
        for edge in self.edges:
            producer = edge.producer
            if producer is None or producer in self.unquantized or producer in chosen:
                touched.update(edge.readers)
            if producer is not None and not chosen.isdisjoint(edge.readers):
                touched.add(producer)
        return frozenset(layer for layer in chosen if layer in self.weighted or layer in touched)

    def _conversions_us(self, chosen: frozenset[int]) -> float:
        """The expected time of the conversions between layers.

        A Q runs where a layer that computes in float produces what another reads as integers; a DQ
        where a layer that computes in float reads a tensor that exists as integers only.
        """
        in_float = self.in_float | chosen
        float_outputs = self.unquantized | chosen
        total = 0.0
        for edge in self.edges:
            from_float = edge.producer is None or edge.producer in float_outputs
            through = [
                layer for layer in edge.readers if not (layer in float_outputs and from_float)
            ]
            if not through:
                continue
            if edge.producer is None or edge.producer in in_float:
                total += self.quantize_us * edge.elements
            dequantizing = sum(layer in in_float for layer in through)
            total += self.dequantize_us * edge.elements * dequantizing
        return total


def choose(costs: LayerCosts, least_us: float) -> frozenset[int]:
    """The layers whose leaving in float saves most; empty for none.

    Args:
        costs: what each layer and each conversion costs.
        least_us: microseconds that each chosen layer must add to the saving.
    """
    slower_in_int8 = frozenset(layer for layer, gain in costs.gains_us.items() if gain > 0)
    starts = (frozenset[int](), slower_in_int8, frozenset(costs.gains_us))
    best = max((_climb(costs, start) for start in starts), key=lambda state: state.saving_us)
    if best.saving_us <= _NOISE_US:
        return frozenset()
    return _without_small_gains(best, least_us)


def _climb(costs: LayerCosts, chosen: frozenset[int]) -> LayerState:
    """Add or remove one layer at a time while that saves more."""
    state = LayerState(costs, chosen)
    for _ in range(_ROUNDS):
        before = frozenset(state.chosen)
        for layer in sorted(costs.gains_us):
            saving = state.saving_us
            state.toggle(layer)
            if state.saving_us <= saving + _NOISE_US:
                state.toggle(layer)
        if state.chosen == before:
            break
    return state


def _without_small_gains(state: LayerState, least_us: float) -> frozenset[int]:
    """Remove the layers that add less than `least_us`, the smallest addition first."""
    added_us = {layer: _added_us(state, layer) for layer in state.chosen}
    smallest = [(us, layer) for layer, us in added_us.items()]
    heapify(smallest)
    while smallest:
        us, layer = heappop(smallest)
        if added_us.get(layer) != us:
            continue  # removed, or computed anew since
        if us >= least_us:
            break
        near = state.near(layer) - {layer}
        state.toggle(layer)
        del added_us[layer]
        for other in near:
            added_us[other] = _added_us(state, other)
            heappush(smallest, (added_us[other], other))
    return frozenset(state.chosen)


def _added_us(state: LayerState, layer: int) -> float:
    """What a chosen layer adds to the saving."""
    saving = state.saving_us
    state.toggle(layer)
    without = state.saving_us
    state.toggle(layer)
    return saving - without
