"""What a student lost of its teacher: against direct formulas, by hand and by simulation."""

import math

import numpy as np
import pytest
from edgestill.pipeline.records import Fidelity
from edgestill.pipeline.tasks import blocks, classification, of
from edgestill.pipeline.tasks.calibration import calibration
from edgestill.pipeline.tasks.changed_answers import changes
from edgestill.pipeline.tasks.probabilities import binary_divergence, divergence
from edgestill.pipeline.tasks.proportions import paired_difference, proportion
from edgestill.pipeline.tasks.sampling import Sampling
from scipy import special, stats

NAMES = ("ant", "bee", "cat", "dog")


ANY = Sampling(0.95)


def compare(student, teacher, truth, names, task):
    return of(task).compare(student, teacher, truth, names, ANY)


def pair(n=400, classes=4, seed=0, *, noise=1.0):
    """Logits of a student and a teacher, and labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    teacher = random.standard_normal((n, classes)) + 3.0 * np.eye(classes)[labels]
    student = teacher + noise * random.standard_normal((n, classes))
    return student.astype(np.float32), teacher.astype(np.float32), labels


def tagged_pair(n=300, seed=0):
    random = np.random.default_rng(seed)
    holds = (random.random((n, 4)) < 0.3).astype(np.float32)
    teacher = random.standard_normal((n, 4)) + 4.0 * holds - 2.0
    return teacher + random.standard_normal((n, 4)), teacher, holds


def test_agreement_is_of_answers_whether_right_or_wrong():
    student, teacher, labels = pair()
    found = compare(student, teacher, labels, NAMES, "classification")
    same = int((student.argmax(1) == teacher.argmax(1)).sum())
    assert found.agreement == proportion(same, 400, 0.95)
    assert found.samples == 400


def test_the_divergence_is_the_formula():
    student, teacher, labels = pair()
    p, q = special.softmax(teacher.astype(float), 1), special.softmax(student.astype(float), 1)
    each = special.rel_entr(p, q).sum(1)
    assert divergence(student, teacher) == pytest.approx(each, abs=1e-12)
    kl = compare(student, teacher, labels, NAMES, "classification").figures["KL(teacher‖student)"]
    assert kl.value == pytest.approx(each.mean())
    # The interval is a little wider than Student's on 400 samples, and never below 0.
    half = stats.t.ppf(0.975, 399) * each.std(ddof=1) / math.sqrt(400)
    assert 2 * half < kl.high - kl.low < 2.5 * half
    assert 0.0 < kl.low < kl.value < kl.high


def test_the_divergence_stands_logits_of_any_size():
    huge = np.array([[1e4, -1e4], [0.0, 0.0]], np.float32)
    found = divergence(-huge, huge)
    assert found == pytest.approx([2e4, 0.0])
    assert binary_divergence(-huge, huge) == pytest.approx([1e4, 0.0])


def test_the_blocks_change_nothing(monkeypatch):
    student, teacher, labels = pair()
    whole = compare(student, teacher, labels, NAMES, "classification")
    monkeypatch.setattr(blocks, "_CELLS", 36)
    assert compare(student, teacher, labels, NAMES, "classification") == whole


def test_each_class_has_its_paired_drop_at_bonferronis_level():
    student, teacher, labels = pair()
    found = compare(student, teacher, labels, NAMES, "classification")
    for i, one in enumerate(found.classes):
        rows = labels == i
        t, s = (x[rows].argmax(1) == i for x in (teacher, student))
        assert (one.name, one.samples) == (NAMES[i], rows.sum())
        assert (one.teacher_recall, one.student_recall) == (t.mean(), s.mean())
        assert one.drop == paired_difference(t, s, Sampling(1 - 0.05 / 4))
    drops = [one.drop for one in found.classes]
    worst = found.worst_drop
    assert worst.value == max(drop.value for drop in drops)
    assert worst.low == max(drop.low for drop in drops)
    assert worst.value < worst.high < max(drop.high for drop in drops)
    assert found.worst_class == max(found.classes, key=lambda one: one.drop.value).name


def test_a_loss_of_one_class_alone_is_found():
    _, teacher, labels = pair()
    student = teacher.copy()
    student[labels == 2, 2] = -100.0
    found = compare(student, teacher, labels, NAMES, "classification")
    assert found.worst_class == "cat"
    assert found.worst_drop.low > 0.75
    assert found.agreement.value > 0.7


def test_a_class_that_test_lacks_may_have_lost_everything():
    student, teacher, labels = pair()
    labels = np.where(labels == 3, 1, labels)
    found = compare(student, teacher, labels, NAMES, "classification")
    lacking = found.classes[3]
    assert (lacking.samples, lacking.teacher_recall, lacking.drop.value) == (0, None, None)
    assert lacking.drop.missing == "test has no sample of 'dog'"
    # Three are tested, so three share the confidence.
    assert "98.3333 %" in found.classes[0].drop.method
    assert found.worst_drop.high == 1.0
    assert found.worst_drop.value == max(one.drop.value for one in found.classes[:3])


def test_the_drop_of_the_worst_class_is_covered():
    covered = []
    for seed in range(50):
        random = np.random.default_rng(seed)
        labels = np.repeat(np.arange(4), 60)
        chance = np.array([0.9, 0.9, 0.8, 0.8])[labels]
        kept = random.random(240) < chance
        teacher = np.eye(4)[labels]
        student = np.where(kept[:, None], teacher, np.roll(teacher, 1, axis=1))
        worst = compare(student, teacher, labels, NAMES, "classification").worst_drop
        covered.append(worst.low <= 0.2 <= worst.high)
    assert np.mean(covered) >= 0.95


def test_a_student_that_is_its_teacher_lost_nothing():
    _, teacher, labels = pair()
    found = compare(teacher, teacher, labels, NAMES, "classification")
    assert (found.agreement.value, found.agreement.high) == (1.0, 1.0)
    assert found.figures["KL(teacher‖student)"].value == 0.0
    assert found.figures["KL(teacher‖student)"].missing
    assert found.teacher_calibration == found.student_calibration
    assert found.worst_drop.value == 0.0
    assert found.worst_drop.low < 0.0 < found.worst_drop.high
    assert found.changed.model_dump() == {"lost": 0, "won": 0, "both_wrong": 0, "examples": ()}


def test_the_calibration_error_is_guos_in_bins_of_equal_count():
    logits, _, labels = pair(n=450)
    p = special.softmax(logits.astype(float), 1)
    order = np.argsort(p.max(1))
    confidence, right = p.max(1)[order], (p.argmax(1) == labels)[order]
    bins = zip(np.split(confidence, 15), np.split(right, 15), strict=True)
    expected = np.mean([abs(c.mean() - r.mean()) for c, r in bins])
    found = calibration(logits, labels)
    assert (found.error, found.bins) == (pytest.approx(expected), 15)
    assert found.overconfidence == pytest.approx(confidence.mean() - right.mean())


def test_a_calibrated_model_shows_the_error_of_chance():
    random = np.random.default_rng(1)
    logits = np.stack([3.0 * random.random(3000), np.zeros(3000)], axis=1)
    found = []
    for _ in range(60):
        labels = (random.random(3000) > special.softmax(logits, 1)[:, 0]).astype(int)
        found.append(calibration(logits, labels))
    assert np.mean([one.error for one in found]) == pytest.approx(found[0].by_chance, rel=0.1)
    assert np.mean([one.overconfidence for one in found]) == pytest.approx(0.0, abs=0.004)


def test_sharper_logits_are_too_sure_and_flatter_ones_too_unsure():
    logits, _, labels = pair()
    assert calibration(10.0 * logits, labels).overconfidence > 0.05
    assert calibration(0.1 * logits, labels).overconfidence < -0.05


def test_equal_confidences_share_a_bin_so_that_order_does_not_matter():
    labels = np.repeat([0, 1], [70, 30])
    constant = np.broadcast_to(np.log([0.7, 0.3]), (100, 2))
    found = calibration(constant, labels)
    assert (found.bins, found.error) == (1, pytest.approx(0.0, abs=1e-12))
    assert calibration(constant, labels[::-1]).error == pytest.approx(0.0, abs=1e-12)


def test_changed_answers_are_told_apart_by_who_was_right():
    labels = np.array([0, 0, 0, 0, 1])
    teacher = np.eye(4)[[0, 1, 1, 0, 1]]
    student = np.eye(4)[[1, 0, 2, 0, 1]]
    found = changes(student, teacher, labels, classification.DECISION)
    assert [rows.tolist() for rows in found[:3]] == [[0], [1], [2]]
    record = compare(student, teacher, labels, NAMES, "classification").changed
    assert (record.lost, record.won, record.both_wrong) == (1, 1, 1)
    assert [(e.sample, e.truth, e.reference, e.answer) for e in record.examples] == [
        (0, (0,), (0,), (1,)),
        (1, (0,), (1,), (0,)),
        (2, (0,), (1,), (2,)),
    ]


def test_the_margin_is_how_surely_both_disagree_and_the_largest_are_shown():
    student, teacher, labels = pair(noise=3.0)
    found = changes(student, teacher, labels, classification.DECISION)
    p, q = special.softmax(teacher.astype(float), 1), special.softmax(student.astype(float), 1)
    row = int(found.lost[0])
    t, s = teacher[row].argmax(), student[row].argmax()
    expected = (p[row, t] - p[row, s] + q[row, s] - q[row, t]) / 2
    assert found.margin[row] == pytest.approx(expected)
    differ = student.argmax(1) != teacher.argmax(1)
    assert ((found.margin > 0) == differ).all()
    shown = compare(student, teacher, labels, NAMES, "classification").changed.examples
    assert len(shown) == 12
    assert [e.margin for e in shown] == sorted(found.margin, reverse=True)[:12]


def test_labels_are_compared_one_by_one():
    student, teacher, holds = tagged_pair()
    found = compare(student, teacher, holds, NAMES, "multi-label")
    assert found.agreement.value == pytest.approx(((student > 0) == (teacher > 0)).mean())
    assert found.agreement.low < found.agreement.value < found.agreement.high
    p, q = special.expit(teacher), special.expit(student)
    kl = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    assert found.figures["KL(teacher‖student)"].value == pytest.approx(kl.mean())
    for i, one in enumerate(found.classes):
        rows = holds[:, i] > 0
        t, s = teacher[rows, i] > 0, student[rows, i] > 0
        assert one.samples == rows.sum()
        assert one.drop == paired_difference(t, s, Sampling(1 - 0.05 / 4))
    assert found.teacher_calibration is None
    changed = found.changed
    differ = ((student > 0) != (teacher > 0)).any(1)
    assert changed.lost + changed.won + changed.both_wrong == differ.sum()


def test_a_changed_sample_shows_all_labels_that_hold():
    holds = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    teacher = np.where(holds > 0, 2.0, -2.0)
    student = teacher.copy()
    student[0] = [-2.0, 1.0, 3.0]
    found = compare(student, teacher, holds, NAMES[:3], "multi-label").changed
    (shown,) = found.examples
    assert (found.lost, shown.sample) == (1, 0)
    assert (shown.truth, shown.reference, shown.answer) == ((0, 2), (0, 2), (1, 2))
    assert shown.margin == pytest.approx(special.expit(2.0) - special.expit(-2.0))


def test_numbers_are_compared_by_correlation_and_by_distance():
    random = np.random.default_rng(0)
    truth = random.standard_normal((300, 2)) * [1.0, 50.0] + [0.0, 1e4]
    teacher = truth + random.standard_normal((300, 2)) * [0.1, 5.0]
    student = teacher + random.standard_normal((300, 2)) * [0.2, 30.0]
    found = compare(student, teacher, truth, ("a", "b"), "regression")
    r = [stats.pearsonr(student[:, i], teacher[:, i])[0] for i in range(2)]
    assert found.figures["correlation"].value == pytest.approx(np.mean(r))
    assert found.figures["correlation"].low < np.mean(r) < found.figures["correlation"].high
    apart = np.abs(student - teacher) / truth.std(0)
    assert found.figures["mean |difference|"].value == pytest.approx(apart.mean())
    assert found.agreement == proportion(int((apart <= 0.1).all(1).sum()), 300, 0.95)
    assert found.changed is None
    assert found.worst_drop.missing == "a regression has no classes"


def test_a_student_that_says_always_the_same_follows_its_teacher_in_nothing():
    truth = np.random.default_rng(0).standard_normal((50, 2))
    student = np.stack([truth[:, 0], np.full(50, 1 / 3)], axis=1)
    found = compare(student, truth, truth, ("a", "b"), "regression")
    assert found.figures["correlation"].value == pytest.approx(0.5)
    flat = np.full((50, 2), 0.1)
    found = compare(student, flat, flat, ("a", "b"), "regression")
    assert found.figures["correlation"].value is None
    assert found.figures["mean |difference|"].missing == "no number of test varies"


def test_vectors_are_compared_by_cosine_and_by_neighbour():
    teacher = np.random.default_rng(0).standard_normal((50, 8))
    student = teacher.copy()
    student[3] = teacher[4]
    found = compare(student, teacher, None, (), "embedding")
    assert found.agreement == found.figures["recall@1"] == proportion(49, 50, 0.95)
    assert 0.9 < found.figures["cosine"].value < 1.0
    assert found.worst_drop.missing == "an embedding has no classes"


def test_one_sample_and_constant_answers_give_a_record():
    student, teacher, labels = pair(n=1)
    one = compare(student, teacher, labels, NAMES, "classification")
    assert one.figures["KL(teacher‖student)"].low is None
    assert one.worst_drop.high == 1.0
    student, teacher, labels = pair()
    constant = compare(np.zeros_like(teacher), teacher, labels, NAMES, "classification")
    assert constant.classes[0].student_recall == 1.0
    assert constant.worst_drop.low > 0.7
    assert constant.student_calibration.bins == 1
    outputs, _, holds = tagged_pair()
    none = compare(outputs, outputs, np.zeros_like(holds), NAMES, "multi-label")
    assert none.worst_class is None
    assert none.worst_drop.missing == "test has no sample of any label"


@pytest.mark.parametrize("task", ["classification", "multi-label", "regression", "embedding"])
def test_a_record_survives_json(task):
    student, teacher, truth = tagged_pair() if task != "classification" else pair()
    found = compare(student, teacher, truth, NAMES, task)
    assert Fidelity.model_validate_json(found.model_dump_json()) == found


def test_answers_that_do_not_fit_each_other_are_refused():
    student, teacher, labels = pair()
    for wrong in [
        (student[:-1], teacher, labels, NAMES),
        (student, teacher, labels[:-1], NAMES),
        (student, teacher, None, NAMES),
        (student, teacher, labels, NAMES[:-1]),
        (student[:0], teacher[:0], labels[:0], NAMES),
    ]:
        with pytest.raises(ValueError, match=r"student|samples|names"):
            compare(*wrong, "classification")
