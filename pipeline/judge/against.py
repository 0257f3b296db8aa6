"""A run against a baseline: what was compared with what, and whether anything is worse.

found.outcome               # 'not ready': a regression
combined("ready", found.outcome)        # the exit code's outcome
"""

from dataclasses import asdict, dataclass
from typing import Any

from ..records import Outcome
from .promise import ERROR_RATE
from .regression import Change, Limits

_WORST: tuple[Outcome, ...] = ("ready", "undecided", "not ready")


@dataclass(frozen=True, slots=True)
class Pair:
    """One model against one of the baseline.

    Attributes:
        now: the variant's name.
        then: that of the baseline.
        format: of both files.
        changes: of every figure; empty where the baseline has no such model.
        outcome: over all that was judged.
        paired: why the scores are compared sample by sample, or why they are not.
        missing: why there is nothing to compare; None where there is.
    """

    now: str
    then: str
    format: str
    changes: tuple[Change, ...]
    outcome: Outcome
    paired: str
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Against:
    """A run against a baseline.

    Attributes:
        baseline: the name of its run, and when it was built.
        commit: of the baseline's recipe; None where it is not known.
        limits: how much worse a model may be.
        pairs: what ships against its like, then against what the baseline shipped.
        confidence: of the intervals of scores.
        itself: in which way the baseline is the run itself; None where it is another.
    """

    baseline: str
    commit: str | None
    limits: Limits
    pairs: tuple[Pair, ...]
    confidence: float
    itself: str | None = None

    @property
    def error_rate(self) -> float:
        """Of comparisons in which "regression" or "no regression" may be wrong.

        That of scores is half of ``ERROR_RATE`` over all variants and pairs; each measured latency
        adds its own half (``finished.compare``).
        """
        measured = sum(
            change.what == "latency" and change.change.kind == "measured"
            for pair in self.pairs
            for change in pair.changes
        )
        return ERROR_RATE / 2 * (1 + measured)

    @property
    def outcome(self) -> Outcome:
        """The worst of all pairs."""
        return max((pair.outcome for pair in self.pairs), key=_WORST.index)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        return {**asdict(self), "outcome": self.outcome, "error_rate": self.error_rate}


def combined(verdict: Outcome, found: Outcome) -> Outcome:
    """The worse of the budgets' verdict and of that against a baseline."""
    return max(verdict, found, key=_WORST.index)
