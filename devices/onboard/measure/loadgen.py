"""The same closed loop driven by MLPerf's own load generator, to check ours against.

    found = single_stream(model, feeds, seconds=0.5, min_queries=64, logs=Path("logs"))

Takes the `loadgen` extra. Its time of a query holds the way to a Python function and back, by the
way that has least to convert, and what it does between two queries leaves the caches colder than a
bare loop does: 1.0 and 0.7 us of a model of 9.5 us. So our own clock runs inside as well, which
tells the two apart.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from ....errors import MeasureError
from ..runtimes.contract import Arrays, LoadedModel
from .latency import no_garbage_collection, time_queries

_REHEARSAL_QUERIES = 20
# Queries are made beforehand, as many as fit at the latency that loadgen is told to expect: told
# too long a one, it runs out of queries before its time is up, and the run ends INVALID.
_EXPECTED_SHARE = 0.5
_LEAST_EXPECTED_NS = 1000
"""No call of a Python function comes back sooner; told less, it makes millions of queries."""
_SUMMARY = "mlperf_log_summary.txt"


@dataclass(frozen=True, slots=True)
class Loadgen:
    """What loadgen said.

    Attributes:
        p50_ns: its median latency.
        p90_ns: its 90th percentile.
        early_stopping_p90_ns: its early-stopping estimate of that.
        inside_p50_ns: median latency of the same queries by our clock around the session.
        inside_p90_ns: 90th percentile of those.
        valid: whether it called the run valid.
    """

    p50_ns: float
    p90_ns: float
    early_stopping_p90_ns: float | None
    inside_p50_ns: float
    inside_p90_ns: float
    valid: bool


def single_stream(
    model: LoadedModel, feeds: Sequence[Arrays], *, seconds: float, min_queries: int, logs: Path
) -> Loadgen:
    """Run loadgen's single-stream scenario in this process; its logs stay in `logs`.

    Args:
        model: what answers, warmed up.
        feeds: inputs; loadgen draws from them at random.
        seconds: its shortest duration.
        min_queries: its fewest queries.
        logs: folder for its logs, made if need be.

    Raises:
        MeasureError: the extra is not installed, or the log is not as expected.
    """
    check_installed()
    import mlperf_loadgen as lg

    logs.mkdir(parents=True, exist_ok=True)
    inside: list[int] = []
    sut = lg.ConstructFastSUT(_answering(lg, model, feeds, inside), _nothing_to_flush)
    library = lg.ConstructQSL(len(feeds), len(feeds), _held_already, _held_already)
    settings = _settings(lg, model, feeds, seconds, min_queries)
    try:
        with no_garbage_collection():
            # The last argument is an audit.config, of which there is none.
            lg.StartTestWithLogSettings(sut, library, settings, _log_settings(lg, logs), "")
    finally:
        lg.DestroyQSL(library)
        lg.DestroyFastSUT(sut)
    found = (logs / _SUMMARY).read_text(encoding="utf-8", errors="replace")
    stopping = re.search(r"Early stopping 90\S* percentile estimate: (\d+)", found)
    return Loadgen(
        p50_ns=_figure(found, r"50\.00 percentile latency \(ns\)", logs),
        p90_ns=_figure(found, r"90\.00 percentile latency \(ns\)", logs),
        early_stopping_p90_ns=float(stopping[1]) if stopping else None,
        inside_p50_ns=float(np.percentile(inside, 50, method="inverted_cdf")),
        inside_p90_ns=float(np.percentile(inside, 90, method="inverted_cdf")),
        valid=re.search(r"Result is : VALID", found) is not None,
    )


def _answering(
    lg: Any, model: LoadedModel, feeds: Sequence[Arrays], inside: list[int]
) -> Callable[[Sequence[int], Sequence[int]], None]:
    clock, query, complete = perf_counter_ns, model.query, lg.QuerySamplesComplete
    response = lg.QuerySampleResponse(0, 0, 0)
    responses = [response]  # copied by whoever is told of them

    def answer(ids: Sequence[int], indices: Sequence[int]) -> None:
        for name, index in zip(ids, indices, strict=True):
            feed = feeds[index]
            response.id = name
            start = clock()
            query(feed)
            end = clock()
            complete(responses)
            inside.append(end - start)

    return answer


def _settings(
    lg: Any, model: LoadedModel, feeds: Sequence[Arrays], seconds: float, min_queries: int
) -> Any:
    rehearsal = time_queries(
        model,
        feeds,
        seconds=0.0,
        min_queries=_REHEARSAL_QUERIES,
        max_queries=_REHEARSAL_QUERIES,
    )
    settings = lg.TestSettings()
    settings.scenario = lg.TestScenario.SingleStream
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = int(seconds * 1e3)
    settings.min_query_count = min_queries
    settings.single_stream_expected_latency_ns = max(
        _LEAST_EXPECTED_NS, int(_EXPECTED_SHARE * float(np.min(rehearsal)))
    )
    return settings


def _log_settings(lg: Any, logs: Path) -> Any:
    settings = lg.LogSettings()
    settings.log_output.outdir = str(logs)
    settings.log_output.copy_summary_to_stdout = False
    settings.enable_trace = False
    return settings


def _nothing_to_flush() -> None:
    """Every query was answered at once."""


def _held_already(_: Any) -> None:
    """All samples lie in memory."""


def _figure(summary: str, name: str, logs: Path) -> float:
    found = re.search(rf"{name}\s*: (\d+)", summary)
    if found is None:
        raise MeasureError(
            "a summary without its percentiles", where=str(logs / _SUMMARY), fix="read it"
        )
    return float(found[1])


def check_installed() -> None:
    """Refuse before anything was measured.

    Raises:
        MeasureError: the interpreter of the runtime, which may be that of a toolchain, has none.
    """
    if find_spec("mlperf_loadgen") is None:
        raise MeasureError(
            f"no mlcommons-loadgen beside the runtime, in {sys.executable}",
            expected="it, to check our figures against",
            fix=f"{sys.executable} -m pip install mlcommons-loadgen",
        )
