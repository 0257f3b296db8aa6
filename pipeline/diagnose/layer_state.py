"""A choice of layers to leave in float, changed one layer at a time, and what it saves.

state = LayerState(costs, {3})
state.toggle(4)            # the change of `state.saving_us` takes the layer's own tensors only
state.saving_us
"""

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass

from .layer_costs import Edge, LayerCosts


@dataclass(slots=True)
class _Tensor:
    """How many readers of one tensor are chosen and compute in float."""

    edge: Edge
    chosen: int = 0
    """Readers that are chosen."""
    floating: int = 0
    """Readers that take float."""
    in_float: int = 0
    """Readers that compute in float, whether or not they dequantize their input first."""
    dequantizing: int = 0
    """Readers that compute in float from integers."""


class LayerState:
    """What `LayerCosts.saving_us` gives, kept up to date while layers are added and removed.

    An operator without weights that stays between a DQ and a Q is fused with them as before; it
    changes only if a neighbour is in float too. So a layer that is added may change its neighbours,
    and nothing beyond the tensors of those.

    Attributes:
        chosen: the layers to leave in float.
        saving_us: microseconds a query that this is expected to save.
    """

    def __init__(self, costs: LayerCosts, chosen: Iterable[int] = ()) -> None:
        self.chosen: set[int] = set()
        self.saving_us = 0.0
        self._costs = costs
        self._changed: set[int] = set()
        self._tensors = [_Tensor(edge) for edge in costs.edges]
        self._written: dict[int, list[_Tensor]] = defaultdict(list)
        self._read: dict[int, list[_Tensor]] = defaultdict(list)
        self._touches: dict[int, int] = defaultdict(int)
        for tensor in self._tensors:
            self._place(tensor)
        for layer in sorted(set(chosen)):
            self.toggle(layer)

    def _place(self, tensor: _Tensor) -> None:
        costs, producer = self._costs, tensor.edge.producer
        if producer is not None:
            self._written[producer].append(tensor)
        for reader in tensor.edge.readers:
            self._read[reader].append(tensor)
            if producer is None or producer in costs.unquantized:
                self._touches[reader] += 1
            tensor.floating += reader in costs.unquantized
            tensor.in_float += reader in costs.in_float
            tensor.dequantizing += reader in costs.in_float - costs.unquantized

    def near(self, layer: int) -> Set[int]:
        """The layers whose own saving may depend on whether this one is chosen."""
        around = self._beside({layer})
        return self._beside(around) & self.chosen

    def _beside(self, layers: Set[int]) -> set[int]:
        edges = [
            tensor.edge for one in layers for tensor in (*self._written[one], *self._read[one])
        ]
        ends = {edge.producer for edge in edges if edge.producer is not None}
        return {*layers, *ends, *(reader for edge in edges for reader in edge.readers)}

    def toggle(self, layer: int) -> None:
        """Add a layer, or remove it if it is chosen."""
        step = -1 if layer in self.chosen else 1
        self.chosen ^= {layer}
        concerned = [layer]
        if layer not in self._costs.unquantized:
            for tensor in self._written[layer]:
                for reader in tensor.edge.readers:
                    self._touches[reader] += step
                    concerned.append(reader)
        for tensor in self._read[layer]:
            before = tensor.chosen > 0
            tensor.chosen += step
            producer = tensor.edge.producer
            if producer is not None and before != (tensor.chosen > 0):
                self._touches[producer] += step
                concerned.append(producer)
        for one in concerned:
            changes = one in self.chosen and (one in self._costs.weighted or self._touches[one] > 0)
            if changes != (one in self._changed):
                self._switch(one)

    def _switch(self, layer: int) -> None:
        """Let a layer compute in float, or no longer."""
        costs = self._costs
        step = -1 if layer in self._changed else 1
        own = {id(tensor): tensor for tensor in (*self._written[layer], *self._read[layer])}
        self.saving_us += sum(self._conversions_us(tensor) for tensor in own.values())
        self._changed ^= {layer}
        self.saving_us += step * costs.gains_us[layer]
        quantized, integers = layer not in costs.unquantized, layer not in costs.in_float
        for tensor in self._read[layer]:
            tensor.floating += step * quantized
            tensor.in_float += step * integers
            if quantized and not integers:
                tensor.dequantizing -= step  # it takes float from now on
        self.saving_us -= sum(self._conversions_us(tensor) for tensor in own.values())

    def _conversions_us(self, tensor: _Tensor) -> float:
        """The expected time of the conversions of one tensor; see `LayerCosts`."""
        costs, edge, producer = self._costs, tensor.edge, tensor.edge.producer
        changed = producer in self._changed
        from_float = producer is None or changed or producer in costs.unquantized
        through = len(edge.readers) - (tensor.floating if from_float else 0)
        if not through:
            return 0.0
        total = 0.0
        if producer is None or changed or producer in costs.in_float:
            total += costs.quantize_us * edge.elements
        dequantizing = tensor.dequantizing if from_float else tensor.in_float
        return total + costs.dequantize_us * edge.elements * dequantizing
