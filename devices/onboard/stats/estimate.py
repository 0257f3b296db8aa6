"""A figure with its interval, or the reason why there is none."""

from dataclasses import dataclass
from typing import Literal, Self

Kind = Literal["measured", "predicted", "declared", "exact", "unknown"]
"""Where a figure comes from: sampled on the device or on test data; computed for a device that was
not measured; counted operations times published energy; counted; not available."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval, or the reason why there is none.

    Attributes:
        value: the point estimate, None where it is not available.
        low: lower end of the interval, None where it has none.
        high: upper end of the interval, None where it has none.
        method: how value and interval were computed, for the reader of a report. No code reads it.
        n: how many independent observations it rests on.
        missing: why value or interval is None; None where nothing is missing.
        unit: of value, low and high: `ms`, `bytes`, `uJ`, `ratio`, `share`, `instructions`; empty
            for a plain number, such as a score.
        kind: where the figure comes from. `unknown` unless set, so that a figure of no stated
            origin decides no budget.
        caution: what made the interval wider than so many observations at random would, such as
            a drift; None where nothing did.
    """

    value: float | None
    low: float | None
    high: float | None
    method: str
    n: int
    missing: str | None = None
    unit: str = ""
    kind: Kind = "unknown"
    caution: str | None = None

    def known_within(self, share: float) -> bool:
        """Whether half the interval is no more than this share of the value."""
        if self.value is None or self.low is None or self.high is None:
            return False
        return self.high - self.low <= 2 * share * abs(self.value)

    @classmethod
    def unknown(cls, reason: str, method: str = "", n: int = 0, unit: str = "") -> Self:
        """A figure that is not available, and why."""
        return cls(None, None, None, method, n, reason, unit, "unknown")

    @classmethod
    def exact(cls, value: float, method: str, unit: str = "") -> Self:
        """A figure that is counted, not sampled: its interval is itself."""
        return cls(float(value), float(value), float(value), method, 1, None, unit, "exact")
