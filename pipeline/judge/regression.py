"""Is a model worse than the one before it? Size, score, instructions and latency, each by interval.

    found = compare(now, then, Limits())
    found.outcome           # 'ready': no regression; 'not ready': one; 'undecided': cannot be told
    [check.what for check in found.checks]      # ['size', 'score', 'instructions', 'latency']

A limit says how much worse a figure may be. There is no regression where the whole interval of the
change lies inside every limit, and there is one where the whole interval of some change lies
outside of its limit.

The rates of error hold for one comparison, under the assumption that test is a sample of what the
model will see. Each interval is two-sided at ``promise.confidence`` of the variants that could have
shipped, 1 - 0.01 / k:

* "no regression" is wrong in at most 0.5 %: a change that is truly beyond its limit has its whole
  interval inside with half the error of one interval, whatever the others say (an
  intersection-union test, as in ``promise``).
* "regression" is wrong in at most 0.5 % for the score, which errs on that side with 0.5 % / k where
  any of k variants may be the one that is compared, and in another 0.5 % for each latency that is
  measured. Sizes do not vary.

Of one test the scores of both models are compared sample by sample (the task's own paired interval,
Tango 1998 for accuracy), or where one's answers are not kept by the intervals of both (Newcombe,
"Interval estimation for the difference between independent proportions", Statistics in Medicine 17,
1998, method 10; Zou & Donner 2008 for any figure). Scores on different tests are not compared: a
rise may be that of an easier test. Sizes and instructions are counts. Latencies are compared where
both models were measured in turn, never across two builds.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Figures
from ..records import Outcome
from ..tasks import Task
from ..tasks.sampling import Sampling
from .budgets import hold

What = Literal["size", "score", "instructions", "latency"]
SAME_FILE = "the same file, byte for byte"
APART = "measured apart, at two times: not judged"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much worse than the baseline a model may be.

    Attributes:
        size_growth: of the file, a share of the baseline's.
        score_drop: in the score's own unit; 0.01 is a point of an accuracy.
        instructions_growth: of a query, a share.
        latency_growth: of a query, a share.
    """

    size_growth: float = 0.02
    score_drop: float = 0.01
    instructions_growth: float = 0.01
    latency_growth: float = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model answers on test, and what would be right.

    Attributes:
        outputs: [n, k].
        truth: as the task reads it.
        groups: of each sample; None where samples are independent.
    """

    outputs: NDArray[Any]
    truth: NDArray[Any]
    groups: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One model of the two.

    Attributes:
        bytes: of its file in the format that ships; None where that is not recorded.
        sha256: of that file.
        score: on its own test.
        figures: that were measured of it; None where none were.
        counted_by: runtime, kernels and setting of the instructions; only equal ones compare.
    """

    bytes: int | None
    sha256: str | None
    score: Estimate
    figures: Figures | None
    counted_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of both models.

    Attributes:
        what: which.
        then: of the baseline.
        now: of the model.
        change: now over then; of the score what was lost.
        limit: the largest change that is allowed.
        outcome: None where it was not judged.
        why: of the outcome, or why it was not judged.
    """

    what: What
    then: Estimate
    now: Estimate
    change: Estimate
    limit: float
    outcome: Outcome | None
    why: str


def outcome_of(changes: tuple[Change, ...]) -> Outcome:
    """The worst outcome of those that were judged; undecided where none was."""
    found = {change.outcome for change in changes}
    if "not ready" in found:
        return "not ready"
    return "ready" if "ready" in found and "undecided" not in found else "undecided"


def changes(
    now: Side,
    then: Side,
    limits: Limits,
    *,
    lost: Estimate,
    latency: Estimate | None,
) -> tuple[Change, ...]:
    """Every figure of two models, compared.

    Args:
        now: the model.
        then: the baseline.
        limits: how much worse it may be.
        lost: score of the baseline minus that of the model; see ``lost_by``.
        latency: ratio of both, measured in turn; None where they were measured apart.
    """
    return tuple(_changes(now, then, limits, lost, latency))


def lost_by(now: Answers, then: Answers, task: Task, confidence: float) -> Estimate:
    """Score lost to the baseline, paired by sample.

    Args:
        now: answers of the model.
        then: of the baseline, to the same samples in the same order.
        task: both models have it.
        confidence: of the interval.
    """
    return task.drop(then.outputs, now.outputs, now.truth, Sampling(confidence, now.groups))


def apart(now: Estimate, then: Estimate, why: str) -> Estimate:
    """Score lost, of two scores that cannot be paired (Newcombe 1998, method 10).

    Args:
        now: with its interval.
        then: with its interval.
        why: they cannot be paired.
    """
    method = f"difference of two intervals by Newcombe 1998, not paired: {why}"
    if now.value is None or then.value is None:
        missing = now.missing if now.value is None else then.missing
        return Estimate.unknown(missing or "no score", method)
    ends = (now.low, now.high, then.low, then.high)
    value = then.value - now.value
    if any(end is None for end in ends):
        missing = now.missing or then.missing or "a score has no interval"
        return Estimate(value, None, None, method, now.n, missing, now.unit, "measured")
    a_low, a_high, b_low, b_high = (float(end or 0.0) for end in ends)
    below = math.hypot(then.value - b_low, a_high - now.value)
    above = math.hypot(b_high - then.value, now.value - a_low)
    n = min(now.n, then.n)
    return Estimate(value, value - below, value + above, method, n, None, now.unit, "measured")


def _changes(
    now: Side, then: Side, limits: Limits, lost: Estimate, latency: Estimate | None
) -> Iterator[Change]:
    same = now.sha256 is not None and now.sha256 == then.sha256
    yield _size(now, then, limits.size_growth)
    # One file is one model: it lost nothing, on whichever samples it was scored.
    change = Estimate.exact(0.0, SAME_FILE) if same else lost
    yield _judged("score", then.score, now.score, change, limits.score_drop)
    yield _instructions(now, then, limits.instructions_growth)
    yield _latency(now, then, latency, limits.latency_growth, same=same)


def _size(now: Side, then: Side, growth: float) -> Change:
    a, b = (_bytes(side) for side in (then, now))
    if a.value is None or b.value is None:
        ratio = Estimate.unknown("an older version did not record the size", unit="ratio")
    else:
        ratio = Estimate.exact(b.value / a.value, "file sizes", "ratio")
    return _judged("size", a, b, ratio, 1.0 + growth)


def _bytes(side: Side) -> Estimate:
    if side.bytes is None:
        return Estimate.unknown("not recorded", unit="bytes")
    return Estimate.exact(side.bytes, "file size", "bytes")


def _instructions(now: Side, then: Side, growth: float) -> Change:
    a, b = (
        side.figures.instructions if side.figures else Estimate.unknown("not measured")
        for side in (then, now)
    )
    limit = 1.0 + growth
    if not a.value or not b.value or a.low == 0.0:
        which = "the baseline" if not a.value else "this run"
        missing = (a if not a.value else b).missing or "not counted"
        return _open("instructions", a, b, limit, f"of {which}: {missing}")
    if now.counted_by != then.counted_by:
        pairs = zip(then.counted_by, now.counted_by, strict=False)
        differ = "; ".join(f"then {x}, now {y}" for x, y in pairs if x != y)
        return _open("instructions", a, b, limit, f"not counted alike ({differ}): not judged")
    return _judged("instructions", a, b, _over(b, a, "counts of a query"), limit)


def _over(now: Estimate, then: Estimate, method: str) -> Estimate:
    """A ratio of two counts, each with the range that repeated counting gave."""
    a, b = then.value or 0.0, now.value or 0.0
    low = (b if now.low is None else now.low) / (a if then.high is None else then.high)
    high = (b if now.high is None else now.high) / (a if then.low is None else then.low)
    return Estimate(b / a, low, high, method, 1, None, "ratio", "exact")


def _latency(
    now: Side, then: Side, measured: Estimate | None, growth: float, *, same: bool
) -> Change:
    a, b = (
        side.figures.p50_ms if side.figures else Estimate.unknown("not measured", unit="ms")
        for side in (then, now)
    )
    limit = 1.0 + growth
    if measured is not None:
        return _judged("latency", a, b, measured, limit)
    if same:
        return _judged("latency", a, b, Estimate.exact(1.0, SAME_FILE, "ratio"), limit)
    return _open("latency", a, b, limit, APART)


def _judged(what: What, then: Estimate, now: Estimate, change: Estimate, limit: float) -> Change:
    # The limit itself is inside, whatever a division rounds to.
    outcome, why = hold("at most", limit * (1.0 + 1e-12), change)
    if change.kind == "exact" and change.method == SAME_FILE:
        why = SAME_FILE
    if change.value is None and change.missing:
        why = change.missing
    return Change(what, then, now, change, limit, outcome, why)


def _open(what: What, then: Estimate, now: Estimate, limit: float, why: str) -> Change:
    return Change(what, then, now, Estimate.unknown(why, unit="ratio"), limit, None, why)
