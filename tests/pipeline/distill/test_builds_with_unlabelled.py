"""Builds on data of which many samples have no label: the student that learns without them."""

import shutil

import numpy as np
import pytest
from edgestill.pipeline.build import build, plan
from small_builds import points, recipe

pytestmark = pytest.mark.slow

SHORT = ("teacher.epochs=2", "distill.epochs=2")
LABELLED, ALL = 180, 420
"""Of a source; test, validation and calibration are 0.55 of the labelled samples."""


@pytest.fixture
def half_labelled(tmp_path, monkeypatch):
    """A folder with a recipe, and a source whose last samples have no label."""
    monkeypatch.chdir(tmp_path)
    x, y = points(ALL)
    y[LABELLED:] = -1
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return tmp_path


def planned(folder, *overrides):
    return [
        step.stage for step in plan(recipe(folder, *SHORT, *overrides), folder / "artifacts")
    ].count("student")


def test_a_build_trains_a_student_on_the_answers_to_labelled_samples_alone(half_labelled):
    folder = half_labelled
    read = recipe(folder, *SHORT, "distill.seeds=2")
    assert planned(folder, "distill.seeds=2") == 6
    stages = []
    done = build(
        read, artifacts=folder / "artifacts", planned=lambda names, _: stages.extend(names)
    )
    report = done.report
    assert report.data.unlabelled == ALL - LABELLED
    trained = (report.students, report.plain_students, report.labelled_students)
    assert [len(students) for students in trained] == [2, 2, 2]
    assert [one.seed for one in report.labelled_students] == [0, 1]
    assert all(one.distilled for one in report.labelled_students)
    assert len({one.weights_sha256 for students in trained for one in students}) == 6
    train = report.data.samples("train")
    steps = [
        len(students[0].curve) * (samples // 16)
        for students, samples in zip(trained, (train + ALL - LABELLED, train, train), strict=True)
    ]
    assert max(steps) - min(steps) <= train // 16 / 2
    gain = report.quality.gain
    assert len(gain.labelled_score) == 2
    apart = np.subtract(gain.distilled_score, gain.labelled_score)
    assert gain.by_unlabelled.value == pytest.approx(apart.mean())
    assert (done.run / "records" / "labelled_students.json").is_file()
    # Nothing is left to do, with the store and without: the run is found again.
    assert planned(folder, "distill.seeds=2") == 6
    assert build(read, artifacts=folder / "artifacts").run == done.run
    shutil.rmtree(folder / "artifacts" / "store")
    again = build(read, artifacts=folder / "artifacts")
    assert (again.run, again.ran) == (done.run, ())


def test_it_is_left_out_where_the_recipe_says_so_or_every_sample_has_a_label(half_labelled):
    folder = half_labelled
    off = ("distill.labelled_control=false",)
    assert planned(folder, *off) == 2
    done = build(recipe(folder, *SHORT, *off), artifacts=folder / "artifacts")
    assert done.report.labelled_students == ()
    assert (done.report.quality.gain.labelled_score, done.report.quality.gain.by_unlabelled) == (
        (),
        None,
    )
    x, y = points(LABELLED)
    np.savez(folder / "data.npz", x=x, y=y)
    assert planned(folder) == 2
    np.savez(folder / "more.npz", x=points(ALL)[0][LABELLED:])
    assert planned(folder, f"data.unlabelled=npz:{folder / 'more.npz'}") == 3
