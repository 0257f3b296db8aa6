"""Charts of training and of classes as plots; pages of charts are looked at in a browser."""

import pytest
import report_example as example
from edgestill.pipeline.report import class_chart, drawing, training_chart
from edgestill.pipeline.report.chart import Chart
from edgestill.pipeline.report.plot import Axis, Plot, Point, Series


def test_training_has_a_line_a_model_of_losses_and_scores():
    chart = training_chart.chart(example.report())
    losses, scores = chart.plots
    names = ["teacher", "distilled student", "student without teacher"]
    assert [one.name for one in losses.series] == [one.name for one in scores.series] == names
    curve = example.report().teachers[0].curve
    assert [point.y for point in losses.series[0].points] == [e.validation_loss for e in curve]
    assert scores.series[0].points[-1].y == pytest.approx(100 * curve[-1].validation_score)
    assert [one.name for one in chart.legend] == names


def test_a_model_without_a_curve_is_named_with_the_reason():
    chart = training_chart.chart(example.with_black_box(example.report()))
    assert chart.missing == ("teacher: a black box, not trained here, so it has no curve",)
    assert len(chart.plots[0].series) == 2


def test_classes_stand_from_the_largest_loss_down_each_with_its_interval():
    (chart,) = class_chart.charts(example.report())
    (series,) = chart.plots[0].series
    losses = [point.x for point in series.points]
    assert losses == sorted(losses, reverse=True)
    assert [point.y for point in series.points] == list(range(10))
    assert all(point.x_ends[0] <= point.x <= point.x_ends[1] for point in series.points)


def test_without_the_teachers_answers_no_classes_are_drawn():
    report = example.report()
    bare = tuple(one.model_copy(update={"fidelity": None}) for one in report.quality.variants)
    quality = report.quality.model_copy(update={"variants": bare})
    assert list(class_chart.charts(report.model_copy(update={"quality": quality}))) == []


def test_a_legend_has_each_look_once_and_is_left_out_for_one():
    look = drawing.look(1)
    one, other = (Series(name, look, (Point(1.0, 1.0),)) for name in "ab")
    unlisted = Series("c", look, (), listed=False)
    twice = (Plot((one, other, unlisted), Axis(), Axis()), Plot((one,), Axis(), Axis()))
    assert Chart("id", "title", "caption", twice, (), "").legend == (one, other)
    assert Chart("id", "title", "caption", twice[1:], (), "").legend == ()
