"""Stages of ``bench_cluster_million``: soft targets of a teacher that takes time and nothing else.

A shard sleeps as long as the teacher was measured to take for its blocks, then writes answers of
the size that a thousand classes have. Sharing out and putting together are the product's own.
"""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from edgestill.pipeline.distill.inputs import Samples, TargetsInputs
from edgestill.pipeline.distill.shards import BLOCK, shards
from edgestill.pipeline.engine.stage import Made, Shards, Stage
from edgestill.pipeline.progress import Progress
from edgestill.pipeline.recipe.distill import SoftTargets
from edgestill.pipeline.records import Record

KEPT = 64
"""Of a thousand classes: half precision, the place in 16 bits, and the rest."""
HERE = "tests.bench.million_stages"


class Answers(Record):
    """What a shard, or all of them, made."""

    rows: int
    slept_s: float


@dataclass(frozen=True, slots=True)
class Asked:
    """What the teacher is asked.

    Attributes:
        rows: samples.
        views: of each.
        block_s: seconds that it took for a block of samples, several times.
    """

    rows: int
    views: int
    block_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One shard: its blocks."""

    asked: Asked
    first: int
    last: int


def split(asked: Asked) -> tuple[Part, ...]:
    """As the product splits a data set of so many samples."""
    data: Any = SimpleNamespace(record=SimpleNamespace(samples=lambda _: asked.rows, unlabelled=0))
    samples: Any = Samples(data, None, 0)  # type: ignore[arg-type]
    inputs = TargetsInputs(None, SoftTargets(views=asked.views), samples)  # type: ignore[arg-type]
    return tuple(Part(asked, one.first, one.last) for one in shards(inputs))


def answer(out: Path, progress: Progress, part: Part) -> Answers:
    """Take the teacher's time, and write answers."""
    draw = random.Random(part.first)
    took = sum(draw.choice(part.asked.block_s) for _ in range(part.first, part.last))
    time.sleep(took)
    rows = (part.last - part.first) * BLOCK
    numbers = np.random.default_rng(part.first)
    np.save(out / "logits.npy", numbers.standard_normal((rows, KEPT)).astype(np.float16))
    np.save(out / "places.npy", numbers.integers(0, 1000, (rows, KEPT), np.uint16))
    np.save(out / "rest.npy", numbers.standard_normal(rows).astype(np.float16))
    return Answers(rows=rows, slept_s=took)


def merge(out: Path, progress: Progress, asked: Asked, parts: list[Made[Answers]]) -> Answers:
    """Copy all answers into one array of each kind."""
    rows = sum(part.record.rows for part in parts)
    for name, dtype, width in (
        ("logits.npy", np.float16, (KEPT,)),
        ("places.npy", np.uint16, (KEPT,)),
        ("rest.npy", np.float16, ()),
    ):
        whole = np.lib.format.open_memmap(out / name, "w+", dtype, (rows, *width))
        start = 0
        for part in parts:
            whole[start : start + part.record.rows] = np.load(part.path / name, mmap_mode="r")
            start += part.record.rows
        whole.flush()
    return Answers(rows=rows, slept_s=sum(part.record.slept_s for part in parts))


SHARD = Stage("shard", f"{HERE}:answer", Part, Answers, libraries=("numpy",))
TARGETS = Stage(
    "targets",
    f"{HERE}:answer",
    Asked,
    Answers,
    libraries=("numpy",),
    shards=Shards(SHARD, f"{HERE}:split", f"{HERE}:merge"),
)
