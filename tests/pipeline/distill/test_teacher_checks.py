"""Probabilities that a recipe takes for vectors, and the loss that suits them."""

import numpy as np
import pytest
from edgestill.pipeline import tasks
from edgestill.pipeline.distill.teacher_checks import taken_for_vectors
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.distill import Distill
from report_example import report
from small_builds import recipe, until

RANDOM = np.random.default_rng(0)
DATA = report().data


def data(task):
    return DATA.model_copy(update={"task": task})


def probabilities(rows=40, labels=12):
    return RANDOM.uniform(0.0, 1.0, (rows, labels)).astype(np.float32) ** 4


def test_probabilities_of_labels_and_of_classes_are_told_apart():
    p = probabilities()
    assert "data.task = 'label-logits'" in taken_for_vectors(p, data("embedding"))
    shares = p / p.sum(1, keepdims=True)
    assert "data.task = 'class-logits'" in taken_for_vectors(shares, data("embedding"))


@pytest.mark.parametrize("task", ["label-logits", "class-logits", "multi-label"])
def test_a_task_that_learns_them_as_such_is_not_warned(task):
    assert taken_for_vectors(probabilities(), data(task)) is None


@pytest.mark.parametrize(
    "vectors",
    [
        probabilities() - 0.5,
        1.5 * probabilities(),
        probabilities(labels=1),
        probabilities() / np.linalg.norm(probabilities(), axis=1, keepdims=True) - 0.01,
    ],
    ids=["below 0", "above 1", "one number", "of all signs"],
)
def test_other_vectors_are_vectors(vectors):
    assert taken_for_vectors(vectors.astype(np.float32), data("embedding")) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_vectors_of_length_one_are_vectors_though_none_is_negative(dtype):
    vectors = np.abs(RANDOM.standard_normal((40, 12)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rounded = vectors.astype(dtype).astype(np.float32)
    assert taken_for_vectors(rounded, data("embedding")) is None


def test_the_loss_of_a_recipe_that_says_nothing_is_binary_cross_entropy_for_labels():
    offered = tasks.of("label-logits").soft_losses
    (default,) = Distill().losses
    assert offered[default] == "binary_kd"
    assert set(offered.values()) == {"binary_kd", "mse"}


def sounds(folder, labels=360, number=1500):
    """Samples of very different strength, and 360 labels of which a few are set."""
    random = np.random.default_rng(0)
    loud = np.exp(random.standard_normal((number, 1)))
    x = loud * random.standard_normal((number, 16))
    inner = np.maximum(x @ random.standard_normal((16, 32)), 0.0)
    z = 0.3 * inner @ random.standard_normal((32, labels)) - 4.0
    ids = np.arange(number)
    np.savez(folder / "data.npz", x=x.astype(np.float32), id=ids)
    p = (1.0 / (1.0 + np.exp(-z))).astype(np.float32)
    np.savez(folder / "labels.npz", id=ids, probabilities=p)
    np.savez(folder / "vectors.npz", id=ids, logits=p)


TOLD = ("student.width=16", "distill.epochs=20", "distill.batch_size=32")


@pytest.mark.slow
def test_the_loss_that_is_chosen_ranks_360_labels_better_than_squared_error(here):
    sounds(here)
    told = ("data.task=label-logits", "teacher.model=logits:labels.npz", *TOLD)
    assert recipe(here, *told).distill.losses == {"kd": 1.0}
    chosen, squared = (
        until(here, "student", *told, *more).record for more in ((), ("distill.losses={mse=1.0}",))
    )
    assert chosen.outputs == 360
    assert chosen.selected_by == "mAP to the teacher"
    assert chosen.validation_score > squared.validation_score + 0.01


@pytest.mark.slow
def test_the_same_as_vectors_is_warned_of_in_progress_and_record(here):
    from edgestill.pipeline import build as pipeline

    sounds(here, labels=12, number=300)
    progress = Silent()
    told = recipe(
        here,
        "data.task=embedding",
        "teacher.model=logits:vectors.npz",
        "distill.losses={cosine=1.0}",
    )
    made = pipeline.build(
        told, artifacts=here / "artifacts", until="teacher", progress=progress
    ).stopped
    assert any("'label-logits'" in warning for warning in progress.warnings)
    assert any("'label-logits'" in warning for warning in made.record.warnings)
