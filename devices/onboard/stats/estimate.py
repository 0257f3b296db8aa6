"""A figure with its interval, or the reason why there is none."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval, or the reason why there is none.

    Attributes:
        value: the point estimate, None where it could not be had.
        low: lower end of the interval, None where there is no interval.
        high: upper end of the interval, None where there is no interval.
        method: how value and interval were found, for the reader of a report.
        n: how many independent observations it rests on.
        missing: why value or interval is None; None where nothing is missing.
    """

    value: float | None
    low: float | None
    high: float | None
    method: str
    n: int
    missing: str | None = None

    def known_within(self, share: float) -> bool:
        """Whether half the interval is no more than this share of the value."""
        if self.value is None or self.low is None or self.high is None:
            return False
        return self.high - self.low <= 2 * share * abs(self.value)

    @classmethod
    def unknown(cls, reason: str, method: str = "", n: int = 0) -> Self:
        """A figure that could not be had, and why."""
        return cls(None, None, None, method, n, reason)

    @classmethod
    def exact(cls, value: float, method: str) -> Self:
        """A figure that is counted, not sampled: its interval is itself."""
        return cls(float(value), float(value), float(value), method, 1)
