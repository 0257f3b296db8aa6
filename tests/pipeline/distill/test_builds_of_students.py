"""Views, layers and first weights of a student, from recipe to report, as small as it can be."""

import json

import numpy as np
import pytest
from edgestill.errors import ModelError
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.engine.store import file_sha256
from safetensors.torch import load_file
from small_builds import build, images, points, recipe, texts, until

pytestmark = pytest.mark.slow


def test_a_student_starts_from_the_layers_of_its_teacher(here):
    texts(here)
    pipeline.build(
        recipe(
            here,
            *("data.source=text:reviews.csv", "data.text.max_length=16"),
            *("teacher.model=transformer1", "student.model=transformer1", "student.width=16"),
            *("distill.initialize=true", "distill.epochs=1", "distill.learning_rate=1e-7"),
        ),
        artifacts=here / "artifacts",
        until="student",
    )
    teacher, *students = models(here, "teacher"), *models(here, "student")
    (teacher,) = teacher
    apart = {
        record["distilled"]: float((weights["backbone.embedding.weight"] - before).abs().max())
        for record, weights in students
        for before in [teacher[1]["backbone.embedding.weight"]]
    }
    assert apart[True] < 1e-3
    assert apart[False] > 1e-2


SHORT = ("teacher.epochs=1", "distill.epochs=1")
DROPPING = """
from torch import nn
from torch.nn import functional


class Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x):
        return self.layer(functional.dropout(x, 0.5))


def make():
    return Dropping()
"""


@pytest.mark.parametrize("part", ["student", "teacher"])
def test_a_module_whose_dropout_stays_on_is_refused_by_its_operator(here, part):
    x, y = points()
    np.savez(here / "data.npz", x=x, y=y)
    (here / "nets.py").write_text(DROPPING)
    with pytest.raises(ModelError, match=f"{part}.model nets:make.*Dropout .* acts as in training"):
        until(here, "variants", f"{part}.model=nets:make", *SHORT)


def models(folder, stage):
    """Records and weights of a stage in the store."""
    for entry in sorted((folder / "artifacts" / "store").glob("*/entry.json")):
        told = json.loads(entry.read_text())
        if told["stage"] == stage:
            yield told["record"], load_file(entry.parent / "weights.safetensors")


PICTURES = (
    "teacher.model=resnet8", "teacher.width=6", "teacher.epochs=4", "student.model=resnet8",
    "student.width=4", "distill.epochs=6", "augment.crop=1", "augment.flip=true",
)  # fmt: skip


def test_each_view_of_a_picture_is_answered_once_and_stored(here):
    images(here)
    record = until(here, "targets", *PICTURES, "distill.views=3").record
    (stored,) = (here / "artifacts" / "store").glob("*/logits.npy")
    answers = np.load(stored)
    assert answers.shape == (3, record.rows, 2)
    assert (np.ptp(answers, axis=0).max(1) > 0).mean() > 0.9


def test_a_teacher_is_asked_about_augmented_pictures_at_every_step_and_looked_into(here):
    images(here)
    done = build(
        here,
        *PICTURES,
        "distill.views=0",
        "distill.layers=[{loss='attention', teacher='layer1', student='layer1'}]",
    )
    report = done.report
    assert report.quality.teacher.score.value > 0.9
    assert report.quality.variants[0].score.value > 0.8
    assert list((here / "artifacts" / "store").glob("*/logits.npy")) == []
    # Batch norm of the teacher is as the teacher's own training left it.
    digests = {file_sha256(p) for p in here.glob("artifacts/store/*/weights.safetensors")}
    assert report.teachers[0].weights_sha256 in digests
