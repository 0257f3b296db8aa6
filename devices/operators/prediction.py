"""What a model would take on a device that is only a profile: PREDICTED, never measured.

>>> timed = [Timed("Conv", 400.0, 1.0, Work("float32", 2e6, 1e3))]
>>> host = Machine("host", fp32_op_s=10e9, int8_op_s=None, byte_s=4e9)
>>> half = Machine("half", fp32_op_s=5e9, int8_op_s=None, byte_s=2e9)
>>> predict(timed, Bounds(host, host, host), Bounds(half, half, half)).ratio
2.0

Each kind of operator (what it computes, in which numbers) has an efficiency on the host: the time
at the roof (`roofline`) over the time measured, less what calling an operator costs. On the target
its operators are given the roof's time there over the same efficiency, and a call what it costs on
the host, scaled by the clocks. That efficiencies carry over is the assumption, and the band says
how far it may be off, of two causes that are taken for independent (squares of logarithms add up):

- efficiency is a draw around a mean, on the host as on the target, so that the two differ by the
  square root of 2 times its spread, in logarithms, and all operators alike. The spread is that of
  the operators around their kinds, weighted by time, pooled with `SPREAD` as if that had been seen
  `WEIGHT` times and never less than it; Student's t of as many degrees of freedom gives 90 %;
- the figures of both machines lie between their low and their high, all at the wrong end at once.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..onboard.stats.distributions import student_t
from .roofline import Bounds, Machine, Work, roof_us

CONFIDENCE = 0.9
"""Of the band, if efficiencies are as the module's docstring has them."""
SPREAD = 0.35
"""Standard deviation of log efficiencies that is assumed at least: a factor of 1.4.

Ten models (convolutions, transformers, fp32 and int8) on one busy x86 host, each predicted from the
efficiencies of the other nine, were off by factors of 0.60 to 1.64: root mean square of the
logarithms 0.28. That is from model to model; from machine to machine nothing was measured.
"""
WEIGHT = 4
"""Observations that the assumed spread counts as."""
THREADS_EFFICIENCY = 0.8
"""Of each core, where there are several threads: what is left of it to operators that wait for one
another and to those that do not split. It is assumed, not measured."""
CALL_AT_MOST_US = 5.0
"""An operator that computes nothing to speak of takes less (of onnxruntime on x86, one or two)."""
Kind = tuple[str, str]
"""What an operator computes, and in which numbers."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One operator as it ran on the host.

    Attributes:
        family: what it computes, whatever the runtime calls it.
        us: microseconds a query.
        calls: a query.
        work: what it does.
    """

    family: str
    us: float
    calls: float
    work: Work

    @property
    def kind(self) -> Kind:
        """What shares an efficiency with it."""
        return self.family, self.work.type


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was predicted of one model.

    Attributes:
        ratio: time on the target over time on the host.
        low: lower end of the band of that.
        high: upper end of it.
        operators_us: on the target, in the order given.
        spread: standard deviation of log efficiencies that the band is from.
        call_us: what calling an operator costs on the target.
        unroofed: operators without a roof; they are scaled by the slowest of the figures.
    """

    ratio: float
    low: float
    high: float
    operators_us: tuple[float, ...]
    spread: float
    call_us: float
    unroofed: int


def predict(
    timed: Sequence[Timed],
    host: Bounds,
    target: Bounds,
    *,
    threads: int = 1,
    known: Mapping[Kind, float] | None = None,
) -> Prediction:
    """Predict the time of operators on another machine.

    Args:
        timed: at least one operator that took time.
        host: where they were timed.
        target: where they shall run.
        threads: on both, no more than a machine has cores.
        known: efficiencies to use in place of those of `timed`, as `efficiencies` gives them; for
            judging the method.

    Raises:
        ValueError: no time at all.
    """
    measured = sum(one.us for one in timed)
    if measured <= 0.0:
        raise ValueError("operators that took no time")
    spread, freedom = _spread(timed, host.value, threads)
    off = math.sqrt(2.0) * spread * student_t(CONFIDENCE, freedom)
    us = _on(timed, host.value, target.value, threads, known)
    total = sum(us)
    fastest = sum(_on(timed, host.low, target.high, threads, known))
    slowest = sum(_on(timed, host.high, target.low, threads, known))
    return Prediction(
        ratio=total / measured,
        low=total / measured * math.exp(-math.hypot(off, math.log(total / fastest))),
        high=total / measured * math.exp(math.hypot(off, math.log(slowest / total))),
        operators_us=us,
        spread=spread,
        call_us=call_us(timed) * _slower(host.value, target.value),
        unroofed=sum(_roof(one.work, host.value, threads) is None for one in timed),
    )


def call_us(timed: Sequence[Timed]) -> float:
    """What calling an operator costs, microseconds: a tenth of the operators take no longer."""
    times = sorted(one.us / one.calls for one in timed if one.calls)
    return min(CALL_AT_MOST_US, times[len(times) // 10]) if times else 0.0


def _calls_us(one: Timed, least: float) -> float:
    """Of an operator's time what calling it costs."""
    return min(one.us, least * one.calls)


def efficiencies(timed: Sequence[Timed], host: Machine, threads: int = 1) -> dict[Kind, float]:
    """Time at the roof over time measured, less calls, by kind; only where both are known."""
    roofs: dict[Kind, float] = defaultdict(float)
    times: dict[Kind, float] = defaultdict(float)
    least = call_us(timed)
    for one in timed:
        roof = _roof(one.work, host, threads)
        if roof is not None:
            roofs[one.kind] += roof
            times[one.kind] += one.us - _calls_us(one, least)
    return {kind: roofs[kind] / us for kind, us in times.items() if us > 0.0 < roofs[kind]}


def _on(
    timed: Sequence[Timed],
    host: Machine,
    target: Machine,
    threads: int,
    known: Mapping[Kind, float] | None,
) -> tuple[float, ...]:
    """Microseconds of each operator on the target."""
    own = efficiencies(timed, host, threads)
    attained = {**own, **(known or {})}
    least, slower = call_us(timed), _slower(host, target)
    found = []
    for one in timed:
        calls = _calls_us(one, least)
        roof = _roof(one.work, target, threads)
        if roof is None or one.kind not in attained:
            # Nothing tells what bounds it: all of its time goes with the slowest figure.
            found.append((one.us - calls) * _slowest(host, target) + calls * slower)
        else:
            found.append(roof / attained[one.kind] + calls * slower)
    return tuple(found)


def _roof(work: Work, machine: Machine, threads: int) -> float | None:
    cores = machine.with_threads(threads)
    return roof_us(work, machine, cores=cores * THREADS_EFFICIENCY if cores > 1 else 1.0)


def _slower(host: Machine, target: Machine) -> float:
    """By what code that neither computes nor moves much is slower: clocks, else fp32 peaks."""
    if host.clock_hz and target.clock_hz:
        return host.clock_hz / target.clock_hz
    return host.fp32_op_s / target.fp32_op_s


def _slowest(host: Machine, target: Machine) -> float:
    return max(host.fp32_op_s / target.fp32_op_s, host.byte_s / target.byte_s)


def _spread(timed: Sequence[Timed], host: Machine, threads: int) -> tuple[float, int]:
    """Standard deviation of log efficiencies around those of kinds, and its degrees of freedom.

    Pooled with the assumed spread as a scaled inverse chi-squared prior is (Gelman et al., Bayesian
    Data Analysis, 3rd ed., 2.6).
    """
    attained, least = efficiencies(timed, host, threads), call_us(timed)
    weights, squares = [], 0.0
    for one in timed:
        roof, us = _roof(one.work, host, threads), one.us - _calls_us(one, least)
        if one.kind in attained and roof and us > 0.0:
            weights.append(us)
            squares += us * math.log(roof / us / attained[one.kind]) ** 2
    if not weights:
        return SPREAD, WEIGHT
    squares /= sum(weights)
    # Operators that take hardly any time hardly count; so many count in full (Kish 1965, 8.2).
    seen = sum(weights) ** 2 / sum(one**2 for one in weights)
    pooled = (WEIGHT * SPREAD**2 + seen * squares) / (WEIGHT + seen - 1.0)
    return max(SPREAD, math.sqrt(pooled)), int(WEIGHT + seen - 1.0)
