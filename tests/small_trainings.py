"""Trainings of a second or less: images of three classes, texts, and small models."""

import numpy as np
import torch
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.distill.batches import Batches
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.distill.loop import (
    TrainingSetup,
    fit,
    new_view_each_epoch,
)
from edgestill.pipeline.models import deployed
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.records import DataRecord

DATA = DataRecord(
    source="test", task="classification", labels=("a", "b", "c"), sample_shape=(6, 6), layout="hw",
    dtype="float32", mean=(0.0,), std=(1.0,), rows={"train": 96}, counts={"train": (32, 32, 32)},
    dropped=0, notes=(), fingerprint="",
)  # fmt: skip
PLAIN = Augment()
SHORT = Schedule(epochs=3, batch_size=16, learning_rate=0.05)


def drawn(samples=96, seed=0, noise=0.0):
    """Images of which each class is brighter than the last, and some wrong labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, samples)
    x = (rng.normal(size=(samples, 6, 6)) + y[:, None, None]).astype(np.float32)
    wrong = rng.random(samples) < noise
    return Arrays(x, np.where(wrong, rng.integers(0, 3, samples), y).astype(np.int64))


def fresh(model="mlp1", seed=0):
    torch.manual_seed(seed)
    return deployed(Architecture(model=model, width=4), DATA)


class Told(Silent):
    """A progress that keeps what it is told, and calls ``each`` behind every step."""

    def __init__(self, each=lambda step: None):
        super().__init__()
        self.each, self.told, self.notes = each, [], []

    def steps(self, what, total):
        self.total = total
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def advance(self, detail=""):
        self.told.append(detail)
        self.each(len(self.told))

    def note(self, text):
        self.notes.append(text)


def copied(model):
    """A model's state as it is now."""
    return {key: value.clone() for key, value in model.state_dict().items()}


def run(model, *, progress=None, work=None, **changed):
    """Train a model; ``changed`` replaces fields of the setup, or the augmentation."""
    data = changed.get("data", DATA)
    schedule, seed = changed.get("schedule", SHORT), changed.get("seed", 0)
    setup = TrainingSetup(
        Batches(data, changed.get("train", drawn()), changed.get("augment", PLAIN), seed),
        changed.get("validation", drawn(60, 1)),
        data,
        schedule,
        changed.get("loss") or hard_labels(data, schedule),
        new_view_each_epoch,
        seed,
        changed.get("extra", ()),
        changed.get("select_by"),
        changed.get("frozen", ()),
        changed.get("scored_after", frozenset()),
        changed.get("untaught", 0.0),
    )
    return fit(model, setup, progress=progress or Silent(), what="a model", work=work)


# --- a training that is killed goes on --------------------------------------------------------

TEXTS = DATA.model_copy(
    update={"layout": "tokens", "sample_shape": (24,), "dtype": "int32", "mean": (), "std": (),
            "vocabulary": 30, "pad": 0, "unknown": 1}
)  # fmt: skip


def texts(samples=96, seed=0):
    """Texts of 2 to 24 tokens in which a class prefers tokens of its own."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, samples)
    lengths = rng.integers(2, 25, samples)
    x = rng.integers(2, 12, (samples, 24)) + 9 * y[:, None] * (rng.random((samples, 24)) < 0.7)
    x[np.arange(24) >= lengths[:, None]] = 0
    return Arrays(np.ascontiguousarray(x, np.int32), y.astype(np.int64))
