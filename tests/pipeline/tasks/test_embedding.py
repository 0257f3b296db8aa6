"""The task of vectors: its figures on three vectors whose cosines are known."""

import math

import numpy as np
import pytest
from edgestill.pipeline.tasks.embedding import TASK
from edgestill.pipeline.tasks.proportions import proportion
from edgestill.pipeline.tasks.sampling import Sampling

ANY = Sampling(0.95)
TEACHER = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
# The third is nearest to the teacher's first; lengths do not count.
STUDENT = np.array([[2, 0], [0, 3], [1, 0]], np.float32)
COSINE = (1 + 1 + math.sqrt(0.5)) / 3


def test_the_score_is_the_mean_cosine_to_the_teacher():
    found = {name: one.value for name, one in TASK.metrics(STUDENT, TEACHER, ANY).items()}
    assert found == pytest.approx({"cosine": COSINE, "recall@1": 2 / 3})
    assert TASK.selection(STUDENT, TEACHER) == pytest.approx(COSINE)
    score = TASK.score(STUDENT, TEACHER, ANY)
    assert score.value == pytest.approx(COSINE)
    assert -1 <= score.low < score.value < score.high <= 1
    assert TASK.selection(-TEACHER, TEACHER) == pytest.approx(-1)


def test_the_drop_is_the_loss_of_cosine_against_the_reference():
    assert TASK.drop(TEACHER, STUDENT, TEACHER, ANY).value == pytest.approx(1 - COSINE)
    assert TASK.drop(STUDENT, TEACHER, TEACHER, ANY).value == pytest.approx(COSINE - 1)


def test_answers_differ_where_another_vector_of_the_teacher_is_nearest():
    differ = TASK.answers_differ(STUDENT, TEACHER, TEACHER)
    assert differ.tolist() == [False, False, True]
    assert not TASK.answers_differ(5 * STUDENT, STUDENT, TEACHER).any()


def test_the_fidelity_is_recall_and_has_no_classes():
    fidelity = TASK.fidelity(STUDENT, TEACHER, TEACHER, (), ANY)
    assert fidelity.task == "embedding"
    assert fidelity.agreement == fidelity.figures["recall@1"] == proportion(2, 3, 0.95)
    assert fidelity.figures["cosine"].value == pytest.approx(COSINE)
    assert set(fidelity.figures) == set(TASK.fidelity_figures)
    assert (fidelity.classes, fidelity.worst_class) == ((), None)
    assert fidelity.worst_drop.missing == "an embedding has no classes"


def test_vectors_of_another_length_are_refused():
    with pytest.raises(ValueError, match="shape"):
        TASK.metrics(STUDENT[:, :1], TEACHER, ANY)
