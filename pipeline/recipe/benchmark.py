"""``[benchmark]``: how the models are measured.

>>> Benchmark().processes
12
"""

from typing import Annotated

from pydantic import Field

from .part import Part, across


class Benchmark(Part):
    """How the models are measured."""

    addresses = frozenset({"device"})

    device: str = Field(
        "host",
        description="Device to measure on: 'host', or the path of a .toml profile with a [reach] "
        "table, which says how to connect to it.",
    )
    processes: Annotated[int, Field(ge=1, le=200)] = Field(
        12,
        description="Least number of fresh processes per model; 12 give the ratios of up to 20 "
        "variants an interval. A verdict takes 16 on a p50, some 60 on a p90, some 600 on a p99.",
    )
    max_seconds: Annotated[float, Field(ge=0.0, le=86_400.0)] = Field(
        300.0,
        description="Longest time to measure with further processes, until every budget of latency "
        "and memory is decided; 0: no further processes.",
    )
    seconds: Annotated[float, Field(gt=0.0, le=3600.0)] = Field(
        0.3, description="Timed seconds per process."
    )
    min_queries: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        64, description="Least number of queries per process."
    )
    max_queries: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        10_000, description="Largest number of queries per process."
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="Intra-op threads; none: the device profile's value, else 1."
    )
    spinning: bool | None = Field(
        None,
        description="Whether idle threads spin, which is onnxruntime's own default; none: the "
        "device profile's value, else false.",
    )
    batch: Annotated[int, Field(ge=1, le=65_536)] = Field(1, description="Samples per query.")
    operators: bool = Field(
        True,
        description="Also time every operator; always done if the latency of a target that is not "
        "this machine is predicted.",
    )
    footprint: bool = Field(
        True,
        description="Also measure memory without the runtime's arena, and compute it from the "
        "graph; takes two short processes per model.",
    )
    instructions: bool = Field(
        False,
        description="Also count the instructions of a query; gate.max_instructions turns this on.",
    )

    @across
    def _min_is_not_above_max(self) -> None:
        if self.min_queries > self.max_queries:
            raise ValueError(
                f"min_queries ({self.min_queries}) at most max_queries ({self.max_queries})"
            )
