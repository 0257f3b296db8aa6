"""Every figure with an interval says what it is, its unit, and what it rests on."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.sampling import Sampling
from task_samples import SAMPLES

NAMES = tuple("abcde")
BETTING = ", or by betting (Waudby-Smith & Ramdas 2024) where that end is nearer"
FIGURES = {
    "classification": {
        "accuracy": ("accuracy", "share"),
        "balanced accuracy": ("balanced accuracy", "share"),
        "macro-F1": ("macro-F1", "share"),
        "recall[0]": ("recall", "share"),
        "recall[4]": ("recall", "share"),
    },
    "multi-label": {
        "mAP": ("mAP over labels", "share"),
        "micro-F1": ("micro-F1", "share"),
        "macro-F1": ("macro-F1", "share"),
        "recall[3]": ("recall", "share"),
    },
    "regression": {
        "RMSE": ("RMSE", "label unit"),
        "MAE": ("mean |error|", "label unit"),
        "R²": ("R²", ""),
        "RMSE[2]": ("RMSE", "label unit"),
        "MAE[2]": ("mean |error|", "label unit"),
        "R²[2]": ("R²", ""),
    },
    "embedding": {
        "cosine": ("mean cosine to the teacher", ""),
        "recall@1": ("recall@1", "share"),
    },
}
DROPS = {
    "classification": ("paired difference", "share"),
    "multi-label": ("paired difference of mAP", "share"),
    "regression": ("paired difference of R²", ""),
    "embedding": ("mean paired difference of cosine", ""),
}
KL = ("mean KL(teacher‖student) at temperature 1", "nats")
LOST = {
    "classification": {"": ("agreement", "share"), "KL(teacher‖student)": KL},
    "multi-label": {"": ("mean share of labels", "share"), "KL(teacher‖student)": KL},
    "regression": {
        "": ("agreement", "share"),
        "correlation": ("Pearson correlation with the teacher", ""),
        "mean |difference|": (
            "mean |difference| in deviations of the truth",
            "label deviations",
        ),
    },
    "embedding": {"": ("recall@1", "share"), "recall@1": ("recall@1", "share")},
}


def sample(task):
    outputs, truth = SAMPLES[task](n=120)
    return outputs, truth, Sampling(0.95, np.arange(120) % 40)


def check(figure, what, unit, groups=40):
    told = f"{what}, 95 % interval by jackknife over {groups} groups"
    assert figure.method.removesuffix(BETTING) == told
    assert (figure.unit, figure.kind) == (unit, "measured")
    assert (figure.n, figure.missing) == (groups, None)
    assert figure.low < figure.value < figure.high


@pytest.mark.parametrize("task", FIGURES)
def test_of_a_task(task):
    outputs, truth, sampling = sample(task)
    found = of(task).metrics(outputs, truth, sampling)
    for name, told in FIGURES[task].items():
        groups = 40
        if name.startswith("recall["):
            of_class = int(name[7:-1])
            its = truth == of_class if truth.ndim == 1 else truth[:, of_class] > 0
            groups = len(np.unique(sampling.groups[its]))
        check(found[name], *told, groups)
    check(of(task).score(outputs, truth, sampling), *FIGURES[task][of(task).metric.name])


@pytest.mark.parametrize("task", DROPS)
def test_of_a_drop(task):
    outputs, truth, sampling = sample(task)
    worse = outputs + outputs.std(0) * np.random.default_rng(1).standard_normal(outputs.shape)
    check(of(task).drop(outputs, worse, truth, sampling), *DROPS[task])
    back = of(task).drop(worse, outputs, truth, sampling)
    assert back.value < 0.0
    assert back.value == pytest.approx(-of(task).drop(outputs, worse, truth, sampling).value)


@pytest.mark.parametrize("task", LOST)
def test_of_what_a_student_lost(task):
    outputs, truth, sampling = sample(task)
    teacher = truth if task == "embedding" else outputs
    noise = 0.05 if task == "regression" else 0.6
    near = teacher + noise * teacher.std(0) * np.random.default_rng(1).standard_normal(
        teacher.shape
    )
    found = of(task).fidelity(near, teacher, truth, NAMES[: outputs.shape[1]], sampling)
    assert (found.task, found.samples) == (task, 120)
    for name, told in LOST[task].items():
        check(found.figures[name] if name else found.agreement, *told)
    assert (found.teacher_calibration is None) == (task != "classification")
    assert (found.student_calibration is None) == (task != "classification")
    assert (found.changed is None) == (task in ("regression", "embedding"))


@pytest.mark.parametrize("task", ["regression", "embedding"])
def test_without_classes_none_is_the_worst(task):
    outputs, truth, sampling = sample(task)
    found = of(task).fidelity(outputs, outputs, truth, NAMES, sampling)
    assert (found.classes, found.worst_class) == ((), None)
    assert found.worst_drop.value is None
    assert found.worst_drop.missing.endswith("has no classes")
