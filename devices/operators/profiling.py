"""Where one model's time goes, operator by operator, found out in a fresh child.

>>> found = profile(Path("model.onnx"))                          # doctest: +SKIP
>>> max(found.operators, key=lambda one: one.us).op              # doctest: +SKIP
'Conv'
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from ..onboard.measure.job import OperatorsJob
from ..onboard.model.cost import NodeCost
from ..onboard.model.outline import Outline, from_json
from ..onboard.process.run_job import run
from ..onboard.settings import DEFAULT_FEED, DEFAULT_SESSION, Feed, Session


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the graph that runs.

    Attributes:
        node: its index in `Profile.optimized`; None where it has no place there.
        name: the runtime's name for it; data, not to be trusted in a page.
        op: operator type.
        provider: execution provider.
        calls: how often a query calls it, the median over queries.
        profiled_us: microseconds a query as profiled, the median over queries.
        us: the same less what profiling costs a call, see `net`.
        share: of the sum over all operators, by `us`.
        type: of its first input, such as `float` and `uint8`.
        elements: of its first input, None where the runtime did not say.
        bytes: read and written a query, weights among them; None where it did not say.
    """

    node: int | None
    name: str
    op: str
    provider: str
    calls: float
    profiled_us: float
    us: float
    share: float
    type: str
    elements: int | None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """All operators of one model.

    Attributes:
        path: the model.
        operators: in the order they ran first.
        p10_us: 10th percentile of queries without profiling, microseconds.
        p50_us: median query without profiling.
        p50_profiled_us: with it; the difference is what profiling costs.
        runs: profiled queries.
        source: the graph of the file.
        optimized: the graph the runtime made of it, which is what was timed.
        runtime: the runtime and its version.
        costs: of each node of `source`.
    """

    path: Path
    operators: tuple[Operator, ...]
    p10_us: float
    p50_us: float
    p50_profiled_us: float
    runs: int
    source: Outline
    optimized: Outline
    runtime: str
    costs: tuple[NodeCost, ...] = ()

    @property
    def operators_us(self) -> float:
        """The sum over all operators, microseconds."""
        return sum(one.us for one in self.operators)


def profile(
    path: Path,
    *,
    session: Session = DEFAULT_SESSION,
    feed: Feed = DEFAULT_FEED,
    runs: int = 200,
    timeout_s: float = 300.0,
) -> Profile:
    """Profile an ONNX file in a child process.

    Args:
        path: a `.onnx` file.
        session: how the runtime holds the model.
        feed: what it is queried with.
        runs: queries to take the times of; fewer for graphs of thousands of nodes.
        timeout_s: seconds until the child is ended.

    Raises:
        ModelError, DataError, UsageError: the model, its inputs or a shape will not do.
        MeasureError: the child died or ran out of time.
    """
    job = OperatorsJob(str(path), session, feed, runs)
    answer = run(job, timeout_s=timeout_s)
    operators = tuple(
        Operator(profiled_us=one["us"], share=0.0, **one) for one in answer["operators"]
    )
    return Profile(
        path=path,
        operators=net(operators, answer["p10_us"]),
        p10_us=answer["p10_us"],
        p50_us=answer["p50_us"],
        p50_profiled_us=answer["p50_profiled_us"],
        runs=answer["runs"],
        source=from_json(answer["source"]),
        optimized=from_json(answer["optimized"]),
        runtime=answer["runtime"],
        costs=tuple(NodeCost(**one) for one in answer["costs"]),
    )


def merge(profiles: Sequence[Profile]) -> Profile:
    """Several profiles of one model as one: the median over processes of each figure.

    Raises:
        ValueError: there is none.
    """
    if not profiles:
        raise ValueError("no profile")
    first = profiles[0]
    found: dict[tuple[int | None, str], list[float]] = {}
    for each in profiles:
        for one in each.operators:
            found.setdefault((one.node, one.name), []).append(one.profiled_us)
    p10_us = median(one.p10_us for one in profiles)
    operators = tuple(
        replace(one, profiled_us=median(found[one.node, one.name])) for one in first.operators
    )
    return replace(
        first,
        operators=net(operators, p10_us),
        p10_us=p10_us,
        p50_us=median(one.p50_us for one in profiles),
        p50_profiled_us=median(one.p50_profiled_us for one in profiles),
        runs=sum(one.runs for one in profiles),
    )


def net(operators: Sequence[Operator], query_us: float) -> tuple[Operator, ...]:
    """Take off what profiling itself costs, which the runtime counts as the operator's time.

    Writing an event costs the same few microseconds for each call, so c is taken off each call,
    none falling below 0, with c such that all operators together take a query without
    profiling. Nothing is taken off where they take no longer as it is. What `run` does besides its
    operators thus counts as theirs.

    Args:
        operators: with their profiled times.
        query_us: a query without profiling, microseconds: the 10th percentile, for in the median
            of long queries on a busy machine stands what other processes took.
    """
    low, high = 0.0, max((one.profiled_us / one.calls for one in operators if one.calls), default=0)
    if sum(one.profiled_us for one in operators) <= query_us:
        high = 0.0
    for _ in range(60):  # the sum falls with c: halving finds it
        middle = (low + high) / 2
        over = sum(max(0.0, one.profiled_us - middle * one.calls) for one in operators) > query_us
        low, high = (middle, high) if over else (low, middle)
    times = [max(0.0, one.profiled_us - high * one.calls) for one in operators]
    total = sum(times) or 1.0
    return tuple(
        replace(one, us=us, share=us / total) for one, us in zip(operators, times, strict=True)
    )
