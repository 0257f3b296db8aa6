"""What samples without a label give: few labels, and a teacher's answers to all samples.

    python tests/bench/bench_unlabelled.py [--seeds N] [cifar10] [sst2]

CIFAR-10 as JPEG: 4,000 labelled images and 46,000 without a label, ResNet-56 teaches ResNet-8.
SST-2: 500 labelled sentences and 6,420 without a label; its teacher is trained here first, on all
labels. Each student stands beside the same one without a teacher, and beside the one that learns
the teacher's answers to the labelled samples alone; three seeds, as many steps each. Some half an
hour of one core a seed. Needs ../shared/data. Writes artifacts/bench/unlabelled.json.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from statistics import mean

import numpy as np
from edgestill.pipeline.build import build
from edgestill.pipeline.recipe.files import load

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHARED = ROOT.parent / "shared" / "data"
BENCH = ROOT / "artifacts" / "bench"
DRAWN = BENCH / "unlabelled"
LABELLED = {"cifar10": 4000, "sst2": 500}
WANTED, LOWEST = 8.0, 5.0
"""Points of accuracy over the plain student: the figure, and the lower end of its interval."""


def labelled_rows(y: np.ndarray, count: int) -> np.ndarray:
    """Rows that keep their label, as many of each class."""
    random, classes = np.random.default_rng(0), np.unique(y)
    each = count // len(classes)
    return np.concatenate(
        [random.choice(np.flatnonzero(y == one), each, replace=False) for one in classes]
    )


def hidden(y: np.ndarray, count: int) -> np.ndarray:
    """The labels with -1 for all but a few."""
    known, rows = np.full(len(y), -1, np.int64), labelled_rows(y, count)
    known[rows] = y[rows]
    return known


def write_cifar10() -> None:
    """The images with few labels."""
    with np.load(SHARED / "cifar10_jpeg_stream.npz") as stored:
        arrays = dict(stored)
    arrays["y_train"] = hidden(arrays["y_train"], LABELLED["cifar10"])
    np.savez(DRAWN / "cifar10.npz", **arrays)


def write_sst2() -> None:
    """The sentences with few labels, and a teacher that was trained on all of them."""
    whole = load(HERE / "recipes" / "sst2.toml", ("teacher.members=[]",))
    teacher = build(whole, artifacts=BENCH, until="teacher").stopped
    data = build(whole, artifacts=BENCH, until="data").stopped
    shutil.copyfile(teacher.path / "weights.safetensors", DRAWN / "teacher.safetensors")
    shutil.copyfile(data.path / "tokenizer.json", DRAWN / "tokenizer.json")
    with np.load(SHARED / "sst2_sentences.npz") as stored:
        arrays = dict(stored)
    arrays["label_train"] = hidden(arrays["label_train"], LABELLED["sst2"])
    np.savez(DRAWN / "sst2.npz", **arrays)


WRITE = {"cifar10": write_cifar10, "sst2": write_sst2}
HEAD = (
    "| data | labelled, unlabelled | teacher → student | teacher | plain | taught on the labelled "
    "alone | on all | gained over plain, 95 % | by the unlabelled, 95 % |"
)


def interval(estimate: dict) -> str:
    """A difference of shares in points."""
    value, low, high = (100 * estimate[key] for key in ("value", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def row(name: str, report: dict) -> str:
    """One build as one line; the interval of one seed is over test samples."""
    gain, data = report["quality"]["gain"], report["data"]
    scores = (gain[f"{kind}_score"] for kind in ("plain", "labelled", "distilled"))
    cells = (
        name,
        f"{data['rows']['train']:,}, {data['unlabelled']:,}",
        f"{report['teachers'][0]['model']} → {report['students'][0]['model']}",
        f"{100 * report['quality']['teacher_score']['value']:.1f} %",
        *(f"{100 * mean(score):.1f} %" for score in scores),
        interval(gain["difference"]),
        interval(gain["by_unlabelled"]),
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Build what the command line names, print the table, write; 1 where a mark is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("names", nargs="*", help="cifar10, sst2; none: both")
    options = parser.parse_args()
    if not SHARED.is_dir():
        print("skipped: no ../shared/data")
        return 0
    DRAWN.mkdir(parents=True, exist_ok=True)
    out = BENCH / "unlabelled.json"
    found = json.loads(out.read_text()) if out.exists() else {}
    names, seeds = options.names or list(WRITE), f"distill.seeds={options.seeds}"
    for name in names:
        WRITE[name]()
        recipe = load(HERE / "recipes" / f"{name}_unlabelled.toml", (seeds,))
        built = build(recipe, artifacts=BENCH)
        report = built.report.model_dump(mode="json")
        gain = report["quality"]["gain"]
        found[name] = {"gain": gain, "row": row(name, report)}
        out.write_text(json.dumps(found, indent=1))
    print(f"{HEAD}\n|{'---|' * HEAD.count(' | ')}---|")
    met = True
    for name in names:
        difference = found[name]["gain"]["difference"]
        met &= 100 * difference["value"] >= WANTED and 100 * difference["low"] > LOWEST
        print(found[name]["row"])
    print(f"{'met   ' if met else 'MISSED'} at least {WANTED:+.0f} points, all above {LOWEST:+.0f}")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
