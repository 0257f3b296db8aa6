"""The smallest and largest values of activations over a calibration set: the first pass.

extremes = extremes_of(run, feeds)
extremes["relu"].low, extremes["relu"].high
"""

from dataclasses import dataclass
from math import isfinite, isnan

from ....devices.onboard.model.modelfile import printable
from ....errors import DataError, ModelError
from .activation_run import ActivationRun, Feeds


@dataclass(slots=True)
class Extremes:
    """The smallest and largest value of one tensor, zero included, and how many values it has."""

    low: float = 0.0
    high: float = 0.0
    values: int = 0
    _runs: int = 0
    _lows: float = 0.0
    _highs: float = 0.0

    def add(self, low: float, high: float, values: int) -> None:
        """Add one run.

        Args:
            low: its smallest value.
            high: its largest value.
            values: number of values.
        """
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.values += values
        self._runs += 1
        self._lows += low
        self._highs += high

    def average(self) -> tuple[float, float]:
        """The mean over runs of the smallest and of the largest value."""
        runs = max(self._runs, 1)
        return self._lows / runs, self._highs / runs


def extremes_of(run: ActivationRun, feeds: Feeds) -> dict[str, Extremes]:
    """The extremes of each tensor over all samples.

    Raises:
        ModelError: a value is not a number. Infinite ones are kept, as masks have
            them, but in an input.
        DataError: there are no samples, or the model does not accept them.
    """
    extremes = {name: Extremes() for name in run.names}
    has_samples = False
    for name, values, where in run.activations(feeds):
        has_samples = True
        if not values.size:
            continue
        low, high = float(values.min()), float(values.max())
        given = name in run.given and not (isfinite(low) and isfinite(high))
        if given or isnan(low):  # NaN is its own minimum
            raise ModelError(
                f"{'NaN' if isnan(low) else 'infinity'} in tensor {printable(name)}",
                where=f"{run.model}: {where}",
                fix="find the sample that causes it, or correct the model",
            )
        extremes[name].add(low, high, values.size)
    if not has_samples and run.names:
        raise DataError("no samples", expected="at least one", where="the calibration set")
    return extremes
