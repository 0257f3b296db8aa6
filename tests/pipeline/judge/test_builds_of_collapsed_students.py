"""Builds whose student learned nothing, or nothing of one class, by the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_builds import RECIPE

pytestmark = pytest.mark.slow


def command(*arguments):
    """``edgestill …`` as a user runs it, in a terminal of 80 columns."""
    line = [sys.executable, "-m", "edgestill", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def write(folder, x, names, *changes):
    """A data set, and a recipe with some lines of the small one exchanged."""
    np.savez(folder / "data.npz", x=x.astype(np.float32), y=names)
    text = RECIPE
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / "recipe.toml").write_text(text)
    return folder / "recipe.toml"


def lungs(number=1500):
    """Nine of ten samples are of one class, and both can be told apart."""
    random = np.random.default_rng(0)
    sick = random.random(number) < 0.9
    x = random.standard_normal((number, 8)) + 1.6 * sick[:, None] * (np.arange(8) < 4)
    return x, np.array(["NORMAL", "PNEUMONIA"])[sick.astype(int)]


CONSTANT = (
    ("width = 8\n", "width = 1\n"),
    ("epochs = 8\nbatch_size = 16\nlearning_rate = 0.05", "epochs = 1\nlearning_rate = 0.00001"),
    ("max_size_kib = 1000", "max_size_kib = 1000\nmin_accuracy = 0.85"),
)


def test_a_student_that_always_answers_the_frequent_class_does_not_ship(tmp_path):
    recipe = write(tmp_path, *lungs(), *CONSTANT, ("threads = 1", "threads = 1\nseed = 1"))
    artifacts = tmp_path / "artifacts"
    done = command("build", recipe, "--artifacts", artifacts)
    assert done.returncode == 1, done.stdout + done.stderr
    text = " ".join(done.stdout.split())
    gained = "accuracy gained over the best constant answer"
    assert text.startswith(f"NOT READY: {gained} is not above 0 points; 1 more missed")
    assert "no better in accuracy than always answering 'PNEUMONIA' (90.2 %)" in text
    first = text.index("budgets of fp32")
    assert text.index("class 'NORMAL' (") < first
    assert text.index("is never found warning: skewed data: ") < first
    assert "above 0 points 0.0 points exact missed" in text  # no figure is cut at 80 columns
    document = json.loads(command("build", recipe, "--artifacts", artifacts, "--json").stdout)
    report = document["report"]
    (fp32,) = report["verdict"]["variants"]
    checks = {check["key"]: check for check in fp32["checks"]}
    assert checks["min_accuracy"]["outcome"] == "ready", "the budget itself is met"
    assert checks["above_constant.min_accuracy"]["outcome"] == "not ready"
    again = command("gate", document["run"], "--set", "gate.min_accuracy=0.5")
    assert again.returncode == 1, again.stdout


def test_a_run_is_judged_again_by_balanced_accuracy_and_by_the_recall_of_one_class(tmp_path):
    recipe = write(tmp_path, *lungs())
    built = command("build", recipe, "--artifacts", tmp_path / "artifacts", "--json")
    run = json.loads(built.stdout)["run"]
    assert built.returncode == 0, built.stderr
    for budget, code, says in (
        ("gate.min_balanced_accuracy=0.6", 0, "balanced accuracy"),
        ("gate.min_balanced_accuracy=0.999", 1, "fails min_balanced_accuracy"),
        ("gate.min_recall.NORMAL=0.3", 0, "recall of 'NORMAL'"),
        ("gate.min_recall.NORMAL=0.999", None, "min_recall.NORMAL"),
        ("gate.min_recall.NORMALL=0.3", 2, "did you mean 'NORMAL'?"),
        ("gate.max_rmse=1", 2, "min_balanced_accuracy"),
    ):
        judged = command("gate", run, "--set", budget)
        assert judged.returncode == code or (code is None and judged.returncode in (1, 5)), budget
        assert says in " ".join((judged.stdout + judged.stderr).split())


def test_a_class_that_is_never_found_is_the_first_warning(tmp_path):
    """Eight kinds of news; the rarest lies where the most frequent does."""
    random = np.random.default_rng(0)
    names = np.array(["earn", "acq", "crude", "trade", "money", "interest", "ship", "grain"])
    y = np.repeat(np.arange(8), [500, 300, 120, 120, 100, 100, 60, 30])
    centres = 2.0 * random.standard_normal((8, 12))
    centres[7] = centres[0]
    recipe = write(tmp_path, centres[y] + random.standard_normal((len(y), 12)), names[y])
    done = command("build", recipe, "--artifacts", tmp_path / "artifacts")
    text = " ".join(done.stdout.split())
    assert "warning: fp32: class 'grain' (9 test samples) is never found" in text
    assert text.index("'grain' (9 test samples)") < text.index("budgets of")
    guarded = command(
        "build", recipe, "--artifacts", tmp_path / "artifacts", "--set",
        "gate.min_worst_class_recall=0.3",
    )  # fmt: skip
    assert guarded.returncode in (1, 5)
    assert "min_worst_class_recall" in guarded.stdout


def test_weighted_classes_choose_epochs_by_balanced_accuracy_in_every_training(tmp_path):
    recipe = write(tmp_path, *lungs(), ("width = 8\n", "width = 32\n"))
    weights = ["--set", "teacher.class_weights=true", "--set", "distill.class_weights=true"]
    more = ["--set", 'compress.variants=["fp32", "pruned"]', "--set", "compress.prune_epochs=2"]
    done = command(
        "build", recipe, "--artifacts", tmp_path / "artifacts", "--json", *weights, *more
    )
    report = json.loads(done.stdout)["report"]
    trained = [*report["teachers"], *report["students"], *report["plain_students"]]
    trained += report["variants"]["tuned"]
    assert len(trained) == 4
    assert {model["selected_by"] for model in trained} == {"balanced accuracy"}
    run = json.loads(done.stdout)["run"]
    assert "balanced accuracy" in (Path(run) / "report.md").read_text().split("## Training")[1]
