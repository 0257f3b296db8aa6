"""What a training with int8 rounding learned of activations, for converters that round again.

    LearnedRanges(samples, extremes, ranges).write(Path("ranges.npz"))

A converter's graph has other names, joins operators and turns axes. So an activation is known by
what it is: the extremes of its values in float on a few samples, which are the same in every graph
that computes it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class LearnedRanges:
    """The ranges, in the order in which the model computes the activations.

    Attributes:
        samples: a few samples [n, ...] as the model takes them.
        extremes: float64 [activations, n, 2]: least and largest value of each on each sample, in
            float.
        ranges: float64 [activations, 2]: from where to where its integers reach.
    """

    samples: "NDArray[Any]"
    extremes: "NDArray[Any]"
    ranges: "NDArray[Any]"

    def write(self, path: Path) -> None:
        """As an ``.npz``."""
        import numpy as np

        parts = {"samples": self.samples, "extremes": self.extremes, "ranges": self.ranges}
        np.savez(path, allow_pickle=False, **parts)

    @classmethod
    def read(cls, path: Path) -> Self:
        """What ``write`` wrote."""
        import numpy as np

        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["samples"], stored["extremes"], stored["ranges"])
