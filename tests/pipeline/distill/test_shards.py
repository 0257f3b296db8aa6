"""Soft targets in shards: put together they are, byte for byte, those of one process."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from edgestill.errors import ModelError
from edgestill.pipeline.distill import shards, targets
from edgestill.pipeline.distill.inputs import Samples, TargetsInputs, Teachers
from edgestill.pipeline.models import deployed
from edgestill.pipeline.models.weights import WEIGHTS, save
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.distill import SoftTargets
from edgestill.pipeline.records import DataRecord, ModelRecord

ROWS, UNLABELLED = 300, 41
NET = Architecture(model="resnet8", width=4)

pytestmark = pytest.mark.usefixtures("one_thread")


def record(classes):
    counts = {"train": tuple(int(n) for n in np.bincount(np.arange(ROWS) % classes))}
    return DataRecord(
        source="test",
        task="classification",
        sample_shape=(5, 5, 2),
        layout="hwc",
        labels=tuple(f"c{i}" for i in range(classes)),
        dtype="float32",
        mean=(0.0, 1.0),
        std=(1.0, 2.0),
        rows={"train": ROWS},
        counts=counts,
        dropped=0,
        notes=(),
        fingerprint="",
        unlabelled=UNLABELLED,
    )


def inputs_of(folder, classes=3, origin="trained", **options):
    """A small data set with unlabelled samples, and a teacher of it with random weights."""
    told, rng = record(classes), np.random.default_rng(0)
    for split, rows in (("train", ROWS + UNLABELLED), ("validation", 40), ("test", 30)):
        np.save(folder / f"x_{split}.npy", rng.normal(size=(rows, 5, 5, 2)).astype(np.float32))
        labelled = ROWS if split == "train" else rows
        np.save(folder / f"y_{split}.npy", np.arange(labelled) % classes)
    torch.manual_seed(1)
    save(deployed(NET, told), folder / WEIGHTS)
    teacher = SimpleNamespace(
        path=folder,
        record=ModelRecord(
            model=NET.model,
            width=NET.width,
            outputs=classes,
            parameters=1,
            seed=0,
            distilled=False,
            origin=origin,
            curve=(),
            best_epoch=None,
            validation_score=1.0,
            weights_sha256="",
        ),
    )
    data = SimpleNamespace(path=folder, record=told)
    samples = Samples(data, Augment(crop=1, flip=True, mixup=0.3), 5)
    return TargetsInputs(Teachers((teacher,), (1.0,)), SoftTargets(**options), samples)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def folder_of(parent, name):
    (parent / name).mkdir()
    return parent / name


def merged(tmp_path, inputs, split):
    """The targets from shards, made in another order than they lie in."""
    made = {}
    for number, part in reversed(list(enumerate(split))):
        out = folder_of(tmp_path, f"shard-{number}")
        told = targets.make_shard(out, Silent(), part)
        made[number] = SimpleNamespace(path=out, record=told)
    out = folder_of(tmp_path, "merged")
    told = targets.merge_targets(out, Silent(), inputs, [made[at] for at in sorted(made)])
    return out, told


@pytest.mark.parametrize("classes", [3, 300])
def test_shards_give_the_bytes_and_the_record_of_one_process(tmp_path, monkeypatch, classes):
    monkeypatch.setattr(targets, "BLOCK", 32)
    monkeypatch.setattr(shards, "BLOCK", 32)
    monkeypatch.setattr(shards, "BLOCKS_A_NOTE", 5)
    inputs = inputs_of(folder_of(tmp_path, "data"), classes, views=3)
    split = shards.shards(inputs)
    assert len(split) == 7  # 3 views of 11 blocks, 5 a shard: one crosses from a view to the next
    whole = folder_of(tmp_path, "whole")
    told = targets.make_targets(whole, Silent(), inputs, folder_of(tmp_path, "work"))
    out, record_of_shards = merged(tmp_path, inputs, split)
    assert contents(out) == contents(whole)
    assert record_of_shards == told
    assert told.rows == ROWS + UNLABELLED
    assert told.train_score is not None


def test_answers_on_other_splits_are_those_of_one_process(tmp_path, monkeypatch):
    inputs = inputs_of(folder_of(tmp_path, "data"), views=2)
    monkeypatch.setattr(targets, "exportable", lambda _: False)
    monkeypatch.setattr(shards, "BLOCKS_A_NOTE", 1)
    whole = folder_of(tmp_path, "whole")
    told = targets.make_targets(whole, Silent(), inputs, folder_of(tmp_path, "work"))
    out, record_of_shards = merged(tmp_path, inputs, shards.shards(inputs))
    assert record_of_shards.answered == told.answered == ("validation", "test")
    assert contents(out) == contents(whole)


@pytest.mark.parametrize(
    ("rows", "views", "number", "each"),
    [
        (1, 1, 1, 1),
        (2048, 1, 1, 16),
        (2049, 1, 2, 16),
        (1_000_000, 8, 3907, 16),
        (1_281_167, 8, 4004, 20),
        (20_000_000, 8, 4085, 306),
    ],
)
def test_how_many_shards_there_are_depends_on_the_data_alone(rows, views, number, each):
    data = SimpleNamespace(record=SimpleNamespace(samples=lambda _: rows, unlabelled=0))
    split = shards.shards(TargetsInputs(None, SoftTargets(views=views), Samples(data, None, 0)))
    assert len(split) == number <= shards.MOST
    assert split[0].last - split[0].first == each
    assert split[-1].last == views * -(-rows // shards.BLOCK)
    assert all(one.last == other.first for one, other in pairwise(split))


def test_a_teacher_that_answers_at_every_step_has_no_shards(tmp_path):
    assert shards.shards(inputs_of(tmp_path, views=0)) == ()


def test_an_answer_that_cannot_be_stored_is_refused_in_a_shard_as_well(tmp_path, monkeypatch):
    inputs = inputs_of(tmp_path, views=1)
    monkeypatch.setattr(
        targets.TeacherAnswers, "__call__", lambda *_: np.full((128, 3), 1e9, np.float32)
    )
    with pytest.raises(ModelError, match="an answer of 1e"):
        targets.make_shard(folder_of(tmp_path, "out"), Silent(), shards.shards(inputs)[0])
