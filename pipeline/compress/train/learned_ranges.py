"""What a training with rounding learned of its activations, for formats that round them again.

ranges = of(model, samples)          # before ``qat.converted``
"""

from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ....exporters.learned_ranges import LearnedRanges
from ...distill.batches import as_model_input
from ...records import DataRecord

SAMPLES = 8
"""By which an activation is known again."""


class Rounding(Protocol):
    """A model that rounds, such as ``qat.Captured``."""

    def eval(self) -> Any:
        """Ranges stand still."""

    def roundings(self) -> list[Any]:
        """The modules that round."""

    def running(self) -> list[Any]:
        """Those of activations."""

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Its outputs."""


@torch.no_grad()
def of(model: Rounding, samples: NDArray[Any], data: DataRecord) -> LearnedRanges:
    """The range of each activation that is rounded, and its extremes in float on a few samples.

    Args:
        model: a trained one, before it is converted.
        samples: some [n, ...] as the data set has them; the first few are taken.
        data: what they are.
    """
    model.eval()
    running, all_of_them = model.running(), model.roundings()
    samples = np.asarray(samples[:SAMPLES])
    extremes = np.zeros((len(running), len(samples), 2))
    number = 0

    def note(place: int, module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        del module
        low, high = given[0].aminmax()
        extremes[place, number] = float(low), float(high)

    handles = [one.register_forward_pre_hook(partial(note, k)) for k, one in enumerate(running)]
    try:
        for rounding in all_of_them:
            rounding.disable_fake_quant()
        for number in range(len(samples)):
            # Twice the same one: the graph was captured with several.
            twice = np.repeat(samples[number : number + 1], 2, axis=0)
            model(torch.from_numpy(as_model_input(twice, data)))
    finally:
        for rounding in all_of_them:
            rounding.enable_fake_quant()
        for handle in handles:
            handle.remove()
    return LearnedRanges(samples, extremes, np.array([_range(one) for one in running]))


def _range(rounding: Any) -> tuple[float, float]:
    """From where to where the integers of an activation reach."""
    scale, zero = (float(part) for part in rounding.calculate_qparams())
    return (rounding.quant_min - zero) * scale, (rounding.quant_max - zero) * scale
