"""How far the answers of a model that rounds move when its arithmetic changes in the last digits.

A value that lies between two levels is rounded up after one order of summing and down after
another. In a convolutional network one such value among thousands is lost in the sums behind it.
Attention and layer norm pass it on whole: what is rounded otherwise early changes a softmax, the
deviation that a token is divided by, and with them what lies close to a border further on. No count
of layers tells how much that comes to, for it depends on weights and samples. So it is measured, by
Monte Carlo arithmetic (Parker 1997, "Monte Carlo arithmetic", random rounding of results): every
operator's result is changed at random within the error that another order of summing has, several
times, and the model's own answers are compared.

>>> largest_change(reference.net, torch.from_numpy(x))                      # doctest: +SKIP
0.011
"""

from typing import Any

import torch
from torch.fx import GraphModule, Interpreter, Node

ERROR = 2.0**-20
"""Relative, of a float32 sum: 16 times the unit roundoff, the square root of 256 terms' (Higham &
Mary 2019, §2: errors of n roundings grow as the square root of n)."""
DRAWS = 16
"""A single draw may meet no value near a rounding border."""
_PASS_ON = (torch.ops.aten.softmax.int, torch.ops.aten.layer_norm.default)


class _Perturbed(Interpreter):
    """Runs a graph, and changes what each operator gives by a random relative error."""

    def __init__(self, graph: GraphModule, random: torch.Generator) -> None:
        super().__init__(graph)
        self._random = random

    def run_node(self, n: Node) -> Any:
        """The node's output, perturbed where it is computed in float."""
        value = super().run_node(n)
        if n.op != "call_function" or not isinstance(value, torch.Tensor):
            return value
        if not value.is_floating_point():
            return value
        share = torch.rand(value.shape, generator=self._random) * 2.0 - 1.0
        return value * (1.0 + ERROR * share)


def propagates(graph: GraphModule) -> bool:
    """Whether a model has a softmax or a layer norm, so that a step may grow on its way."""
    return any(node.target in _PASS_ON for node in graph.graph.nodes)


@torch.no_grad()
def largest_change(graph: GraphModule, samples: torch.Tensor) -> float:
    """The largest change of an output over all samples and draws; the same at every call.

    Args:
        graph: a model with Q/DQ operators, in eval mode.
        samples: as it takes them, [n, …].
    """
    random = torch.Generator().manual_seed(0)
    exact = graph(samples)
    draws = (_Perturbed(graph, random).run(samples) for _ in range(DRAWS))
    return max(float((draw - exact).abs().max()) for draw in draws)
