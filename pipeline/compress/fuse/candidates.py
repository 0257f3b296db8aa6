"""Candidates of a fusion, and the choice among those that are correct.

name, why = choose(correct)
fusion = Fusion(candidates=tried, choice=name, why=why)
"""

from collections.abc import Sequence

from ....devices.bench.ratio_text import stated
from ....devices.onboard.stats.estimate import Estimate
from ...records import Record

NONE = "none"
"""The name of the unfused model."""
NOT_MEASURED = Estimate.unknown("not measured")


class Candidate(Record):
    """One way to fuse, and its result."""

    name: str
    fused: dict[str, int]
    """Number of operators that the fusion added, by type."""
    largest_difference: float | None = None
    """To the outputs of the unfused model, run without optimization, over `padding_cases`;
    None: not compared."""
    p50_ms: Estimate = NOT_MEASURED
    ratio: Estimate = NOT_MEASURED
    """Median latency over that of the unfused model, paired."""
    refused: str | None = None
    """Why it cannot be chosen."""


class Fusion(Record):
    """All candidates, and the one that was chosen."""

    candidates: tuple[Candidate, ...]
    """In the order of preference; empty if there is no attention to fuse."""
    choice: str
    why: str

    @property
    def changed_nodes(self) -> int:
        """Operators in the file that the fusion added."""
        chosen = (candidate for candidate in self.candidates if candidate.name == self.choice)
        return sum(sum(candidate.fused.values()) for candidate in chosen)


def choose(correct: Sequence[Candidate]) -> tuple[str, str]:
    """The first candidate, in order of preference, that is as fast as the fastest one.

    A candidate is as fast as the fastest if the low end of its interval is within the fastest's
    interval. No candidate is chosen whose interval reaches the latency of the unfused model.

    Args:
        correct: the correct candidates in the order of preference, the unfused model first.

    Returns:
        Its name, and the reason.
    """
    measured = [candidate for candidate in correct[1:] if candidate.ratio.high is not None]
    if not measured:
        alone = len(correct) == 1
        why = "no other candidate is correct" if alone else "no candidate has an interval"
        return NONE, why
    fastest = min(measured, key=_value)
    bound = fastest.ratio.high
    if bound is None or bound >= 1:
        return NONE, f"no candidate is faster beyond the noise; the fastest is {_shown(fastest)}"
    equals = [
        candidate
        for candidate in measured
        if candidate.ratio.high is not None
        and candidate.ratio.high < 1
        and candidate.ratio.low is not None
        and candidate.ratio.low <= bound
    ]
    reason = "the fastest" if equals[0] is fastest else f"simpler than {fastest.name} and as fast"
    return equals[0].name, f"{_shown(equals[0])}: {reason}"


def _value(candidate: Candidate) -> float:
    return candidate.ratio.value if candidate.ratio.value is not None else float("inf")


def _shown(candidate: Candidate) -> str:
    return f"{candidate.name} at {stated(candidate.ratio, 'latency', 'the unfused model')}"
