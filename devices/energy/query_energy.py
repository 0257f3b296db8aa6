"""Energy of a query of one process: what a watch of the meters needs, and what it finds."""

from dataclasses import dataclass
from typing import Any, Self

from ..onboard.measure.answer import Answer, RunAnswer, TimedAnswer


@dataclass(slots=True)
class QueryEnergy:
    """Energy of a query; a watch changes it when its source is read, see `metering`.

    Attributes:
        timed_from: unix seconds when the process began to time.
        timed_seconds: how long it timed.
        queries: how many it timed.
        uj: microjoules of a query; None where they are not measured.
        missing: why they are None.
        gross_uj: the same without subtraction of the idle machine; None where nothing was
            subtracted.
        less_uj: how much less `uj` is at the high end of the idle power.
        more_uj: how much more `uj` is at the low end of the idle power.
        method: the source, for the reader of a report; None where nothing was subtracted.
    """

    timed_from: float = 0.0
    timed_seconds: float = 0.0
    queries: int = 0
    uj: float | None = None
    missing: str | None = None
    gross_uj: float | None = None
    less_uj: float = 0.0
    more_uj: float = 0.0
    method: str | None = None

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """What the worker itself counted; unknown where it timed no queries."""
        if not isinstance(answer, RunAnswer):
            return cls()
        return cls(
            answer.timed_from,
            answer.timed_seconds,
            answer.queries if isinstance(answer, TimedAnswer) else 0,
            answer.energy_uj,
            answer.energy_missing,
        )

    def as_record(self) -> dict[str, Any]:
        """The figures by the names that they have in `processes.json`."""
        record: dict[str, Any] = {"energy_uj": self.uj, "energy_missing": self.missing}
        if self.method is not None:
            record |= {
                "energy_gross_uj": self.gross_uj,
                "energy_less_uj": self.less_uj,
                "energy_more_uj": self.more_uj,
                "energy_method": self.method,
            }
        return record
