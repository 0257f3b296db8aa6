"""What answers are worth: against scikit-learn, direct formulas and simulated coverage."""

import tracemalloc

import numpy as np
import pytest
from edgestill.pipeline.recipe import task_names
from edgestill.pipeline.tasks import TASKS, blocks, of, regression, vectors
from edgestill.pipeline.tasks.average_precision import average_precision
from edgestill.pipeline.tasks.constant import value_of_constant
from edgestill.pipeline.tasks.sampling import Sampling
from sklearn import metrics as sklearn
from task_samples import SAMPLES, classified, embedded, numbered, tagged

ANY = Sampling(0.95)
CLASSES, LABELS, NUMBERS, VECTORS = (
    of(task) for task in ("classification", "multi-label", "regression", "embedding")
)


def best_constant(task, truth):
    return value_of_constant(task.metric, truth)


def values(figures):
    return {name: figure.value for name, figure in figures.items()}


def test_every_task_of_a_recipe_has_its_metrics():
    assert list(TASKS) == task_names.TASKS
    assert all(task.name == name for name, task in TASKS.items())
    of_labels, of_teacher = ["accuracy", "mAP", "R²"], ["top-1 agreement", "mAP to the teacher"]
    assert [of(t).metric.name for t in SAMPLES] == [*of_labels, "cosine", *of_teacher]


def test_classification_is_scored_as_scikit_learn_scores_it():
    logits, labels = classified()
    answers = logits.argmax(1)
    found = values(CLASSES.metrics(logits, labels, ANY))
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(labels, answers))
    assert found["balanced accuracy"] == pytest.approx(
        sklearn.balanced_accuracy_score(labels, answers)
    )
    assert found["macro-F1"] == pytest.approx(sklearn.f1_score(labels, answers, average="macro"))
    recalls = sklearn.recall_score(labels, answers, average=None)
    assert [found[f"recall[{i}]"] for i in range(5)] == pytest.approx(recalls)


def test_a_class_that_is_not_in_test_has_no_recall_and_does_not_count():
    logits, labels = classified()
    labels = np.where(labels == 3, 2, labels)
    logits[:, 3] = -100.0
    found = values(CLASSES.metrics(logits, labels, ANY))
    assert "recall[3]" not in found
    answers = logits.argmax(1)
    assert found["macro-F1"] == pytest.approx(sklearn.f1_score(labels, answers, average="macro"))
    assert found["balanced accuracy"] == pytest.approx(
        sklearn.balanced_accuracy_score(labels, answers)
    )


def test_accuracy_has_an_exact_interval_and_its_drop_is_paired():
    logits, labels = classified()
    score = CLASSES.score(logits, labels, ANY)
    assert score.value == CLASSES.selection(logits, labels)
    assert "Clopper & Pearson" in score.method
    worse = logits.copy()
    worse[:10] = -np.eye(5)[labels[:10]]
    drop = CLASSES.drop(logits, worse, labels, ANY)
    assert drop.value == pytest.approx((logits.argmax(1) == labels)[:10].sum() / 300)
    assert "Tango" in drop.method


@pytest.mark.parametrize("digits", [6, 1, 0])
def test_map_is_scikit_learns_with_ties_and_without(digits):
    outputs, holds = tagged(labels=6)
    outputs, holds[:, 2] = outputs.round(digits), 0.0
    seen = [0, 1, 3, 4, 5]
    expected = sklearn.average_precision_score(holds[:, seen], outputs[:, seen], average="macro")
    assert LABELS.selection(outputs, holds) == pytest.approx(expected)
    assert LABELS.metrics(outputs, holds, ANY)["mAP"].value == pytest.approx(expected)


def test_average_precision_under_weights_is_that_of_repeated_samples():
    outputs, holds = tagged(n=60, labels=1)
    scores, there = outputs[:, 0].round(1), holds[:, 0] > 0
    weights = np.random.default_rng(1).integers(0, 4, (20, 60))
    found = average_precision(scores, there)(weights.astype(float))
    for value, row in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(60), row)
        expected = sklearn.average_precision_score(there[rows], scores[rows])
        assert value == pytest.approx(expected)
    assert np.isnan(average_precision(scores, there)((~there)[None].astype(float)))[0]


def test_labels_are_scored_as_scikit_learn_scores_them():
    outputs, holds = tagged()
    found, answers = values(LABELS.metrics(outputs, holds, ANY)), outputs > 0
    for average in ("micro", "macro"):
        expected = sklearn.f1_score(holds, answers, average=average)
        assert found[f"{average}-F1"] == pytest.approx(expected)
    recalls = sklearn.recall_score(holds, answers, average=None)
    assert [found[f"recall[{i}]"] for i in range(4)] == pytest.approx(recalls)


def test_a_label_that_nobody_has_and_nobody_is_told_to_have_does_not_count():
    outputs, holds = tagged()
    holds[:, 1], outputs[:, 1] = 0.0, -1.0
    found = values(LABELS.metrics(outputs, holds, ANY))
    assert "recall[1]" not in found
    expected = sklearn.f1_score(holds, outputs > 0, average="macro", zero_division=np.nan)
    assert found["macro-F1"] == pytest.approx(expected)


def test_without_any_positive_there_is_no_map():
    outputs, holds = np.full((5, 2), -1.0), np.zeros((5, 2))
    assert LABELS.score(outputs, holds, ANY).missing == "no label has a positive sample"
    assert LABELS.drop(outputs, outputs, holds, ANY).value is None
    assert LABELS.metrics(outputs, holds, ANY) == {}
    assert LABELS.selection(outputs, holds) == best_constant(LABELS, holds) == 0.0


def test_the_interval_of_map_covers_it():
    everything = tagged(n=100_000, labels=1, seed=1)
    true = sklearn.average_precision_score(everything[1][:, 0], everything[0][:, 0])
    found = [LABELS.score(*tagged(n=150, labels=3, seed=seed), ANY) for seed in range(2, 102)]
    covered = np.mean([one.low <= true <= one.high for one in found])
    assert covered >= 0.88


def test_the_drop_of_map_tells_a_worse_ranking_and_pairs_it():
    outputs, holds = tagged(n=400)
    noise = np.random.default_rng(3).standard_normal(outputs.shape)
    worse = outputs + noise
    drop, score = LABELS.drop(outputs, worse, holds, ANY), LABELS.score(outputs, holds, ANY)
    expected = LABELS.selection(outputs, holds) - LABELS.selection(worse, holds)
    assert drop.value == pytest.approx(expected)
    assert 0.0 < drop.low < drop.value < drop.high
    near = LABELS.drop(outputs, outputs + 0.05 * noise, holds, ANY)
    assert near.high - near.low < 0.2 * (score.high - score.low)


def test_a_perfect_ranking_is_no_proof_of_perfection():
    holds = np.repeat(np.eye(2), 20, axis=0)
    found = LABELS.score(holds, holds, ANY)
    assert (found.value, found.high) == (1.0, 1.0)
    # Each label may hide 1 - 0.025 ** (1 / 20) of its positives.
    assert found.low == pytest.approx(1.0 - 0.168434 / 2**0.5, abs=1e-6)
    drop = LABELS.drop(holds, 2.0 * holds, holds, ANY)
    # All 40 samples are behind a difference.
    assert (drop.value, drop.high) == (0.0, pytest.approx(1.0 - 0.025 ** (1 / 40)))
    assert drop.low == -drop.high


def test_numbers_are_scored_as_scikit_learn_scores_them():
    outputs, truth = numbered()
    found = values(NUMBERS.metrics(outputs, truth, ANY))
    for name, scored in [
        ("RMSE", sklearn.root_mean_squared_error),
        ("MAE", sklearn.mean_absolute_error),
        ("R²", sklearn.r2_score),
    ]:
        assert found[name] == pytest.approx(scored(truth, outputs))
        each = scored(truth, outputs, multioutput="raw_values")
        assert [found[f"{name}[{i}]"] for i in range(3)] == pytest.approx(each)
    assert NUMBERS.selection(outputs, truth) == pytest.approx(found["R²"])
    assert NUMBERS.score(outputs, truth, ANY).value == pytest.approx(found["R²"])


def test_r2_of_sums_is_that_of_repeated_samples():
    outputs, truth = numbered(n=40)
    weights = np.random.default_rng(1).integers(0, 4, (10, 40))
    summed, figure = regression.explained(outputs, truth)
    found = figure(weights @ summed)
    for value, row in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(40), row)
        assert value == pytest.approx(sklearn.r2_score(truth[rows], outputs[rows]))


def test_one_number_may_come_flat():
    outputs, truth = numbered()
    flat = NUMBERS.score(outputs[:, :1], truth[:, 0], ANY)
    assert flat == NUMBERS.score(outputs[:, :1], truth[:, :1], ANY)
    assert NUMBERS.metrics(outputs[:, :1], truth[:, 0], ANY).keys() == {"RMSE", "MAE", "R²"}


def test_the_interval_of_r2_covers_it():
    covered = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        truth = random.standard_normal((120, 1))
        found = NUMBERS.score(truth + 0.5 * random.standard_normal((120, 1)), truth, ANY)
        covered.append(found.low <= 0.75 <= found.high)
    assert np.mean(covered) >= 0.88


def test_a_number_that_does_not_vary_has_no_r2():
    truth = np.full((50, 1), 0.1)
    assert truth.std() > 0.0  # by rounding
    outputs = truth + np.linspace(-1.0, 1.0, 50)[:, None]
    assert NUMBERS.score(outputs, truth, ANY).value is None
    assert "R²" not in NUMBERS.metrics(outputs, truth, ANY)
    assert NUMBERS.better(NUMBERS.selection(truth, truth), NUMBERS.selection(outputs, truth))


def test_always_answering_the_mean_explains_nothing():
    _, truth = numbered()
    score = NUMBERS.score(np.broadcast_to(truth.mean(0), truth.shape), truth, ANY)
    assert score.value == pytest.approx(0.0, abs=1e-9)
    assert best_constant(NUMBERS, truth) == 0.0


def test_cosine_is_its_formula_and_a_vector_of_no_length_is_like_none():
    outputs, teacher = embedded()
    outputs[0] = 0.0
    expected = [
        a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        for a, b in zip(outputs[1:], teacher[1:], strict=True)
    ]
    found = vectors.cosines(outputs, teacher)
    assert found == pytest.approx([0.0, *expected], abs=1e-6)
    assert VECTORS.score(outputs, teacher, ANY).value == pytest.approx(np.mean([0.0, *expected]))


def test_recall_at_1_is_the_share_whose_nearest_teacher_vector_is_their_own(monkeypatch):
    outputs, teacher = embedded(noise=2.0)
    near = sklearn.pairwise.cosine_similarity(outputs, teacher).argmax(1)
    assert (vectors.nearest(outputs, teacher) == near).all()
    expected = np.mean(near == np.arange(200))
    assert 0.1 < expected < 0.95
    assert VECTORS.metrics(outputs, teacher, ANY)["recall@1"].value == expected
    monkeypatch.setattr(blocks, "_CELLS", 1500)
    assert VECTORS.metrics(outputs, teacher, ANY)["recall@1"].value == expected


def test_samples_of_one_teacher_vector_are_not_held_against_the_student():
    _, teacher = embedded()
    teacher[1::2] = teacher[::2]
    assert vectors.own_is_nearest(teacher, teacher).all()
    assert not VECTORS.answers_differ(teacher, 3.0 * teacher, teacher).any()


def test_ten_thousand_vectors_are_compared_in_little_memory():
    _, teacher = embedded(n=4000, width=64)
    tracemalloc.start()
    VECTORS.metrics(teacher, teacher, ANY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The similarities of all to all would be 64 MB.
    assert peak < 20e6


def test_identical_vectors_have_cosine_one_and_lose_nothing():
    _, teacher = embedded()
    score, drop = VECTORS.score(teacher, teacher, ANY), VECTORS.drop(teacher, teacher, teacher, ANY)
    assert score.value == pytest.approx(1.0)
    assert 0.9 < score.low < 1.0
    assert drop.value == 0.0
    assert drop.low < 0.0 < drop.high


@pytest.mark.parametrize("task", SAMPLES)
def test_an_answer_does_not_differ_from_itself_nor_lose_to_itself(task):
    outputs, truth = SAMPLES[task]()
    assert not of(task).answers_differ(outputs, outputs, truth).any()
    drop = of(task).drop(outputs, outputs, truth, ANY)
    assert drop.value == 0.0
    assert drop.low is None or drop.low <= 0.0 <= drop.high


def test_the_samples_whose_answers_changed_are_found():
    logits, labels = classified()
    changed = logits.copy()
    changed[7] = -logits[7]
    assert np.flatnonzero(CLASSES.answers_differ(changed, logits, labels)).tolist() == [7]
    outputs, holds = tagged()
    moved = np.abs(outputs)
    expected = (outputs < 0).any(1)
    assert (LABELS.answers_differ(moved, outputs, holds) == expected).all()
    numbers, truth = numbered()
    shifted = numbers.copy()
    shifted[3, 1] += 0.11 * truth[:, 1].std()
    shifted[4, 2] += 0.09 * truth[:, 2].std()
    assert np.flatnonzero(NUMBERS.answers_differ(shifted, numbers, truth)).tolist() == [3]
    _, teacher = embedded()
    other = teacher.copy()
    other[5] = teacher[6]
    assert np.flatnonzero(VECTORS.answers_differ(other, teacher, teacher)).tolist() == [5]


def test_who_knows_nothing_scores_the_baseline():
    _, labels = classified()
    most = np.bincount(labels).argmax()
    always = np.broadcast_to(np.eye(5)[most], (300, 5))
    assert CLASSES.selection(always, labels) == best_constant(CLASSES, labels)
    _, holds = tagged()
    holds[:, 1] = 0.0
    assert LABELS.selection(np.zeros((300, 4)), holds) == pytest.approx(
        best_constant(LABELS, holds)
    )


@pytest.mark.parametrize("task", ["multi-label", "regression", "embedding"])
def test_one_sample_gives_no_interval(task):
    outputs, truth = SAMPLES[task](n=1, seed=3)
    truth = np.ones_like(truth) if task == "multi-label" else truth
    found = of(task).score(outputs, truth, ANY)
    assert found.low is None
    assert found.missing
    assert np.isfinite(of(task).selection(outputs, truth))
    assert all(np.isfinite(list(values(of(task).metrics(outputs, truth, ANY)).values())))


@pytest.mark.parametrize("task", SAMPLES)
def test_scores_are_higher_where_answers_are_better(task):
    outputs, truth = SAMPLES[task]()
    perfect = np.eye(5)[truth] if task == "classification" else truth
    judged = of(task)
    better, worse = judged.selection(perfect, truth), judged.selection(outputs, truth)
    assert judged.better(better, worse)
    assert not judged.better(worse, better)
    assert not judged.better(worse, worse)


@pytest.mark.parametrize("task", SAMPLES)
def test_answers_that_do_not_fit_the_truth_are_refused(task):
    outputs, truth = SAMPLES[task]()
    with pytest.raises(ValueError, match=r"outputs|shape"):
        of(task).score(outputs[:-1], truth, ANY)
    with pytest.raises(ValueError, match=r"outputs|shape"):
        of(task).selection(outputs[:0], truth[:0])
