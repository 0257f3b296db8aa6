"""How far answers are from a reference's, in each task's own terms."""

import numpy as np
import pytest
from edgestill.pipeline import tasks
from edgestill.pipeline.records import Shift
from edgestill.pipeline.tasks import task as contract
from edgestill.pipeline.tasks.sampling import Sampling


def test_numbers_move_in_their_own_units_also_where_every_answer_is_the_same():
    truth = np.linspace(0.0, 100_000.0, 101)[:, None]
    before = truth + 5.0
    after = before + np.where(np.arange(101) == 7, 2_500.0, 300.0)[:, None]
    found = tasks.of("regression").shift(after, before, truth, ["price"])
    (price,) = found.outputs
    assert found.changed == price.changed == 0
    assert (price.typical, price.farthest) == pytest.approx((300.0, 2_500.0))
    assert price.tolerance == pytest.approx(0.1 * truth.std())


def test_of_several_numbers_the_one_that_moved_farthest_for_its_spread_is_named():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(200, 2)) * [1_000.0, 1.0]
    after = truth + np.array([20.0, 0.5])
    found = tasks.of("regression").shift(after, truth, truth, ["price", "rooms"])
    assert [output.changed for output in found.outputs] == [0, 200]
    assert found.changed == 200


def test_labels_are_counted_one_by_one():
    before = np.array([[1.0, -1.0, 1.0], [1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
    after = before * np.array([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0], [1.0, 1.0, 1.0]])
    found = tasks.of("multi-label").shift(after, before, before > 0, ["cat", "dog", "sky"])
    assert found.changed == 2
    assert {output.name: output.changed for output in found.outputs} == {
        "cat": 1, "dog": 2, "sky": 0,
    }  # fmt: skip


def test_vectors_are_compared_by_cosine():
    teacher = np.eye(4)[:, :3] + 0.1
    before, after = teacher.copy(), teacher.copy()
    after[0] = teacher[1]
    found = tasks.of("embedding").shift(after, before, teacher, [])
    (vector,) = found.outputs
    assert found.changed == vector.changed == 1
    assert vector.typical == pytest.approx(1.0)
    assert vector.farthest == pytest.approx(
        float(teacher[0] @ teacher[1] / np.linalg.norm(teacher[0]) / np.linalg.norm(teacher[1]))
    )


def test_classes_are_counted():
    before, after = np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[0, 1, 0, 0]]
    found = tasks.of("classification").shift(after, before, np.array([0, 1, 2, 0]), list("abc"))
    assert found == Shift(samples=4, changed=1, outputs=())


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_comparison_with_the_teacher_says_how_far_the_answers_are_apart(name):
    task, rng = tasks.of(name), np.random.default_rng(0)
    student, teacher = rng.normal(size=(2, 40, 3))
    truth = {
        "classification": rng.integers(0, 3, 40),
        "multi-label": rng.integers(0, 2, (40, 3)),
    }.get(name, rng.normal(size=(40, 3)))
    sampling = Sampling(0.95)
    found = task.compare(student, teacher, truth, ["a", "b", "c"], sampling)
    against = teacher if task.labels is None else truth
    assert found.shift == task.shift(student, teacher, against, ["a", "b", "c"])
    assert found.shift.changed == task.answers_differ(student, teacher, against).sum()


def test_labels_without_a_positive_and_numbers_that_do_not_vary_are_left_out():
    present = np.array([[1, 0, 1], [0, 0, 1]])
    left_out = tasks.of("multi-label").left_out(present, 3)
    np.testing.assert_array_equal(left_out, [False, True, False])
    numbers = np.array([[1.0, 5.0], [2.0, 5.0]])
    np.testing.assert_array_equal(tasks.of("regression").left_out(numbers, 2), [False, True])
    assert not tasks.of("classification").left_out(np.array([0, 0]), 3).any()


def test_a_task_need_not_say_how_its_outputs_move():
    assert contract.Task.__dataclass_fields__["output_shifts"].default() == ()
