"""The time of each operator of one model, measured in a fresh child process.

>>> profiled = profile(Path("model.onnx"))                          # doctest: +SKIP
>>> max(profiled.operators, key=lambda operator: operator.us).op   # doctest: +SKIP
'Conv'
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from ..onboard.measure.job import OperatorsJob
from ..onboard.model.cost import NodeCost
from ..onboard.model.outline import Outline
from ..onboard.process.run_job import run
from ..onboard.runtimes import check_traces
from ..onboard.settings import DEFAULT_FEED, DEFAULT_SESSION, Feed, Session


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the graph that runs.

    Attributes:
        node: its index in `Profile.optimized`; None if that graph lacks it.
        name: the runtime's name for it; untrusted text.
        op: operator type.
        provider: execution provider.
        calls: calls a query, the median over queries.
        profiled_us: microseconds a query as profiled, the median over queries.
        us: the same minus the cost of profiling its calls, see `net`.
        share: its part of the sum of `us` over all operators.
        type: type of its first input, such as `float` and `uint8`.
        elements: numbers in its first input; None if the runtime did not report them.
        bytes: bytes read and written a query, with weights; None if the runtime did not report
            them.
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
        operators: in the order of their first run.
        p10_us: 10th percentile of queries without profiling, microseconds.
        p50_us: median query without profiling, microseconds.
        p50_profiled_us: median query with profiling; the difference is the cost of profiling.
        runs: profiled queries.
        source: the graph of the file.
        optimized: the graph that the runtime made of it, whose operators were timed.
        runtime: the runtime and its version.
        costs: arithmetic and parameters of each node of `source`.
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
        return sum(operator.us for operator in self.operators)


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
        session: how the runtime loads and runs the model.
        feed: what it is queried with.
        runs: profiled queries; fewer of a model that takes long or has thousands of nodes.
        timeout_s: seconds after which the child is killed.

    Raises:
        ModelError, DataError, UsageError: the model, its inputs or a shape is invalid.
        MeasureError: the child died or ran out of time.
    """
    check_traces(path, session)
    job = OperatorsJob(str(path), session, feed, runs)
    answer = run(job, timeout_s=timeout_s)
    operators = tuple(
        Operator(profiled_us=time.us, share=0.0, **asdict(time)) for time in answer.operators
    )
    return Profile(
        path=path,
        operators=net(operators, answer.p10_us),
        p10_us=answer.p10_us,
        p50_us=answer.p50_us,
        p50_profiled_us=answer.p50_profiled_us,
        runs=answer.runs,
        source=answer.source,
        optimized=answer.optimized,
        runtime=answer.runtime,
        costs=answer.costs,
    )


def merge(profiles: Sequence[Profile]) -> Profile:
    """One profile from several of one model: the median over processes of each figure.

    Raises:
        ValueError: `profiles` is empty.
    """
    if not profiles:
        raise ValueError("no profile")
    first = profiles[0]
    times_us: dict[tuple[int | None, str], list[float]] = {}
    for file in profiles:
        for operator in file.operators:
            times_us.setdefault((operator.node, operator.name), []).append(operator.profiled_us)
    p10_us = median(profile.p10_us for profile in profiles)
    operators = tuple(
        replace(operator, profiled_us=median(times_us[operator.node, operator.name]))
        for operator in first.operators
    )
    return replace(
        first,
        operators=net(operators, p10_us),
        p10_us=p10_us,
        p50_us=median(profile.p50_us for profile in profiles),
        p50_profiled_us=median(profile.p50_profiled_us for profile in profiles),
        runs=sum(profile.runs for profile in profiles),
    )


def net(operators: Sequence[Operator], query_us: float) -> tuple[Operator, ...]:
    """Subtract the cost of profiling, which the runtime counts as the operators' time.

    Writing an event costs the same few microseconds a call. A constant c is therefore subtracted
    from each call, no time falling below 0, such that the sum over all operators is the time of a
    query without profiling. If the sum is no longer than that, nothing is subtracted. What the
    runtime does between operators thereby counts as their time.

    Args:
        operators: with their profiled times.
        query_us: a query without profiling, microseconds, the 10th percentile: the median of long
            queries on a busy machine contains the time of other processes.
    """
    low, high = (
        0.0,
        max(
            (operator.profiled_us / operator.calls for operator in operators if operator.calls),
            default=0,
        ),
    )
    if sum(operator.profiled_us for operator in operators) <= query_us:
        high = 0.0
    for _ in range(60):  # the sum decreases with c: bisection
        middle = (low + high) / 2
        over = (
            sum(max(0.0, operator.profiled_us - middle * operator.calls) for operator in operators)
            > query_us
        )
        low, high = (middle, high) if over else (low, middle)
    times = [max(0.0, operator.profiled_us - high * operator.calls) for operator in operators]
    total = sum(times) or 1.0
    return tuple(
        replace(operator, us=us, share=us / total)
        for operator, us in zip(operators, times, strict=True)
    )
