"""What tracking tools keep of a run."""

from dataclasses import replace

import pytest
import run_example
import verdict_examples
from edgestill.pipeline.records import Commit
from edgestill.pipeline.report import rows
from edgestill.pipeline.tracking.figures import tracked_of


@pytest.fixture(scope="module")
def report():
    return verdict_examples.judged(run_example.report())


def test_the_width_of_a_function_of_the_users_is_no_parameter(report):
    own = {"model": "net:student", "width": 8}
    family = {"model": "resnet8", "width": 8}
    recipe = {"student": own, "teacher": {**family, "members": []}}
    tracked = tracked_of(report.model_copy(update={"recipe": recipe}))
    assert "student.width" not in tracked.parameters
    assert tracked.parameters["teacher.width"] == "8"


def test_parameters_are_the_recipes_values_by_dotted_key(report):
    tracked = tracked_of(report.model_copy(update={"recipe": {"a": {"b": 0.5, "c": {}}, "d": [1]}}))
    assert tracked.parameters == {"a.b": "0.5", "d": "[1]"}


def test_each_figure_has_its_interval_and_the_names_are_ones_that_mlflow_takes(report):
    tracked = tracked_of(report)
    for row in rows.models(report):
        if row.score.value is None:
            continue
        assert tracked.metrics[f"{row.name}/score"] == row.score.value
        assert tracked.metrics[f"{row.name}/score_low"] == row.score.low
        assert tracked.metrics[f"{row.name}/score_high"] == row.score.high
        assert tracked.metrics[f"{row.name}/file_bytes"] == row.variant.bytes
    assert not any("@" in name for name in (*tracked.metrics, *tracked.curves))


def test_an_unknown_figure_is_left_out_and_one_that_was_not_measured_says_so(report):
    first, *others = report.measured.benchmark.models
    energy = replace(first.energy_uj, value=3.0, low=2.0, high=4.0, kind="declared")
    changed = replace(first, energy_uj=energy, p50_ms=replace(first.p50_ms, value=None))
    benchmark = replace(report.measured.benchmark, models=(changed, *others))
    measured = report.measured.model_copy(update={"benchmark": benchmark})
    metrics = tracked_of(report.model_copy(update={"measured": measured})).metrics
    assert metrics[f"{first.name}/energy_uj_declared_high"] == 4.0
    assert f"{first.name}/energy_uj" not in metrics
    assert not any(name.startswith(f"{first.name}/p50_ms") for name in metrics)


def test_a_curve_has_its_epochs_and_the_seconds_since_it_began(report):
    tracked = tracked_of(report)
    (student,) = report.students
    points = tracked.curves["student/loss"]
    assert [point.epoch for point in points] == [epoch.epoch for epoch in student.curve]
    assert [point.value for point in points] == [epoch.loss for epoch in student.curve]
    assert points[-1].seconds == pytest.approx(sum(epoch.seconds for epoch in student.curve))


def test_students_of_several_seeds_are_told_apart(report):
    (one,) = report.students
    students = (one, one.model_copy(update={"seed": one.seed + 1}))
    curves = tracked_of(report.model_copy(update={"students": students})).curves
    assert {f"student_seed_{one.seed}/loss", f"student_seed_{one.seed + 1}/loss"} <= {*curves}


def test_tags_have_the_verdict_and_the_commit(report):
    commit = Commit(sha="a" * 40, changed=True)
    tags = tracked_of(report.model_copy(update={"commit": commit})).tags
    assert tags["edgestill.outcome"] == report.verdict.outcome
    assert tags["mlflow.source.git.commit"] == "a" * 40
    assert tags["edgestill.commit_changed"] == "true"
