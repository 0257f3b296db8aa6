"""What measuring models under one load found, with its raw samples on disk.

measured["m.onnx"].p50_ms, measured.to_dataframe(), measured.folder
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios import result as scenarios
from ...devices.scenarios.figures import Benchmark, Figures
from ...devices.scenarios.run import implementation_of
from ...errors import no_name
from ..report import numbers
from .result import Result, flat, plain
from .screen import Cell, Screen, cell, warned

UNITS: Mapping[str, numbers.Unit] = {
    "ms": numbers.MILLISECONDS,
    "share": numbers.PERCENT,
    "uJ": numbers.MICROJOULES,
    "bytes": numbers.BYTES,
    "ratio": numbers.RATIO,
    "samples/s": numbers.RATIO,
}
"""By the unit of an estimate."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Spread of the single queries of one model, over all its processes; not an interval.

    Attributes:
        mean_ms: of all queries.
        sd_ms: standard deviation of the queries.
        min_ms: the shortest.
        max_ms: the longest.
    """

    mean_ms: float
    sd_ms: float
    min_ms: float
    max_ms: float


def latencies(folder: Path) -> dict[str, list[NDArray[np.int64]]]:
    """By model, the raw samples that a measurement leaves in its folder: ns, an array a process."""
    by_model: dict[str, list[NDArray[np.int64]]] = {}
    for record in json.loads((folder / "processes.json").read_text(encoding="utf-8")):
        drawn = np.load(folder / record["samples"], allow_pickle=False)
        by_model.setdefault(record["subject"], []).append(drawn)
    return by_model


def spreads(folder: Path) -> dict[str, Spread]:
    """By model, over all queries."""
    by_model = {}
    for name, processes in latencies(folder).items():
        ms = np.concatenate(processes) / 1e6
        by_model[name] = Spread(
            *(float(value) for value in (ms.mean(), ms.std(), ms.min(), ms.max()))
        )
    return by_model


@dataclass(frozen=True, slots=True, repr=False)
class Measured(Result):
    """Models measured in turn under one load.

    Attributes:
        found: host, settings, the figures of each model, ratios and warnings.
        folder: of the raw samples.
    """

    found: scenarios.Result[Any]
    folder: Path

    @property
    def models(self) -> tuple[Any, ...]:
        """The figures of each model, in the order given."""
        return self.found.models

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know of the measurement."""
        return self.found.warnings

    def __getitem__(self, name: str) -> Any:
        """The figures of the model of this name.

        Raises:
            UnknownNameError: there is none; it is a KeyError, too.
        """
        for model in self.models:
            if model.name == name:
                return model
        raise no_name(name, (model.name for model in self.models))

    def screen(self) -> Screen:
        """One query after the other: a row a model; another load: its own table."""
        found, processes = self.found, self.found.processes
        each = numbers.how_many(processes, "fresh process", "fresh processes")
        title = f"{numbers.how_many(len(self.models), 'model')}, {found.scenario}, {each} each"
        head, rows = _latency(found) if isinstance(found, Benchmark) else _scenario(found)
        return Screen(
            title=title,
            head=head,
            rows=rows,
            below=(
                f"{found.runtime}, on {found.host.cpu}",
                *warned(self.warnings),
            ),
            paths=(("raw samples", str(self.folder)),),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a model."""
        return [dict(flat(model)) for model in self.models]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill bench --json``."""
        document = {**asdict(self.found), "folder": str(self.folder)}
        if isinstance(self.found, Benchmark):
            by_model = spreads(self.folder)
            document["spread"] = {name: asdict(queries) for name, queries in by_model.items()}
        whole: dict[str, Any] = plain(document)
        return whole


def _latency(found: Benchmark) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    return ("model", "p50", "p90", "peak memory", "size"), tuple(map(_row, found.models))


def _row(model: Figures) -> tuple[Cell, ...]:
    ms, size = numbers.MILLISECONDS, numbers.BYTES
    return (
        model.name,
        cell(model.p50_ms, ms),
        cell(model.p90_ms, ms),
        cell(model.peak_memory_bytes, size),
        numbers.amount(model.file_bytes, size),
    )


def _scenario(
    found: scenarios.Result[Any],
) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """The rows that a scenario states, each with the name of its model."""
    implementation = implementation_of(found.scenario)
    rows = [
        (model.name, *map(_shown, row))
        for model in found.models
        for row in implementation.rows(model)
    ]
    width = max(map(len, rows), default=0)
    head = ("model", *implementation.head, *("" for _ in range(width)))[:width]
    return head, tuple((*row, *("" for _ in range(width - len(row)))) for row in rows)


def _shown(value: str | Estimate) -> Cell:
    return value if isinstance(value, str) else cell(value, UNITS[value.unit])
