"""The latency of a model on a device known only by its profile: PREDICTED, never measured.

>>> timed = [Timed("Conv", 400.0, 1.0, Work("float32", 2e6, 1e3))]
>>> host = Machine("host", fp32_op_s=10e9, int8_op_s=None, byte_s=4e9)
>>> half = Machine("half", fp32_op_s=5e9, int8_op_s=None, byte_s=2e9)
>>> predict(timed, Bounds(host, host, host), Bounds(half, half, half)).ratio
2.0

Each kind of operator (what it computes, in which numbers) has an efficiency on the host: the time
at the roof (`roofline`) over the measured time minus the cost of calling the operator. The time on
the target is the roof's time there over the same efficiency, plus the cost of a call on the host
scaled by the clocks. The assumption is that efficiencies carry over. The band states how far that
may be off, from causes of which the first and the others are taken as independent (squares of
logarithms add up):

- The efficiency on each machine is a draw around a mean, so the two differ by the square root of 2
  times its spread, in logarithms, by the same factor for all operators. The spread is that of the
  operators around their kinds, weighted by time, pooled with `SPREAD` as if `SPREAD` had been
  observed `WEIGHT` times, and never below `SPREAD`. Student's t with that many degrees of freedom
  gives 90 %.
- The figures of both machines lie between their low and their high, all at the worse end at once.
- Cores that the target uses beyond those of the host were not tried: at the worse end they gain
  nothing, at the better end nothing of them is lost.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..onboard.stats.distributions import student_t
from .roofline import Bounds, Machine, Work, roof_us

CONFIDENCE = 0.9
"""Of the band, under the assumptions in the module's docstring."""
SPREAD = 0.35
"""The least standard deviation of log efficiencies that is assumed: a factor of 1.4.

Ten models (convolutions, transformers, fp32 and int8) on one busy x86 host, each predicted from the
efficiencies of the other nine, were off by factors of 0.60 to 1.64: root mean square of the
logarithms 0.28. That is the spread between models; the spread between machines was not measured.
"""
WEIGHT = 4
"""How many observations the assumed spread counts as."""
THREADS_EFFICIENCY = 0.8
"""Part of each core that several threads use: the rest is lost to waiting and to operators that run
on one thread. Assumed, not measured."""
CALL_AT_MOST_US = 5.0
"""Upper bound of the cost of a call; in onnxruntime on x86 a call costs 1 to 2 µs."""
Kind = tuple[str, str]
"""What an operator computes, and in which type of numbers."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One operator as it ran on the host.

    Attributes:
        family: the operation, see `wiring.family`.
        us: microseconds a query.
        calls: calls a query.
        work: its arithmetic and its bytes.
    """

    family: str
    us: float
    calls: float
    work: Work

    @property
    def kind(self) -> Kind:
        """Operators of one kind share one efficiency."""
        return self.family, self.work.type


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one model.

    Attributes:
        ratio: time on the target over time on the host.
        low: lower end of the ratio's band.
        high: upper end of the ratio's band.
        operators_us: microseconds of each operator on the target, in the order given.
        spread: the standard deviation of log efficiencies behind the band.
        call_us: cost of calling an operator on the target, microseconds.
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
    efficiency_of: Mapping[Kind, float] | None = None,
) -> Prediction:
    """Predict the time of operators on another machine.

    Args:
        timed: at least one operator that took time.
        host: the machine on which they were timed.
        target: the machine to predict for.
        threads: threads on both; at most the cores of a machine are used.
        efficiency_of: efficiencies by kind that replace those of `timed`, as `efficiencies` returns
            them; for evaluating the method.

    Raises:
        ValueError: the operators took no time.
    """
    measured = sum(operator.us for operator in timed)
    if measured <= 0.0:
        raise ValueError("operators that took no time")
    spread, freedom = _spread(timed, host.value, threads)
    log_error = math.sqrt(2.0) * spread * student_t(CONFIDENCE, freedom)
    tried, used = (_cores(machine.value, threads) for machine in (host, target))
    # Either end of what cores that were not tried may add.
    least, most = min(used, tried), target.value.with_threads(threads) if used > tried else used

    def times(here: Machine, there: Machine, cores: float) -> tuple[float, ...]:
        return _times_on_target(timed, here, there, threads, efficiency_of, cores)

    us = times(host.value, target.value, used)
    total = sum(us)
    fastest = sum(times(host.low, target.high, most))
    slowest = sum(times(host.high, target.low, least))
    return Prediction(
        ratio=total / measured,
        low=total / measured * math.exp(-math.hypot(log_error, math.log(total / fastest))),
        high=total / measured * math.exp(math.hypot(log_error, math.log(slowest / total))),
        operators_us=us,
        spread=spread,
        call_us=call_us(timed) * _clock_ratio(host.value, target.value),
        unroofed=sum(_roof(operator.work, host.value, threads) is None for operator in timed),
    )


def call_us(timed: Sequence[Timed]) -> float:
    """The cost of calling an operator, microseconds: the 10th percentile of their times a call."""
    times = sorted(operator.us / operator.calls for operator in timed if operator.calls)
    return min(CALL_AT_MOST_US, times[len(times) // 10]) if times else 0.0


def _calls_us(operator: Timed, a_call_us: float) -> float:
    """The part of an operator's time that its calls cost."""
    return min(operator.us, a_call_us * operator.calls)


def efficiencies(timed: Sequence[Timed], host: Machine, threads: int = 1) -> dict[Kind, float]:
    """Time at the roof over measured time without calls, by kind; only where both are known."""
    roofs: dict[Kind, float] = defaultdict(float)
    times: dict[Kind, float] = defaultdict(float)
    a_call_us = call_us(timed)
    for operator in timed:
        roof = _roof(operator.work, host, threads)
        if roof is not None:
            roofs[operator.kind] += roof
            times[operator.kind] += operator.us - _calls_us(operator, a_call_us)
    return {kind: roofs[kind] / us for kind, us in times.items() if us > 0.0 < roofs[kind]}


def _times_on_target(
    timed: Sequence[Timed],
    host: Machine,
    target: Machine,
    threads: int,
    efficiency_of: Mapping[Kind, float] | None,
    cores: float,
) -> tuple[float, ...]:
    """Microseconds of each operator on the target, of which this many cores are used."""
    own = efficiencies(timed, host, threads)
    attained = {**own, **(efficiency_of or {})}
    a_call_us, clock_ratio = call_us(timed), _clock_ratio(host, target)
    times_us = []
    for operator in timed:
        calls = _calls_us(operator, a_call_us)
        roof = roof_us(operator.work, target, cores=cores)
        if roof is None or operator.kind not in attained:
            # What limits it is unknown: its time scales with the slowest figure.
            times_us.append(
                (operator.us - calls) * _worst_ratio(host, target) + calls * clock_ratio
            )
        else:
            times_us.append(roof / attained[operator.kind] + calls * clock_ratio)
    return tuple(times_us)


def _roof(work: Work, machine: Machine, threads: int) -> float | None:
    return roof_us(work, machine, cores=_cores(machine, threads))


def _cores(machine: Machine, threads: int) -> float:
    """The cores that threads use, less what is lost of several."""
    cores = machine.with_threads(threads)
    return cores * THREADS_EFFICIENCY if cores > 1 else 1.0


def _clock_ratio(host: Machine, target: Machine) -> float:
    """The slowdown of code with little arithmetic and few bytes: clocks, else fp32 peaks."""
    if host.clock_hz and target.clock_hz:
        return host.clock_hz / target.clock_hz
    return host.fp32_op_s / target.fp32_op_s


def _worst_ratio(host: Machine, target: Machine) -> float:
    return max(host.fp32_op_s / target.fp32_op_s, host.byte_s / target.byte_s)


def _spread(timed: Sequence[Timed], host: Machine, threads: int) -> tuple[float, int]:
    """Standard deviation of log efficiencies around those of kinds, and its degrees of freedom.

    Pooled with the assumed spread as a scaled inverse chi-squared prior is (Gelman et al., Bayesian
    Data Analysis, 3rd ed., 2.6).
    """
    attained, a_call_us = efficiencies(timed, host, threads), call_us(timed)
    weights, squares = [], 0.0
    for operator in timed:
        roof, us = _roof(operator.work, host, threads), operator.us - _calls_us(operator, a_call_us)
        if operator.kind in attained and roof and us > 0.0:
            weights.append(us)
            squares += us * math.log(roof / us / attained[operator.kind]) ** 2
    if not weights:
        return SPREAD, WEIGHT
    squares /= sum(weights)
    # The effective number of observations with unequal weights (Kish 1965, 8.2).
    observed = sum(weights) ** 2 / sum(weight**2 for weight in weights)
    pooled = (WEIGHT * SPREAD**2 + observed * squares) / (WEIGHT + observed - 1.0)
    return max(SPREAD, math.sqrt(pooled)), int(WEIGHT + observed - 1.0)
