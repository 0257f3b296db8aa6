"""How a model is run: the session that holds it, what it is fed, how long it is timed.

    >>> Session(threads=2).optimization
    'all'
    >>> session_of({"threads": 2, "providers": ["CPUExecutionProvider"]}) == Session(threads=2)
    True

Each of the three is passed whole, from a command down to the measuring process, and refuses values
that no run can honour.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import PurePath
from typing import Any

from ...errors import UsageError

OPTIMIZATIONS = ("none", "basic", "extended", "all")
"""Graph optimization levels, from none to the most."""


@dataclass(frozen=True, slots=True)
class Session:
    """How a runtime holds and runs a model.

    Attributes:
        threads: intra-op threads, at least 1. Operators run one after another.
        spinning: whether idle threads spin: shorter latencies, more energy.
        optimization: graph optimization level, one of `OPTIMIZATIONS`.
        providers: execution providers in order of preference, each of which must be available.
        precise: whether int8 is computed without saturation on an x86 CPU without VNNI, as other
            CPUs compute it; somewhat slower.
        arena: whether memory comes from an arena that only grows; the runtime's default.
        pattern: whether the tensors of a query whose shapes were seen before share one block; the
            runtime's default.
        runtime: a key of `runtimes.RUNTIMES`; None: the first that reads the file.
    """

    threads: int = 1
    spinning: bool = False
    optimization: str = "all"
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    precise: bool = False
    arena: bool = True
    pattern: bool = True
    runtime: str | None = None

    def __post_init__(self) -> None:
        """Refuse a value that a runtime would misunderstand.

        Raises:
            UsageError: a number of threads or an optimization level that does not exist.
        """
        if isinstance(self.threads, bool) or not isinstance(self.threads, int) or self.threads < 1:
            raise UsageError(
                f"{self.threads!r} threads", expected="a whole number above 0", where="threads"
            )
        if self.optimization not in OPTIMIZATIONS:
            raise UsageError(
                f"'{self.optimization}'",
                expected=f"one of {', '.join(OPTIMIZATIONS)}",
                where="optimization",
            )


@dataclass(frozen=True, slots=True)
class Feed:
    """What a model is queried with.

    Attributes:
        inputs: path of an `.npz` of real inputs, one array an input, cut as `model.samples` says;
            queries take its batches in turn. None: inputs are made up from the model's schema.
        batch: samples a query, at least 1.
        shapes: full shape by input name, for inputs whose dynamic axes are not only the batch.
        seed: of made-up inputs, at least 0.
        batch_axes: the axis along which an input's samples lie, by its name; None: the input is the
            same in each query. The name "" stands for all that are not named. Of others the model
            and the arrays tell.
        rows: how many rows of each input a query takes, where the model fixes them and the real
            inputs were looked at before.
        pad: the token id behind the end of a text, where real inputs are texts: a query of a model
            that takes any length is then as long as its longest text. None: as they are.
    """

    inputs: str | None = None
    batch: int = 1
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seed: int = 0
    batch_axes: Mapping[str, int | None] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    pad: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no query can hold.

        Raises:
            UsageError: a batch below 1 or a seed below 0.
        """
        at_least(1, batch=self.batch)
        at_least(0, seed=self.seed)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one process times queries.

    Attributes:
        seconds: how long.
        min_queries: fewest queries; 64 allow MLPerf's estimate of a p90, 662 that of a p99.
        max_queries: most queries.
        warmup_seconds: when to stop waiting for the latencies to settle.
    """

    seconds: float = 0.3
    min_queries: int = 64
    max_queries: int = 10_000
    warmup_seconds: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what no clock can keep.

        Raises:
            UsageError: a number out of its range, or more queries at least than at most.
        """
        at_least(1, min_queries=self.min_queries, max_queries=self.max_queries)
        above_zero(seconds=self.seconds, warmup_seconds=self.warmup_seconds)
        if self.min_queries > self.max_queries:
            raise UsageError(
                f"{self.min_queries}",
                expected=f"no more than max_queries ({self.max_queries})",
                where="min_queries",
            )


def named(feed: Feed) -> Feed:
    """The feed for a record: of the real inputs only the file's name, for the path is temporary."""
    return feed if feed.inputs is None else replace(feed, inputs=PurePath(feed.inputs).name)


def at_least(least: int, **numbers: float) -> None:
    """Refuse numbers below a bound.

    Raises:
        UsageError: one of them is, named as its keyword.
    """
    for name, number in numbers.items():
        if number < least:
            raise UsageError(f"{number}", expected=f"at least {least}", where=name)


def above_zero(**numbers: float) -> None:
    """Refuse numbers that are not finite and above 0.

    Raises:
        UsageError: one of them, named as its keyword.
    """
    for name, number in numbers.items():
        # Written so that NaN fails too.
        if not 0 < number < inf:
            raise UsageError(f"{number}", expected="above 0", where=name)


def session_of(document: Mapping[str, Any]) -> Session:
    """A session from its JSON object; JSON has no tuples."""
    given = dict(document)
    if "providers" in given:
        given["providers"] = tuple(given["providers"])
    return Session(**given)


def feed_of(document: Mapping[str, Any]) -> Feed:
    """A feed from its JSON object; JSON has no tuples."""
    given = dict(document)
    if "shapes" in given:
        given["shapes"] = {name: tuple(extents) for name, extents in given["shapes"].items()}
    return Feed(**given)


def timing_of(document: Mapping[str, Any]) -> Timing:
    """A timing from its JSON object."""
    return Timing(**document)


DEFAULT_SESSION = Session()
DEFAULT_FEED = Feed()
