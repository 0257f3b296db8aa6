"""The set of layers whose leaving in float saves most, from what each layer and conversion costs.

    chosen = choose(costs, least_us=1.0)
    costs.saving_us(chosen)

Leaving a layer in float saves its int8 time and costs its fp32 time, and the conversions at its
edges appear or disappear with the type of its neighbours. Layers therefore cannot be chosen
independently: a local search, started from several sets, adds or removes one layer at a time.
"""

from heapq import heapify, heappop, heappush

from .layer_costs import LayerCosts
from .layer_state import LayerState

_ROUNDS = 20
_NOISE_US = 1e-6
"""Differences below it are rounding of sums."""


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
