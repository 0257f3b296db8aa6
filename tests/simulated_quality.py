"""Test sets whose truth is known, and how often a verdict about them says READY.

    false_ready(CASES["accuracy"], samples=100, trials=1000)     # {'ready': 3, 'undecided': 997}

Eight variants are exactly at the budget, so that every READY is false. Their answers go through the
tasks' figures, at the confidence of the verdict, and through the gate. All numbers here are this
file's own: what a variant truly scores is a formula, or the figure of a million samples.
"""

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable

import numpy as np
import report_example
from edgestill.pipeline.judge import promise
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.judge.quality import Reference, agreement
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.sampling import Sampling
from sklearn import metrics as sklearn

VARIANTS = 8
PROMISED = 0.01
"""Of all verdicts: how many may be READY though no variant is inside the budget."""
_MANY = 1_000_000


@dataclasses.dataclass(frozen=True)
class Drawn:
    """One test set.

    Attributes:
        truth: labels, or the teacher's vectors.
        outputs: of each variant.
        reference: outputs that a drop or an agreement is measured against.
        groups: of each sample; None without.
    """

    truth: np.ndarray
    outputs: list[np.ndarray]
    reference: np.ndarray | None = None
    groups: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Case:
    """One figure whose truth is known.

    Attributes:
        task: its task.
        figure: ``score``, ``drop``, ``agreement``, ``worst drop``, or the name of a metric.
        draw: ``(random, samples, groups, variants)``: a test set of that many samples.
        true: the figure of all samples there could be; ``(grouped)``.
        at_most: whether the figure must be at most its budget.
    """

    task: str
    figure: str
    draw: Callable[..., Drawn]
    true: Callable[[bool], float]
    at_most: bool = False


def false_ready(case, samples, trials, *, groups=None, seed=0):
    """How many verdicts are READY, where none should be, by outcome.

    Args:
        case: what is judged.
        samples: of a test set.
        trials: how many test sets.
        groups: how many groups the samples are of; None: independent samples.
        seed: of all test sets.
    """
    budget, found = case.true(groups is not None), Counter()
    for trial in range(trials):
        drawn = case.draw(np.random.default_rng([seed, trial]), samples, groups, VARIANTS)
        figures = [_figure(case, drawn, outputs) for outputs in drawn.outputs]
        found[_verdict(case, figures, budget)] += 1
    return dict(found)


def _figure(case, drawn, outputs):
    sampling = Sampling(promise.confidence(VARIANTS), drawn.groups)
    task = of(case.task)
    reference = Reference(
        _records().data, task, drawn.truth, drawn.reference, drawn.reference, sampling
    )
    if case.figure == "score":
        return reference.score(outputs)
    if case.figure == "drop":
        return task.drop(drawn.reference, outputs, drawn.truth, sampling)
    if case.figure == "agreement":
        return agreement(outputs, reference)
    if case.figure == "worst drop":
        names = [str(i) for i in range(outputs.shape[1])]
        return task.compare(outputs, drawn.reference, drawn.truth, names, sampling).worst_drop
    if case.figure == "labels kept":
        names = [str(i) for i in range(outputs.shape[1])]
        return task.compare(outputs, drawn.reference, drawn.truth, names, sampling).agreement
    return task.metrics(outputs, drawn.truth, sampling)[case.figure]


@dataclasses.dataclass(frozen=True)
class _Records:
    data: object
    quality: object
    variants: list
    measured: object


@functools.cache
def _records():
    """Of a run whose variants are called v0, v1, …"""
    report = report_example.report()
    quality, model = report.quality.variants[0], report.measured.benchmark.models[0]
    named = [f"v{i}" for i in range(VARIANTS)]
    models = tuple(dataclasses.replace(model, name=name) for name in named)
    benchmark = dataclasses.replace(report.measured.benchmark, models=models, ratios=())
    measured = report.measured.model_copy(update={"benchmark": benchmark})
    variants = [quality.model_copy(update={"name": name}) for name in named]
    return _Records(report.data, report.quality, variants, measured)


def _verdict(case, figures, budget):
    """The gate's, where the figures stand in the place of a score, or of a drop if at most."""
    records = _records()
    field = "drop_vs_fp32" if case.at_most else "score"
    gate = Gate(max_drop_vs_fp32=budget) if case.at_most else Gate(min_score=budget)
    pairs = zip(records.variants, figures, strict=True)
    variants = tuple(one.model_copy(update={field: figure}) for one, figure in pairs)
    quality = records.quality.model_copy(update={"variants": variants})
    return judge(gate, quality, records.measured).outcome


# --- what groups share --------------------------------------------------------------------------


def _members(random, samples, groups):
    """The group of each sample: sizes that differ by up to three times."""
    if groups is None:
        return None
    weights = random.uniform(1.0, 3.0, groups)
    extra = random.choice(groups, samples - 2 * groups, p=weights / weights.sum())
    return np.concatenate([np.repeat(np.arange(groups), 2), extra])


def _rates(random, mean, members, variants, samples):
    """The chance of each sample, [variants, samples], whose mean over groups is exactly ``mean``.

    Half of a group's chance is shared by all variants, for some groups are hard for every model.
    """
    if members is None:
        return np.full((variants, samples), mean)
    count, like = members.max() + 1, 20.0
    shared = random.beta(mean * like, (1.0 - mean) * like, count)
    own = random.beta(mean * like, (1.0 - mean) * like, (variants, count))
    return ((shared + own) / 2.0)[:, members]


def _shifts(random, deviation, members, variants, samples):
    """What a group adds to each of its samples, half of its variance shared by all variants."""
    if members is None:
        return np.zeros((variants, samples))
    count = members.max() + 1
    shared, own = random.standard_normal(count), random.standard_normal((variants, count))
    return deviation * ((shared + own) / np.sqrt(2.0))[:, members]


# --- classes ------------------------------------------------------------------------------------

RECALLS = np.array([0.95, 0.75])
SHARES = np.array([0.8, 0.2])


def _one_hot(answers, classes):
    return np.eye(classes)[answers]


def _two_classes(random, samples, groups, variants):
    """Recall 0.95 of four fifths of the samples, 0.75 of the rest."""
    members = _members(random, samples, groups)
    labels = (random.random(samples) < SHARES[1]).astype(int)
    labels[:4] = [0, 0, 1, 1]
    rates = [_rates(random, recall, members, variants, samples) for recall in RECALLS]
    right = random.random((variants, samples)) < np.where(labels == 0, *rates)
    outputs = [_one_hot(np.where(one, labels, 1 - labels), 2) for one in right]
    return Drawn(labels, outputs, groups=members)


def _even_accuracy(random, samples, groups, variants):
    members = _members(random, samples, groups)
    labels = random.integers(0, 3, samples)
    right = random.random((variants, samples)) < _rates(random, 0.9, members, variants, samples)
    outputs = [_one_hot(np.where(one, labels, (labels + 1) % 3), 3) for one in right]
    return Drawn(labels, outputs, groups=members)


def _with_reference(random, samples, groups, variants):
    """A reference right on 90 %; a variant loses a share of those and wins a tenth of the rest.

    0.9 · 1 / 30 - 0.1 · 0.1 = 0.02 are lost; 1 - 0.9 / 30 - 0.1 · 0.1 = 0.96 are kept.
    """
    members = _members(random, samples, groups)
    labels = random.integers(0, 3, samples)
    before = np.where(random.random(samples) < 0.9, labels, (labels + 1) % 3)
    lost = random.random((variants, samples)) < _rates(random, 1 / 30, members, variants, samples)
    won = random.random((variants, samples)) < 0.1
    right = np.where(before == labels, ~lost, won)
    answers = np.where(right, labels, np.where(before == labels, (labels + 2) % 3, before))
    return Drawn(labels, [_one_hot(one, 3) for one in answers], _one_hot(before, 3), members)


def _worst_class(random, samples, groups, variants):
    """The first of four classes loses a tenth of its recall, the others nothing."""
    members = _members(random, samples, groups)
    labels = np.arange(samples) % 4
    random.shuffle(labels)
    rates = np.where(labels == 0, _rates(random, 0.1, members, variants, samples), 0.0)
    lost = random.random((variants, samples)) < rates
    outputs = [_one_hot(np.where(one, (labels + 1) % 4, labels), 4) for one in lost]
    return Drawn(labels, outputs, _one_hot(labels, 4), members)


def _macro_f1(_grouped):
    cells = SHARES[:, None] * np.array([[RECALLS[0], 1 - RECALLS[0]], [1 - RECALLS[1], RECALLS[1]]])
    return float(np.mean(2 * np.diag(cells) / (cells.sum(0) + cells.sum(1))))


# --- labels -------------------------------------------------------------------------------------


def _labels(random, samples, groups, variants, labels=3):
    """A quarter of the samples has each label, and scores 1.5 deviations more where it has."""
    members = _members(random, samples, groups)
    holds = random.random((samples, labels)) < 0.25
    holds[:2], holds[2:4] = True, False
    shift = _shifts(random, 0.5, members, variants, samples)[:, :, None]
    noise = random.standard_normal((variants, samples, labels))
    outputs = 1.5 * holds - 0.75 + shift + noise
    reference = 1.5 * holds - 0.75 + random.standard_normal((samples, labels))
    return Drawn(holds.astype(np.float32), list(outputs), reference, members)


@functools.cache
def _many_labels(grouped):
    """One variant's outputs of many samples, each of a group of its own, and its labels."""
    random = np.random.default_rng(7)
    holds = random.random((_MANY, 2)) < 0.25
    shift = 0.5 * random.standard_normal((_MANY, 1)) if grouped else 0.0
    outputs = 1.5 * holds - 0.75 + shift + random.standard_normal((_MANY, 2))
    reference = 1.5 * holds - 0.75 + random.standard_normal((_MANY, 2))
    return holds, outputs, reference


def _true_map(grouped):
    holds, outputs, _ = _many_labels(grouped)
    return float(sklearn.average_precision_score(holds.ravel(), outputs.ravel()))


def _true_f1(grouped):
    holds, outputs, _ = _many_labels(grouped)
    return float(sklearn.f1_score(holds.ravel(), outputs.ravel() > 0))


def _true_kept(grouped):
    _, outputs, reference = _many_labels(grouped)
    return float(((outputs > 0) == (reference > 0)).mean())


def _noisier_labels(random, samples, groups, variants):
    """Variants that add noise to a reference: what their mAP loses."""
    drawn = _labels(random, samples, groups, 1)
    before = drawn.outputs[0]
    noise = random.standard_normal((variants, *before.shape))
    return Drawn(drawn.truth, list(before + 0.5 * noise), before, drawn.groups)


@functools.cache
def _true_map_drop(grouped):
    holds, outputs, _ = _many_labels(grouped)
    worse = outputs + 0.5 * np.random.default_rng(8).standard_normal(outputs.shape)
    after = sklearn.average_precision_score(holds.ravel(), worse.ravel())
    return _true_map(grouped) - float(after)


# --- numbers ------------------------------------------------------------------------------------


def _numbers(random, samples, groups, variants, errors="normal"):
    """Errors of deviation 0.5, and those of a group share a bias of deviation 0.3."""
    members = _members(random, samples, groups)
    truth = random.standard_normal((samples, 1))
    shape = (variants, samples)
    error = (
        random.standard_normal(shape) if errors == "normal" else random.laplace(0, 0.5**0.5, shape)
    )
    error = 0.5 * error + _shifts(random, 0.3, members, variants, samples)
    return Drawn(truth, list(truth + error[:, :, None]), groups=members)


def _mean_square(grouped):
    return 0.25 + (0.09 if grouped else 0.0)


def _true_mae(grouped):
    return float(np.sqrt(_mean_square(grouped) * 2.0 / np.pi))


def _moved_numbers(random, samples, groups, variants):
    """Variants whose errors are those of a reference and more: R² falls by 0.2² = 0.04."""
    members = _members(random, samples, groups)
    truth = random.standard_normal((samples, 1))
    before = truth + 0.5 * random.standard_normal((samples, 1))
    more = 0.2 * random.standard_normal((variants, samples))
    if members is not None:
        more = _shifts(random, 0.2, members, variants, samples)
    return Drawn(truth, list(before + more[:, :, None]), before, members)


# --- vectors ------------------------------------------------------------------------------------


def _vectors(random, samples, groups, variants, width=8):
    members = _members(random, samples, groups)
    teacher = random.standard_normal((samples, width))
    noise = 0.5 * random.standard_normal((variants, samples, width))
    noise = noise * np.exp(_shifts(random, 0.3, members, variants, samples))[:, :, None]
    reference = teacher + 0.25 * random.standard_normal((samples, width))
    return Drawn(teacher, list(reference + noise), reference, members)


@functools.cache
def _cosines(grouped):
    """Of many variants and of the reference to the teacher."""
    random = np.random.default_rng(9)
    many = _MANY // 4
    teacher, noise, other = (random.standard_normal((many, 8)) for _ in range(3))
    size = np.exp(0.3 * random.standard_normal((many, 1))) if grouped else 1.0
    reference = teacher + 0.25 * other
    return [
        float(sklearn.pairwise.paired_cosine_distances(teacher, one).mean())
        for one in (reference + 0.5 * size * noise, reference)
    ]


CASES = {
    "accuracy": Case("classification", "score", _even_accuracy, lambda _: 0.9),
    "accuracy drop": Case("classification", "drop", _with_reference, lambda _: 0.02, True),
    "agreement": Case("classification", "agreement", _with_reference, lambda _: 0.96),
    "worst-class drop": Case("classification", "worst drop", _worst_class, lambda _: 0.1, True),
    "balanced accuracy": Case("classification", "balanced accuracy", _two_classes, lambda _: 0.85),
    "macro-F1": Case("classification", "macro-F1", _two_classes, _macro_f1),
    "worst-class recall": Case(
        "classification", "worst-class recall", _two_classes, lambda _: 0.75
    ),
    "mAP": Case("multi-label", "score", _labels, _true_map),
    "mAP drop": Case("multi-label", "drop", _noisier_labels, _true_map_drop, True),
    "micro-F1": Case("multi-label", "micro-F1", _labels, _true_f1),
    "macro-F1 of labels": Case("multi-label", "macro-F1", _labels, _true_f1),
    "labels kept": Case("multi-label", "labels kept", _labels, _true_kept),
    "R²": Case("regression", "score", _numbers, lambda g: 1.0 - _mean_square(g)),
    "R² drop": Case("regression", "drop", _moved_numbers, lambda _: 0.04, True),
    "RMSE": Case("regression", "RMSE", _numbers, lambda g: _mean_square(g) ** 0.5, True),
    "RMSE, Laplace errors": Case(
        "regression",
        "RMSE",
        functools.partial(_numbers, errors="laplace"),
        lambda g: _mean_square(g) ** 0.5,
        True,
    ),
    "MAE": Case("regression", "MAE", _numbers, _true_mae, True),
    "cosine": Case("embedding", "score", _vectors, lambda g: 1.0 - _cosines(g)[0]),
    "cosine drop": Case(
        "embedding", "drop", _vectors, lambda g: _cosines(g)[0] - _cosines(g)[1], True
    ),
}
