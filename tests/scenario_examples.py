"""What measuring two models under every load found, drawn from a seed."""

import measured_example
import numpy as np
from edgestill.devices.onboard.stats import processes as stats
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.scenarios.cold_start import ColdFigures
from edgestill.devices.scenarios.loadgen import LoadgenFigures
from edgestill.devices.scenarios.multi_stream import StreamFigures
from edgestill.devices.scenarios.offline import BatchFigures, OfflineFigures
from edgestill.devices.scenarios.result import Percentiles, Result
from edgestill.devices.scenarios.server import ServerFigures
from edgestill.devices.scenarios.sustained import SustainedFigures, WindowFigures
from edgestill.devices.scenarios.threads import ThreadFigures, ThreadsFigures

MEDIANS_MS = {"fp32.onnx": 2.0, "int8.onnx": 0.8}
BATCHES = (1, 2, 4, 8)
UNSUSTAINED = "900 queries a second cannot be sustained: the queue grows"
NO_METER = Estimate.unknown("no energy counter here", unit="uJ")


def figure(value, unit="ms"):
    rng = np.random.default_rng(7)
    return stats.median_over_processes(value * rng.normal(1.0, 0.03, 9), unit=unit)


def latency(ms):
    return Percentiles(figure(ms), figure(1.4 * ms), figure(2.5 * ms))


def stream(name, ms):
    return StreamFigures(name, 2, latency(ms), figure(1800 / ms, "samples/s"), 900, NO_METER)


def offline(name, ms):
    rows = [
        BatchFigures(
            batch,
            figure(1000 * batch**0.3 / ms, "samples/s"),
            figure(batch**0.3, "ratio"),
            figure(ms * batch**0.7),
            NO_METER,
        )
        for batch in BATCHES
    ]
    return OfflineFigures(name, tuple(rows), BATCHES[-1])


def server(name, ms):
    """fp32 is too slow for the rate: its queue grows, and its last tenth is never answered."""
    slow = name == "fp32.onnx"
    grows = tuple(ms * (1 + 3 * at) for at in range(9))
    unknown = Estimate.unknown(UNSUSTAINED, unit="ms")
    return ServerFigures(
        name=name,
        latency=Percentiles(unknown, unknown, unknown) if slow else latency(ms),
        utilisation=figure(0.9 * ms, "share"),
        sustained="no" if slow else "yes",
        missed=None,
        miss_share=None,
        queries=4500,
        unanswered=450 if slow else 0,
        by_tenth_ms=(*grows, None) if slow else (ms,) * 10,
        late_ms=0.01,
        energy_uj=NO_METER,
    )


def threads(name, ms):
    rows = [
        ThreadFigures(count, figure(ms / count**0.8), figure(count**0.8, "ratio"), NO_METER)
        for count in (1, 2, 4)
    ]
    return ThreadsFigures(name, tuple(rows))


def cold(name, ms):
    parts = [figure(part) for part in (40.0, 120.0, 8.0 * ms, 3.0 * ms)]
    return ColdFigures(name, *parts, figure(160.0 + 11.0 * ms))


def sustained(name, ms):
    windows = tuple(
        WindowFigures(2.0 * at, ms * (1 + at / 200), ms * 1.3, 1800.0 - 6.0 * at)
        for at in range(60)
    )
    drift, clock = figure(0.3, "share"), figure(0.8, "ratio")
    return SustainedFigures(name, windows, drift, clock, 3, 9000, NO_METER)


def loadgen(name, ms):
    times = [figure(part * ms) for part in (1.0, 1.01, 0.99, 0.02)]
    ratios = [figure(part, "ratio") for part in (0.99, 1.01)]
    return LoadgenFigures(name, *times, *ratios, 9, 9, "loadgen")


FIGURES = {
    "multi-stream": stream,
    "offline": offline,
    "server": server,
    "threads": threads,
    "cold-start": cold,
    "sustained": sustained,
    "loadgen": loadgen,
}


def result(scenario):
    base = measured_example.benchmark()
    models = tuple(FIGURES[scenario](name, ms) for name, ms in MEDIANS_MS.items())
    return Result(
        base.host, base.settings, models, (), base.warnings, base.runtime, base.measured,
        scenario=scenario, processes=9,
    )  # fmt: skip
