"""What is said of a metric once: its key, its direction, its figure alone."""

from dataclasses import replace

import numpy as np
import pytest
from edgestill.pipeline.tasks import TASKS, metric_unit, of
from edgestill.pipeline.tasks.metric import Metric, slug
from edgestill.pipeline.tasks.sampling import Sampling
from task_samples import SAMPLES


@pytest.mark.parametrize(
    ("name", "higher", "key"),
    [
        ("balanced accuracy", True, "min_balanced_accuracy"),
        ("macro-F1", True, "min_macro_f1"),
        ("worst-class recall", True, "min_worst_class_recall"),
        ("recall@1", True, "min_recall_at_1"),
        ("R²", True, "min_r2"),
        ("mAP", True, "min_map"),
        ("RMSE", False, "max_rmse"),
        ("MAE", False, "max_mae"),
    ],
)
def test_the_key_of_a_budget_is_made_of_name_and_direction(name, higher, key):
    assert Metric(name, "none", higher_is_better=higher).key == key


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_no_two_metrics_of_a_task_have_one_key(task):
    keys = [metric.key for metric in task.reported]
    assert len(set(keys)) == len(keys)
    assert all(slug(metric.name) in metric.key for metric in task.reported)


@pytest.mark.parametrize("task", SAMPLES)
def test_the_figure_alone_is_that_of_the_one_with_an_interval(task):
    outputs, truth = SAMPLES[task]()
    full = of(task).metrics(outputs, truth, Sampling(0.95))
    alone = [metric for metric in of(task).reported if metric.value is not None]
    assert len(alone) >= 2
    for metric in alone:
        assert metric.measure(outputs, truth) == pytest.approx(full[metric.name].value), metric


@pytest.mark.parametrize("task", SAMPLES)
def test_better_outputs_have_more_merit_by_every_metric(task):
    noisy = {"tagged": {"gap": 0.1}, "embedded": {"noise": 9.0}}
    outputs, truth = SAMPLES[task]()
    worse = SAMPLES[task](**noisy.get(SAMPLES[task].__name__, {}))[0]
    if task in ("classification", "regression", "class-logits", "label-logits"):
        worse = outputs + 9.0 * np.random.default_rng(1).standard_normal(outputs.shape) * (
            outputs.std(0)
        )
    for metric in of(task).reported:
        if metric.value is not None:
            merits = [metric.merit(metric.measure(x, truth)) for x in (outputs, worse)]
            assert merits[0] > merits[1], metric.name


def test_a_metric_of_each_class_alone_chooses_no_epoch():
    recall = of("classification").named("recall")
    assert not recall.of_all
    with pytest.raises(ValueError, match="recall is no figure of epochs"):
        recall.measure(np.eye(3), np.arange(3))


def test_what_chooses_is_the_named_metric_else_the_one_of_weighted_classes_else_the_score():
    classes, numbers = of("classification"), of("regression")
    assert classes.chooses(None, class_weights=False).name == "accuracy"
    assert classes.chooses(None, class_weights=True).name == "balanced accuracy"
    assert classes.chooses("macro_f1", class_weights=True).name == "macro-F1"
    assert classes.chooses("Macro-F1", class_weights=False).name == "macro-F1"
    assert of("multi-label").chooses(None, class_weights=True).name == "mAP"
    assert numbers.chooses("RMSE", class_weights=False).merit(2.0) == -2.0


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_metric_is_named_by_its_key_and_the_score_by_nothing(task):
    assert task.named(None) is task.metric is task.reported[0]
    for metric in task.reported:
        assert task.named(metric.name) is task.named(slug(metric.name)) is metric
    with pytest.raises(KeyError):
        task.named("shoe size")


def test_the_unit_of_a_metric_is_known_by_its_name():
    assert metric_unit("MAE") == "label unit"
    assert metric_unit("recall@1") == "share"
    assert metric_unit("shoe size") == metric_unit("R²") == "none"


def test_less_error_is_better_and_has_more_merit():
    judged = replace(of("regression"), reported=(Metric("RMSE", "none", higher_is_better=False),))
    assert judged.better(1.0, 2.0)
    assert not judged.better(2.0, 1.0)
    assert not judged.better(2.0, 2.0)
    assert judged.metric.merit(2.0) == -2.0
    assert of("regression").metric.merit(2.0) == 2.0


def test_classes_are_what_can_be_counted():
    of_labels = {name for name, task in TASKS.items() if task.has_classes}
    assert of_labels == {"classification", "multi-label"}


def test_a_name_becomes_a_part_of_a_key():
    assert slug(" Top-5  accuracy! ") == "top_5_accuracy"
    assert slug("recall@1") == "recall_at_1"
