"""Latency on a device that was not measured, predicted from operators that were timed here.

>>> predictions(["fp32"], [record], {"fp32": 1.2}, here, target, threads=1)    # doctest: +SKIP
"""

import math
from collections.abc import Mapping, Sequence

from ...devices.onboard.stats.estimate import Estimate
from ...devices.operators.prediction import CONFIDENCE, THREADS_EFFICIENCY, Timed, predict
from ...devices.operators.roofline import Bounds, Work, machine_of
from ...devices.profiles.profile import Profile as Device
from ..records import OperatorsRecord, OperatorTime, Predicted


def predictions(
    names: Sequence[str],
    measured: Sequence[OperatorsRecord],
    p50_ms: Mapping[str, float],
    host: Bounds | str,
    target: Device,
    *,
    threads: int,
) -> tuple[Predicted, ...]:
    """The latency of several files on a device that was not measured.

    Args:
        names: of the files. A file that cannot be predicted gets a record with the reason.
        measured: the operators of each that could be timed.
        p50_ms: median latency here, by name.
        host: this machine, or why its figures are unknown.
        target: the device.
        threads: on both.
    """
    machine = machine_of(target)
    missing = next((reason for reason in (machine, host) if isinstance(reason, str)), None)
    timed_here = {record.name: record for record in measured}
    files = []
    for name in names:
        median, record = p50_ms.get(name), timed_here.get(name)
        if isinstance(machine, Bounds) and isinstance(host, Bounds) and median and record:
            file = predicted(
                record, median, host, machine, target_name=target.name, threads=threads
            )
            files.append(file)
            continue
        unknown = Estimate.unknown(
            missing or "its operators were not timed here", "PREDICTED", unit="ms"
        )
        files.append(
            Predicted(
                name=name,
                target=target.name,
                device=target.title,
                threads=threads,
                p50_ms=unknown,
                call_us=0.0,
                spread=0.0,
                unroofed=0,
            )
        )
    return tuple(files)


def predicted(
    measured: OperatorsRecord,
    p50_ms: float,
    host: Bounds,
    target: Bounds,
    *,
    target_name: str,
    threads: int,
) -> Predicted:
    """The median latency on a device that is known by its profile, from operators timed here.

    Args:
        measured: the operators.
        p50_ms: median latency here, which is scaled.
        host: this machine.
        target: the device.
        target_name: the device's name.
        threads: on both.

    Raises:
        ValueError: operators that took no time.
    """
    prediction = predict(timed(measured.operators), host, target, threads=threads)
    cores = target.value.with_threads(threads)
    parallel = f", {cores} cores at {THREADS_EFFICIENCY:g} each" if cores > 1 else ""
    estimate = Estimate(
        p50_ms * prediction.ratio,
        p50_ms * prediction.low,
        p50_ms * prediction.high,
        f"PREDICTED, not measured: {len(measured.operators)} operators at the roofline of "
        f"{target_name} over their efficiencies on {host.value.title}{parallel}; the band is "
        f"{CONFIDENCE:.0%} if efficiencies carry over within a factor of "
        f"{math.exp(prediction.spread):.2f}, with the figures of both machines at their ends",
        0,
        unit="ms",
        kind="predicted",
    )
    return Predicted(
        name=measured.name,
        target=target_name,
        device=target.value.title,
        threads=cores,
        p50_ms=estimate,
        call_us=prediction.call_us,
        spread=prediction.spread,
        unroofed=prediction.unroofed,
    )


def timed(operators: Sequence[OperatorTime]) -> tuple[Timed, ...]:
    """Measured operators as a prediction takes them."""
    return tuple(
        Timed(
            operator.family,
            operator.us,
            operator.calls,
            Work(operator.type, operator.operations, operator.bytes),
        )
        for operator in operators
    )
