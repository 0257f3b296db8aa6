"""A new task is one object and two names: a toy that counts goes from recipe to verdict and report.

It gives three numbers for one label: quantiles of the count, of which the median is the answer.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import DataError, RecipeError
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.preflight import fits
from edgestill.pipeline.recipe import task_names
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.records import Fidelity
from edgestill.pipeline.tasks import TASKS, number_labels
from edgestill.pipeline.tasks.jackknife import Figure, mean
from edgestill.pipeline.tasks.labels import Labels
from edgestill.pipeline.tasks.proportions import paired_difference, share
from edgestill.pipeline.tasks.task import Metric, Task

# --- the one file of the task -------------------------------------------------------------------


def _read(labels, names, where):
    for split, y in labels.items():
        if (y < 0).any() or (y != np.floor(y)).any():
            raise DataError(found=f"labels of {split}", expected="counts, 0, 1, 2, …", where=where)
    return number_labels.read(labels, names, where, flat=True)


def _counts(outputs):
    return np.rint(outputs[:, 1])


def _close(outputs, truth):
    return np.abs(_counts(outputs) - truth.reshape(len(truth))) <= 1


def _score(outputs, truth, sampling):
    return share(_close(outputs, truth), sampling)


def _share(outputs, truth):
    return float(_close(outputs, truth).mean())


def _error(outputs, truth):
    return float(np.abs(_counts(outputs) - truth.reshape(len(truth))).mean())


def _medians(truth):
    return np.full((len(truth), 3), np.median(truth))


def _fidelity(student, teacher, truth, names, sampling):
    same = _counts(student) == _counts(teacher)
    return Fidelity(
        task="count",
        samples=len(student),
        agreement=share(same, sampling),
        figures={},
        teacher_calibration=None,
        student_calibration=None,
        classes=(),
        worst_class=None,
        worst_drop=Estimate.unknown("a count has no classes"),
        changed=None,
    )


def _pinball(data, schedule):
    """Koenker & Bassett 1978: below a quantile an error weighs 1 - q, above it q."""
    import torch

    levels = torch.tensor([0.1, 0.5, 0.9])

    def loss(outputs, y):
        error = y - outputs
        return torch.maximum(levels * error, (levels - 1.0) * error).mean(1)

    return loss


COUNT = Task(
    name="count",
    labels=Labels(one_column=False, text="number", in_window="last", read=_read),
    outputs=lambda data: 3 * len(data.labels),
    output_noun=("count", "counts"),
    hard_loss=_pinball,
    soft_losses={"mse": "mse"},
    reported=(
        Metric("within one", "share", value=_share, constant=_medians),
        Metric("MAE", "label unit", higher_is_better=False, value=_error),
    ),
    score=_score,
    drop=lambda a, b, truth, how: paired_difference(_close(a, truth), _close(b, truth), how),
    metrics=lambda outputs, truth, how: {
        "within one": _score(outputs, truth, how),
        "MAE": mean(np.abs(_counts(outputs) - truth.reshape(len(truth))), Figure("MAE"), how),
    },
    answers_differ=lambda a, b, truth: _counts(a) != _counts(b),
    constant_answer=lambda truth, names: "always answering the median",
    fidelity=_fidelity,
    agreement_title="Same count as the teacher",
    fidelity_figures={},
)


@pytest.fixture
def registered(monkeypatch):
    """The two places besides the file: the table of the tasks, and their names in a recipe."""
    monkeypatch.setitem(TASKS, "count", COUNT)
    monkeypatch.setattr(task_names, "TASKS", [*task_names.TASKS, "count"])


# --- what it then can do ------------------------------------------------------------------------

RECIPE = """
name = "counting"
threads = 1
[data]
source = "npz:data.npz"
task = "count"
test = 0.3
[teacher]
model = "mlp1"
width = 16
epochs = 8
batch_size = 16
learning_rate = 0.02
[student]
model = "mlp1"
width = 8
[distill]
losses = { mse = 1.0 }
alpha = 0.5
epochs = 8
batch_size = 16
learning_rate = 0.05
[compress]
variants = ["fp32"]
[benchmark]
processes = 1
operators = false
footprint = false
seconds = 0.001
min_queries = 1
max_queries = 4
[gate]
min_within_one = 0.4
max_mae = 3.0
max_size_kib = 1000
"""


@pytest.fixture
def recipe(tmp_path):
    random = np.random.default_rng(0)
    x = random.standard_normal((400, 4)).astype(np.float32)
    rate = np.exp(1.0 + x @ [0.9, -0.6, 0.3, 0.0])
    np.savez(tmp_path / "data.npz", x=x, y=np.rint(rate))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path / "recipe.toml"


@pytest.mark.slow
def test_a_registered_task_is_built_judged_and_reported(recipe, registered, tmp_path):
    done = pipeline.build(recipe, artifacts=tmp_path / "artifacts")
    report = done.report
    assert report.verdict.outcome == "ready", report.verdict.why
    assert report.quality.metric == "within one"
    fp32 = report.quality.variants[0]
    assert fp32.score.value > 0.6
    assert fp32.score.low < fp32.score.value < fp32.score.high
    assert fp32.metrics["MAE"].value < 2.0
    assert fp32.fidelity.agreement.value > 0.3
    assert report.quality.gain is not None
    assert report.students[0].outputs == report.teachers[0].outputs == 3
    page = (done.run / "report.md").read_text()
    assert "within one" in page.lower()
    assert "MAE" in page
    checks = {check.key: check for check in report.verdict.variants[0].checks}
    assert checks["max_mae"].figure == fp32.metrics["MAE"]
    assert checks["min_within_one"].figure == fp32.score
    assert checks["above_constant.min_within_one"].outcome == "ready"
    assert report.students[0].selected_by == "within one"
    assert "Same count as the teacher" in page
    assert "count, 1 count" in page
    record = json.loads((done.run / "report.json").read_text())
    assert record["data"]["task"] == "count"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("distill.losses={ kd = 1.0 }", "'mse' for the task 'count'"),
        ("teacher.class_weights=true", "class_weights for count"),
    ],
)
def test_what_it_does_not_have_is_refused_before_a_training(recipe, registered, setting, words):
    read = load(recipe, [setting])
    data = pipeline.build(load(recipe), artifacts=recipe.parent / "artifacts", until="data")
    with pytest.raises(RecipeError, match=words):
        fits(read, data.stopped.record)


def test_its_labels_are_checked_by_itself(recipe, registered):
    np.savez(recipe.parent / "data.npz", x=np.eye(40, dtype=np.float32), y=np.full(40, 0.5))
    with pytest.raises(DataError, match="counts, 0, 1, 2"):
        pipeline.build(recipe, artifacts=recipe.parent / "artifacts", until="data")


def test_the_tasks_are_known_without_torch():
    code = "import sys; import edgestill.pipeline.tasks; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def test_a_task_that_is_not_registered_is_refused_with_the_names(recipe):
    with pytest.raises(RecipeError, match="'embedding', 'class-logits' or 'label-logits'"):
        load(recipe)


def test_a_misspelt_task_is_refused_with_the_nearest_name(recipe):
    with pytest.raises(RecipeError, match=r"data\.task.*did you mean 'classification'\?"):
        load(recipe, ["data.task=clasification"])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("gate.min_accuracy=0.5", "count does not have, expected one of min_within_one, max_mae"),
        ("gate.max_mea=0.5", "did you mean 'max_mae'"),
        ("gate.min_mae=0.5", "did you mean 'max_mae'"),
        ("data.select_by=accuracy", "a metric of count: within one, MAE"),
    ],
)
def test_a_metric_it_does_not_have_is_refused_before_any_data_is_read(
    recipe, registered, setting, words
):
    (recipe.parent / "data.npz").unlink()
    with pytest.raises(RecipeError, match=words):
        pipeline.build(load(recipe, [setting]), artifacts=recipe.parent / "artifacts")


def test_any_of_its_metrics_chooses_epochs(recipe, registered, tmp_path):
    made = pipeline.build(
        load(recipe, ["data.select_by=MAE"]), artifacts=tmp_path / "artifacts", until="teacher"
    )
    found = made.stopped.record
    assert found.selected_by == "MAE"
    assert found.validation_score == min(epoch.validation_score for epoch in found.curve)
    assert found.validation_score > 0.0
