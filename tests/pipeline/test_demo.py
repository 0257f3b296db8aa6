"""The bundled demo shows what the tool is for: each part of it pays."""

import pytest
from edgestill.pipeline.build import build
from edgestill.pipeline.recipe.files import bundled, load


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
