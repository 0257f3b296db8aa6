"""Steps to a score: found on the curve, shared out over seeds, compared on test."""

import math

import pytest
import report_example
from edgestill.pipeline import tasks
from edgestill.pipeline.judge.adaptation import compare_with_scratch
from edgestill.pipeline.judge.adaptation_steps import first_step, scores_of, share_of
from edgestill.pipeline.records import Reached, StartRecord, StepScore
from edgestill.pipeline.stages import ADAPTATION

ACCURACY = tasks.of("classification").metric
ERROR = next(m for m in tasks.of("regression").reported if not m.higher_is_better and m.value)


def steps(*pairs):
    return tuple(StepScore(step=step, score=score) for step, score in pairs)


def reached(*numbers):
    return tuple(
        Reached(seed=seed, target=0.9, steps=number) for seed, number in enumerate(numbers)
    )


def test_the_stage_runs_the_function_of_this_module():
    assert ADAPTATION.run == f"pipeline.judge.adaptation:{compare_with_scratch.__name__}"


def test_the_first_step_as_good_as_the_target_counts():
    curve = steps((1, 0.2), (2, 0.9), (4, 0.8), (8, 0.95))
    assert first_step(curve, 0.9, ACCURACY) == 2
    assert first_step(curve, 0.91, ACCURACY) == 8
    assert first_step(curve, 0.96, ACCURACY) is None


def test_of_an_error_less_is_as_good():
    curve = steps((1, 3.0), (2, 1.0), (4, 0.5))
    assert first_step(curve, 1.0, ERROR) == 2


def test_scores_are_those_of_the_grid_and_of_the_ends_of_epochs():
    student = report_example.report().students[0]
    epochs = len(student.curve)
    model = student.model_copy(update={"steps": steps((1, 0.1), (10 * epochs, 0.7))})
    found = scores_of(model)
    assert [one.step for one in found] == [1, *(10 * epoch for epoch in range(1, epochs + 1))]
    assert found[1].score == student.curve[0].validation_score
    assert found[-1].score == 0.7
    assert scores_of(student) == ()


def test_the_fit_of_a_last_layer_counts_as_steps():
    start = StartRecord(
        weights_sha256="0" * 64, tune="whole", head="last", trained_parameters=1, head_steps=3
    )
    student = report_example.report().students[0]
    epochs = len(student.curve)
    found = scores_of(
        student.model_copy(
            update={"start": start, "steps": steps((0, 0.3), (1, 0.4), (10 * epochs, 0.7))}
        )
    )
    assert [one.step for one in found][:2] == [3, 4]
    assert first_step(found, 0.3, ACCURACY) == 3
    assert found[-1].step == 10 * epochs + 3


def test_the_share_is_the_geometric_mean_with_an_interval_above_zero():
    share = share_of(reached(10, 40), 100)
    assert share.value == pytest.approx(0.2)
    assert 0.0 < share.low < share.value < share.high
    assert share.low * share.high == pytest.approx(share.value**2)
    assert math.isclose(share_of(reached(10, 10, 10), 100).value, 0.1)


def test_one_seed_has_a_share_and_no_interval():
    share = share_of(reached(25), 100)
    assert (share.value, share.low, share.high) == (0.25, None, None)


def test_a_seed_that_never_reaches_it_leaves_the_share_unknown():
    share = share_of(reached(25, None), 100)
    assert share.value is None
    assert share.missing.startswith("1 of 2 seeds never")
