"""The paper plan of docs/cluster.md: soft targets of ImageNet's size, on so many workers.

    python tests/tools/cluster_plan.py            # print the tables
    python tests/tools/cluster_plan.py --check    # say whether the page has them

Nothing is measured here. What a row takes, how many shards there are and what is kept follow from
the product's own constants; the rates and prices are assumptions, named in the tables.
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from edgestill.pipeline.distill.inputs import Samples, TargetsInputs
from edgestill.pipeline.distill.shards import shards
from edgestill.pipeline.distill.targets import ALL_CLASSES, MOST_LIKELY
from edgestill.pipeline.recipe.distill import SoftTargets

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
BEGIN, END = "<!-- plan: begin -->", "<!-- plan: end -->"
SAMPLES, VIEWS, CLASSES = 1_281_167, 8, 1000
"""ImageNet-1k (ILSVRC 2012): pictures for training, classes."""
SAMPLE_BYTES = 224 * 224 * 3
"""A picture as the data stage stores it, one byte a number."""
HASH_BYTES_A_SECOND = 1.5e9
"""SHA-256 with the processor's own instructions; without them a quarter."""


class Worker(NamedTuple):
    """An assumption.

    Attributes:
        name: of it.
        rate: pictures a second that a teacher as large as a ResNet-50 answers.
        price: of an hour, in dollars.
    """

    name: str
    rate: float
    price: float


WORKERS = (
    Worker("one core of a CPU", 15.0, 0.05),
    Worker("16 cores of a CPU", 200.0, 0.70),
    Worker("one GPU", 2000.0, 2.50),
)
NUMBERS = (1, 8, 64)


def row_bytes(classes: int) -> int:
    """Bytes of one answer: logits in half precision; of many classes the likeliest, and places."""
    if classes <= ALL_CLASSES:
        return 2 * classes
    return MOST_LIKELY * (2 + (2 if classes <= 2**16 else 4)) + 2


def number_of_shards(samples: int, views: int) -> tuple[int, int]:
    """How many shards, and the blocks of each."""
    data: Any = SimpleNamespace(record=SimpleNamespace(samples=lambda _: samples, unlabelled=0))
    nothing: Any = None
    inputs = TargetsInputs(nothing, SoftTargets(views=views), Samples(data, nothing, 0))
    split = shards(inputs)
    return len(split), split[0].last - split[0].first


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def plan() -> str:
    """Both tables."""
    rows, one, pictures = SAMPLES * VIEWS, row_bytes(CLASSES), SAMPLES * SAMPLE_BYTES
    minutes = pictures / HASH_BYTES_A_SECOND / 60
    number, blocks = number_of_shards(SAMPLES, VIEWS)
    fixed = [
        ("answers", f"{SAMPLES:,} pictures × {VIEWS} views = {rows:,}"),
        (
            "bytes of one",
            f"{MOST_LIKELY} × (2 + 2) + 2 = {one}, not 2,000 of all {CLASSES} classes",
        ),
        ("soft targets", f"{rows * one / 1e9:.2f} GB, and 8 bytes a picture"),
        ("shards", f"{number:,} of {blocks} blocks of 128, {blocks * 128 * one / 1e6:.2f} MB each"),
        ("targets and their shards", f"{2 * rows * one / 1e9:.2f} GB"),
        ("pictures in the store", f"{SAMPLES:,} × {SAMPLE_BYTES:,} B = {pictures / 1e9:.0f} GB"),
        ("checking their digests", f"{minutes:.0f} minutes, once in each process of a worker"),
    ]
    hours = []
    for worker in WORKERS:
        for many in NUMBERS:
            took = rows / worker.rate / many / 3600
            hours.append(
                (
                    f"{many} × {worker.name}",
                    f"{worker.rate:g}/s each",
                    f"{took:,.2f} h",
                    f"{many * worker.rate * SAMPLE_BYTES / 1e6:,.0f} MB/s",
                    f"{many * worker.rate * one / 1e6:,.2f} MB/s",
                    f"${took * many * worker.price:,.0f}",
                )
            )
    head = ("workers", "rate, assumed", "teacher", "read", "written", "cost")
    return "\n".join([*table(("", "ImageNet, on paper"), fixed), "", *table(head, hours)])


def main() -> int:
    """Print the tables, or look whether the page has them."""
    if "--check" in sys.argv:
        text = PAGE.read_text(encoding="utf-8")
        kept = text.partition(BEGIN)[2].partition(END)[0].strip()
        if kept != plan():
            print(f"{PAGE.name} lacks the tables of cluster_plan.py as they are now")
            return 1
        return 0
    print(plan())
    return 0


if __name__ == "__main__":
    sys.exit(main())
