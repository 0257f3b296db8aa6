"""The bundled demo shows what the tool is for: each part of it pays."""

import numpy as np
import pytest
from edgestill.pipeline.build import build
from edgestill.pipeline.data import moved_digits
from edgestill.pipeline.recipe.files import bundled, load


def test_the_digits_of_a_split_are_in_no_other_and_few_of_train_have_a_label():
    arrays = moved_digits.read()
    digits = {s: set(arrays[f"group_{s}"]) for s in ("train", "validation", "calibration", "test")}
    assert sum(map(len, digits.values())) == len(set().union(*digits.values())) == 1797
    labelled = arrays["y_train"] >= 0
    assert (labelled.sum(), (~labelled).sum()) == (300, 1800)
    assert len(np.unique(arrays["y_train"][labelled])) == 10
    assert (arrays["y_test"] >= 0).all()
    assert arrays["x_train"].shape == (2100, 12, 12)
    assert arrays["x_train"].dtype == np.uint8


def test_the_same_digits_are_made_every_time():
    one, other = moved_digits.read(), moved_digits.read()
    assert all((one[key] == other[key]).all() for key in one)


@pytest.mark.slow
def test_every_part_of_the_demo_pays(tmp_path):
    built = build(bundled("demo"), artifacts=tmp_path)
    report = built.report
    assert (report.verdict.outcome, report.verdict.ship) == ("ready", "int8-static")
    gain = report.quality.gain.difference
    assert gain.low > 0.05  # five points, more than the seed decides
    missed = {
        variant.name: [check.key for check in variant.checks if check.outcome == "not ready"]
        for variant in report.verdict.variants
    }
    assert missed == {"fp32": ["max_size_kib"], "int8-static": []}
    assert report.data.unlabelled == 1800


def test_the_demo_is_what_a_build_without_a_recipe_builds():
    assert load(bundled("demo")).data.source == "moved-digits"
