"""What layers cost in int8 and in float, and what a set of them left in float saves.

    costs.saving_us(frozenset({3}))

Leaving a layer in float saves its int8 time and costs its fp32 time, and the conversions at its
edges appear or disappear with the type of its neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


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
