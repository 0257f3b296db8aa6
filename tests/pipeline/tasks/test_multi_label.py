"""The task of several labels: logits of 0, labels that nobody has, and each label's part."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.jackknife import mean, share_figure
from edgestill.pipeline.tasks.sampling import Sampling
from sklearn import metrics as sklearn
from task_samples import tagged

LABELS = of("multi-label")
ANY = Sampling(0.95)
THERE = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
FIGURES = {metric.name: metric for metric in LABELS.reported if metric.value is not None}


def test_a_logit_of_0_says_that_a_label_does_not_hold():
    zero, yes, no = np.zeros((4, 2)), np.full((4, 2), 0.1), np.full((4, 2), -0.1)
    for name in ("micro-F1", "macro-F1", "worst-class recall"):
        assert FIGURES[name].measure(zero, THERE) == 0.0
        assert LABELS.metrics(zero, THERE, ANY)[name].value == 0.0
        assert FIGURES[name].measure(yes, THERE) > 0.0
    for other, differs in ((no, False), (yes, True)):
        for a, b in ((zero, other), (other, zero)):
            assert LABELS.answers_differ(a, b, THERE).tolist() == [differs] * 4
            shifts = LABELS.output_shifts(a, b, THERE, ("wet", "hot"))
            assert [(s.name, s.measure) for s in shifts] == [("wet", "count"), ("hot", "count")]
            assert [s.changed for s in shifts] == [4 * differs] * 2
            found = LABELS.fidelity(a, b, THERE, ("wet", "hot"), ANY)
            assert found.agreement.value == 1.0 - differs
            changed = found.changed
            assert changed.lost + changed.won + changed.both_wrong == 4 * differs
            assert all((e.margin > 0.0) == differs for e in changed.examples)
    found = LABELS.fidelity(zero, zero, THERE, ("wet", "hot"), ANY)
    assert [(c.samples, c.teacher_recall, c.student_recall) for c in found.classes] == [
        (2, 0.0, 0.0),
        (2, 0.0, 0.0),
    ]


def test_figures_alone_are_scikit_learns():
    outputs, there = tagged(n=80, labels=3, seed=4)
    answers = outputs > 0
    for average in ("micro", "macro"):
        expected = sklearn.f1_score(there, answers, average=average)
        assert FIGURES[f"{average}-F1"].measure(outputs, there) == pytest.approx(expected)
    recalls = sklearn.recall_score(there, answers, average=None)
    assert FIGURES["worst-class recall"].measure(outputs, there) == pytest.approx(min(recalls))
    expected = sklearn.average_precision_score(there, outputs, average="macro")
    assert FIGURES["mAP"].measure(outputs, there) == pytest.approx(expected)
    found = LABELS.metrics(outputs, there, ANY)["worst-class recall"]
    assert found.value == pytest.approx(min(recalls))


def test_labels_are_judged_where_they_are_there_or_answered():
    """Nobody has the first and nobody is told it; nobody has the second, but one is told it."""
    there = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    outputs = np.array([[-1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [-1.0, -1.0, -1.0]])
    found = LABELS.metrics(outputs, there, ANY)
    assert found["micro-F1"].value == pytest.approx(2 * 2 / (2 + 3))
    assert found["macro-F1"].value == pytest.approx((0 + 1) / 2)
    assert set(found) == {"mAP", "micro-F1", "macro-F1", "recall[2]", "worst-class recall"}
    assert found["mAP"].value == 1.0
    assert LABELS.left_out(there, 3).tolist() == [True, True, False]
    only_told = LABELS.metrics(outputs, 0 * there, ANY)
    assert {name: figure.value for name, figure in only_told.items()} == {
        "micro-F1": 0.0,
        "macro-F1": 0.0,
    }
    for name in FIGURES:
        assert FIGURES[name].measure(outputs, 0 * there) == 0.0


def test_a_perfect_answer_hides_as_much_as_each_label_may():
    """3 samples are behind the first label, there or answered, and 4 behind the second."""
    there = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 4 + [[0.0, 0.0]] * 3)
    of_groups = Sampling(0.95, np.arange(10))
    found = LABELS.metrics(2 * there - 1, there, of_groups)
    parts = mean(np.ones(10), share_figure("share", 2, (3, 4)), of_groups)
    for name in ("mAP", "macro-F1"):
        assert (found[name].value, found[name].high) == (1.0, 1.0)
        assert found[name].low == pytest.approx(parts.low)
    assert found["micro-F1"].low == pytest.approx(0.025 ** (1 / 10))


def test_the_same_share_of_labels_is_counted_by_sample():
    outputs, there = tagged(n=60)
    other = np.where(np.arange(60)[:, None] < 20, -outputs, outputs)
    found = LABELS.fidelity(other, outputs, there, tuple("abcd"), ANY)
    same = mean(np.arange(60) >= 20, share_figure("mean share of labels"), ANY)
    assert found.agreement == same
    assert found.worst_class == max(found.classes, key=lambda one: one.drop.value).name
    assert (
        "label"
        in LABELS.fidelity(outputs, outputs, 0 * there, tuple("abcd"), ANY).worst_drop.missing
    )


def test_counts_are_whole_numbers():
    counts = LABELS.labels.counts(THERE.astype(np.float32), 2)
    assert (counts, {type(count) for count in counts}) == ((2, 2), {int})


def test_without_a_positive_the_score_is_named_and_missing():
    outputs, there = np.ones((5, 2)), np.zeros((5, 2))
    for found, what in (
        (LABELS.score(outputs, there, ANY), "mAP over labels"),
        (LABELS.drop(outputs, -outputs, there, ANY), "paired difference of mAP"),
    ):
        assert (found.value, found.n, found.unit, found.method) == (None, 0, "share", what)


def test_a_drop_of_map_ends_at_its_bounds():
    there = np.array([[1.0], [1.0], [0.0], [0.0], [0.0]])
    found = LABELS.drop(there, -there, there, Sampling(0.999))
    assert found.value == pytest.approx(1 - 2 / 5)
    assert found.high == 1.0
    back = LABELS.drop(-there, there, there, Sampling(0.999))
    assert (back.low, back.value) == (-1.0, -found.value)
