"""The task of classes: classes of one sample, classes that are nowhere, and each class's part."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.class_counts import counts_by_unit, macro_f1
from edgestill.pipeline.tasks.jackknife import mean, mean_share_figure, of_unit_sums, share_figure
from edgestill.pipeline.tasks.sampling import Sampling
from sklearn import metrics as sklearn
from task_samples import classified

CLASSES = of("classification")
ANY = Sampling(0.95)
FIGURES = {metric.name: metric for metric in CLASSES.reported if metric.value is not None}
# Of the last class there is one sample; class 2 is answered once and is nowhere; 3 is neither.
LABELS = np.array([0, 0, 0, 1, 1, 4])
ANSWERS = np.array([0, 0, 2, 1, 0, 4])
OUTPUTS = np.eye(5)[ANSWERS]


def test_figures_alone_are_scikit_learns():
    logits, labels = classified(n=90, seed=3)
    for outputs, truth in ((logits, labels), (OUTPUTS, LABELS)):
        answers = outputs.argmax(1)
        recalls = sklearn.recall_score(truth, answers, average=None, labels=np.unique(truth))
        expected = {
            "accuracy": sklearn.accuracy_score(truth, answers),
            "balanced accuracy": recalls.mean(),
            "macro-F1": sklearn.f1_score(truth, answers, average="macro"),
            "worst-class recall": recalls.min(),
        }
        full = CLASSES.metrics(outputs, truth, ANY)
        for name, value in expected.items():
            assert FIGURES[name].measure(outputs, truth) == pytest.approx(value)
            assert full[name].value == pytest.approx(value)


def test_a_class_of_one_sample_counts_and_one_that_is_only_answered_has_an_f1_of_0():
    f1 = [2 * 2 / (3 + 3), 2 * 1 / (2 + 1), 0.0, 1.0]
    assert FIGURES["macro-F1"].measure(OUTPUTS, LABELS) == pytest.approx(np.mean(f1))
    recalls = [2 / 3, 1 / 2, 1.0]
    assert FIGURES["balanced accuracy"].measure(OUTPUTS, LABELS) == pytest.approx(np.mean(recalls))
    assert FIGURES["worst-class recall"].measure(OUTPUTS, LABELS) == pytest.approx(0.5)
    assert FIGURES["worst-class recall"].measure(np.eye(5)[[0] * 6], LABELS) == 0.0


def test_a_perfect_answer_hides_as_much_as_each_class_may():
    """All 3, 5 and 12 samples are right; a class without a sample is none."""
    labels = np.repeat([0, 1, 3], [3, 5, 12])
    groups = Sampling(0.95, np.arange(20))
    found = CLASSES.metrics(np.eye(4)[labels], labels, groups)
    parts = mean(np.ones(20), share_figure("share", 3, (3, 5, 12)), groups)
    for name in ("balanced accuracy", "macro-F1"):
        assert (found[name].value, found[name].high) == (1.0, 1.0)
        assert found[name].low == pytest.approx(parts.low)


def test_the_samples_behind_an_f1_are_those_of_the_class_or_answered_with_it():
    """Class 2 has neither a hit nor a sample without spread: 1 sample is behind it."""
    figure = CLASSES.metrics(OUTPUTS, LABELS, Sampling(0.95, np.arange(6)))["macro-F1"]
    either = [np.array(rows) for rows in ([0, 1, 2, 4], [3, 4], [2], [5])]
    right = LABELS == ANSWERS
    parts = mean_share_figure("macro-F1", [(rows, right[rows]) for rows in either], ANY)
    assert (parts.parts, parts.hidden) == (4, (1, 1))
    assert (figure.value, figure.missing) == (
        pytest.approx((2 / 3 + 2 / 3 + 0 + 1) / 4),
        "it does not exist without some of the groups",
    )
    # Each sample twice, so that none is alone: the interval is that of these parts.
    twice = np.repeat(np.arange(6), 2)
    of_groups = Sampling(0.95, np.arange(12))
    doubled = CLASSES.metrics(OUTPUTS[twice], LABELS[twice], of_groups)["macro-F1"]
    sums = counts_by_unit(LABELS[twice], ANSWERS[twice], 5, of_groups)
    told = share_figure("macro-F1", 4, (2, 2))
    expected = of_unit_sums(sums, macro_f1(sums.sum(0)), told, of_groups, 12)
    assert doubled == expected


def test_the_most_frequent_class_is_the_best_constant():
    labels = np.array([2, 0, 2, 1])
    constant = CLASSES.reported[0].constant(labels)
    assert constant.tolist() == [[0.0, 0.0, 1.0]] * 4
    assert CLASSES.constant_answer(labels, ("a", "b", "c")) == "always answering 'c'"
    assert CLASSES.constant_answer(np.array([1, 0]), ("a", "b")) == "always answering 'a'"


def test_what_a_student_lost_is_of_its_own_and_of_the_teachers_answers():
    labels = np.array([0, 0, 1, 1, 2, 2])
    teacher, student = np.eye(3)[[0, 0, 1, 0, 2, 2]], np.eye(3)[[0, 1, 1, 1, 0, 0]]
    found = CLASSES.fidelity(student, teacher, labels, ("a", "b", "c"), ANY)
    recalls = [(one.teacher_recall, one.student_recall) for one in found.classes]
    assert recalls == [(1.0, 0.5), (0.5, 1.0), (1.0, 0.0)]
    assert [one.drop.value for one in found.classes] == [0.5, -0.5, 1.0]
    assert (found.worst_class, found.worst_drop.value) == ("c", 1.0)
    assert found.agreement.value == pytest.approx(2 / 6)
    assert found.teacher_calibration.overconfidence < 0.0 < found.student_calibration.overconfidence


def test_the_drop_is_that_of_the_first_to_the_second():
    better = np.eye(5)[LABELS]
    found = CLASSES.drop(better, OUTPUTS, LABELS, ANY)
    assert found.value == pytest.approx(2 / 6)
    assert CLASSES.drop(OUTPUTS, better, LABELS, ANY).value == pytest.approx(-2 / 6)


def test_answers_and_labels_are_of_the_same_samples():
    for metric in FIGURES.values():
        with pytest.raises(ValueError, match="5 outputs for 6 samples"):
            metric.measure(OUTPUTS[:5], LABELS)
        with pytest.raises(ValueError, match="0 outputs for 0 samples"):
            metric.measure(OUTPUTS[:0], LABELS[:0])
    with pytest.raises(ValueError, match="shape"):
        CLASSES.answers_differ(OUTPUTS[:5], OUTPUTS, LABELS)
