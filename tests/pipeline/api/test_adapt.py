"""``edgestill adapt``: the student of a run on other data, beside one from random weights."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import edgestill
import numpy as np
import pytest
import small_builds
from edgestill.errors import DataError, MaterialError, ModelError, RecipeError
from edgestill.pipeline.api import adapt as adapting
from edgestill.pipeline.build import build, plan
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.runs.run import STUDENT, differences
from safetensors.numpy import load_file

CENTRES = np.random.default_rng(5).standard_normal((4, 6)) * 2.0


def other(number=240):
    """Four other clouds in the same six dimensions."""
    y = np.arange(number) % 4
    noise = np.random.default_rng(2).standard_normal((number, 6))
    return (CENTRES[y] + noise).astype(np.float32), y


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A finished run: three clouds, a perceptron with two hidden layers."""
    folder = tmp_path_factory.mktemp("first")
    x, y = small_builds.points()
    np.savez(folder / "data.npz", x=x, y=y)
    done = small_builds.build(folder, "student.model=mlp2", "gate.min_accuracy=0.5", "license=MIT")
    return done.run


@pytest.fixture(scope="module")
def adapted(first):
    """The same student on four other clouds."""
    return edgestill.adapt(
        first,
        other(),
        samples=True,
        steps=True,
        artifacts=first.parents[2],
        overrides={"distill.seeds": 2, "gate.min_accuracy": 0.5},
        progress=False,
    )


def test_the_public_name_is_this_function():
    assert edgestill.adapt.__wrapped__ is adapting.adapt


def test_a_run_keeps_the_weights_of_its_student(first):
    report = json.loads((first / "report.json").read_text())
    weights = load_file(first / "records" / STUDENT)
    numbers = sum(array.size for name, array in weights.items() if name.startswith("backbone."))
    assert numbers == report["variants"]["student"]["parameters"]


def test_an_adapted_run_is_whole_and_judged(adapted):
    assert differences(adapted.path) == []
    assert adapted.verdict.outcome == "ready", adapted.verdict.why
    assert adapted.report.data.classes == 4
    assert all(row.score.value > 0.5 for row in adapted.models)
    parity = adapted.report.quality.variants[0].parity
    assert parity
    assert all(one.holds for one in parity)
    assert adapted.files


def test_the_file_that_ships_answers_with_the_new_classes(adapted):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(adapted.file()))
    x, y = other()
    (logits,) = session.run(None, {session.get_inputs()[0].name: x})
    assert logits.shape == (240, 4)
    assert (logits.argmax(1) == y).mean() > 0.7


def test_the_same_student_from_random_weights_stands_beside_it(adapted):
    made = adapted.report.adaptation
    students = adapted.report.students
    assert [one.seed for one in made.scratch] == [one.seed for one in students] == [0, 1]
    assert all(one.start is None for one in made.scratch)
    assert all(one.start.tune == "whole" for one in students)
    # One schedule, one grid of steps.
    for one, start in zip(made.scratch, students, strict=True):
        # The other has a last layer that was fitted before the first step.
        assert [0, *(s.step for s in one.steps)] == [s.step for s in start.steps]
        assert start.start.head_samples == adapted.report.data.samples("train")
        assert len(one.curve) == len(start.curve)
    assert made.total_steps == students[0].steps[-1].step


def test_steps_to_the_score_are_those_of_the_curves(adapted):
    made = adapted.report.adaptation
    for reached, scratch, student in zip(
        made.reached, made.scratch, adapted.report.students, strict=True
    ):
        assert reached.target == max(epoch.validation_score for epoch in scratch.curve)
        before = student.start.head_steps
        scores = {before + one.step: one.score for one in student.steps}
        if reached.steps in scores:
            assert scores[reached.steps] >= reached.target
        early = [score for step, score in scores.items() if step < (reached.steps or 10**9)]
        assert all(score < reached.target for score in early)


def test_fewer_samples_are_a_part_of_all_in_as_many_steps(adapted):
    made = adapted.report.adaptation
    assert [one.share for one in made.fewer] == [0.0625, 0.25]
    labelled = adapted.report.data.samples("train")
    # A share of one batch at least.
    assert [one.samples for one in made.fewer] == [16, round(0.25 * labelled)]


def test_complete_schedules_of_its_own_are_shares_of_the_epochs(adapted):
    made = adapted.report.adaptation
    per_epoch = made.total_steps // len(adapted.report.students[0].curve)
    assert [one.share for one in made.shorter] == [0.05, 0.1, 0.2]
    # Of eight epochs; one at the least. The fit of the last layer counts as a third of one.
    before = math.ceil(adapted.report.data.samples("train") / made.batch_size / 3)
    assert [one.steps - before for one in made.shorter] == [per_epoch, per_epoch, 2 * per_epoch]
    assert f"this counts as {before} steps" in (adapted.path / "report.html").read_text()
    assert made.shorter[0].validation_scores == made.shorter[1].validation_scores
    for one in made.shorter:
        pairs = zip(one.validation_scores, made.reached, strict=True)
        assert one.reaches == sum(score >= reached.target for score, reached in pairs)
        assert len(one.test_scores) == 2
        lost = [a - b for a, b in zip(one.test_scores, made.scratch_score, strict=True)]
        assert one.difference.value == pytest.approx(sum(lost) / 2)
    assert "complete schedule" in (adapted.path / "report.html").read_text()


def test_there_is_no_teacher_and_no_figure_of_one(adapted):
    report = adapted.report
    assert report.teachers == ()
    assert report.targets is None
    assert report.quality.gain is None
    drop = report.quality.variants[0].drop_vs_teacher
    assert (drop.value, drop.missing) == (None, "there is no teacher")
    page = (adapted.path / "report.html").read_text()
    markdown = (adapted.path / "report.md").read_text()
    for text in (page, markdown):
        assert "Adaptation" in text
        assert "from random weights" in text
        assert "lost to the teacher" not in text
        assert "Against the teacher" not in text
    assert "Steps to the same score" in page


def test_the_new_recipe_builds_the_same_run_and_does_nothing(adapted):
    artifacts = adapted.path.parents[2]
    recipe = load(adapted.path / "recipe.toml")
    assert all(step.cached for step in plan(recipe, artifacts))
    again = build(recipe, artifacts=artifacts)
    assert (again.run, again.ran) == (adapted.path, ())


def test_it_keeps_the_normalization_and_the_budgets_of_the_device(first, adapted):
    before = json.loads((first / "report.json").read_text())
    assert list(adapted.report.data.mean) == before["data"]["mean"]
    assert list(adapted.report.data.std) == before["data"]["std"]
    gate = adapted.report.recipe["gate"]
    assert gate["max_size_kib"] == 1000
    assert gate["min_accuracy"] == 0.5  # told, not the run's
    assert adapted.report.recipe["license"] == "MIT"


@pytest.mark.slow
def test_a_frozen_student_moves_nothing_but_its_last_layer(first):
    run = edgestill.adapt(
        first,
        other(),
        mode="frozen",
        name="probe",
        artifacts=first.parents[2],
        overrides={"student.scratch": False},
        progress=False,
    )
    assert run.report.adaptation is None
    before = load_file(first / "records" / STUDENT)
    after = load_file(run.path / "records" / STUDENT)
    head = run.report.variants.student.start.head
    moved = {name for name in after if not np.array_equal(after[name], before.get(name))}
    assert moved == {f"backbone.{head}.weight", f"backbone.{head}.bias"}
    assert (
        run.report.variants.student.start.trained_parameters
        < run.report.variants.student.parameters
    )


@pytest.mark.slow
def test_a_teacher_may_be_named_and_its_answers_are_learned(first):
    run = edgestill.adapt(
        first,
        other(),
        name="taught",
        artifacts=first.parents[2],
        overrides=[
            "teacher.model=mlp1", "teacher.epochs=6", "teacher.batch_size=16", "distill.epochs=4"
        ],
        progress=False,
    )  # fmt: skip
    report = run.report
    assert [one.start is None for one in report.plain_students] == [False]
    assert report.quality.gain is not None
    assert report.adaptation.scratch[0].distilled
    assert report.quality.variants[0].drop_vs_teacher.value is not None


def test_samples_that_the_student_does_not_take_are_refused(first):
    x, y = other()
    bytes_ = ((x - x.min()) * 10.0).astype(np.uint8)
    for data, found in ((bytes_, "of 6 uint8"), (x[:, :5], "of 5 float32")):
        with pytest.raises(DataError, match=found) as caught:
            edgestill.adapt(first, (data, y), artifacts=first.parents[2], progress=False)
        assert "the student of small takes" in caught.value.expected


def test_a_share_of_samples_beside_a_teacher_is_refused(first):
    for key in ("sample_shares", "step_shares"):
        with pytest.raises(RecipeError, match=f"weights and scratch = true beside {key}"):
            edgestill.adapt(
                first, other(), overrides={f"student.{key}": [0.5], "student.scratch": False},
                artifacts=first.parents[2], progress=False,
            )  # fmt: skip
    with pytest.raises(RecipeError, match="sample_shares and a teacher"):
        edgestill.adapt(
            first, other(), samples=True, overrides=["teacher.model=mlp1"],
            artifacts=first.parents[2], progress=False,
        )  # fmt: skip


def test_a_run_whose_weights_are_gone_says_how_to_get_them(first, tmp_path):
    copy = tmp_path / "alone"
    shutil.copytree(first, copy)
    (copy / "records" / STUDENT).unlink()
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"][f"records/{STUDENT}"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(MaterialError, match="no student in the store") as caught:
        edgestill.adapt(copy, other(), artifacts=tmp_path / "artifacts", progress=False)
    assert "edgestill build" in caught.value.fix


def test_a_run_of_before_weights_were_kept_is_adapted_from_its_store(first):
    folder = first.parents[2]
    copy = first.with_name("2020-01-01T00-00-00-000000Z")
    shutil.copytree(first, copy)
    try:
        (copy / "records" / STUDENT).unlink()
        manifest = json.loads((copy / "manifest.json").read_text())
        del manifest["files"][f"records/{STUDENT}"]
        (copy / "manifest.json").write_text(json.dumps(manifest))
        run = edgestill.adapt(
            copy, other(), artifacts=folder, progress=False,
            overrides={"distill.seeds": 2, "gate.min_accuracy": 0.5, "student.scratch": False},
        )  # fmt: skip
    finally:
        shutil.rmtree(copy)
    assert run.report.variants.student.start.weights_sha256


@pytest.mark.slow
def test_a_function_of_the_users_gets_the_new_number_of_outputs(here):
    x, y = small_builds.points()
    np.savez(here / "data.npz", x=x, y=y)
    done = small_builds.build(here, "student.model=nets:make")
    run = edgestill.adapt(done.run, other(), artifacts=here / "artifacts", progress=False)
    assert run.report.recipe["student"]["arguments"] == {"outputs": 4}
    assert run.report.variants.student.start.head == "last"
    both = small_builds.NETS.replace("def make(hidden=8,", "def make(hidden=8, like_outputs=3,")
    (here / "nets.py").write_text(both)
    with pytest.raises(ModelError, match="float32 \\[2, 3\\]"):
        edgestill.adapt(done.run, other(), name="two", artifacts=here / "artifacts", progress=False)


@pytest.mark.slow
def test_the_command_plans_and_says_what_it_found(first, tmp_path):
    x, y = other()
    np.savez(tmp_path / "new.npz", x=x, y=y)
    (tmp_path / "more.toml").write_text("[distill]\nepochs = 3\n[gate]\nmin_accuracy = 0.2\n")

    def command(*more):
        return subprocess.run(
            [
                sys.executable, "-m", "edgestill", "adapt", str(first), "--data", "npz:new.npz",
                "--recipe", "more.toml", "--artifacts", str(tmp_path / "a"), *more,
            ],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip

    planned = command("--plan", "--json")
    stages = [step["stage"] for step in json.loads(planned.stdout)]
    assert stages == ["data", "student", "student", "variants", "adaptation", "verify", "benchmark"]
    assert "min_accuracy" in planned.stderr
    done = command()
    assert done.returncode == 0, done.stderr
    assert "adapted: " in done.stdout
    report = json.loads(next(Path(tmp_path, "a").glob("runs/*/2*/report.json")).read_text())
    assert report["recipe"]["distill"]["epochs"] == 3
    assert report["name"] == "small-adapted"
    again = command()
    assert "nothing was run" in again.stderr
