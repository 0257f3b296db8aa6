"""What a search runs of a build, and what it leaves alone."""

import tiny
from edgestill.pipeline.build import flow
from edgestill.pipeline.engine.compute import Compute
from edgestill.pipeline.engine.flow import Planner
from edgestill.pipeline.engine.store import Store
from edgestill.pipeline.outside import outside
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.search.trials import Trials, _short

LIKE_A_SEARCH = (
    "benchmark.processes=5",
    "benchmark.max_seconds=0",
    "benchmark.operators=false",
    "benchmark.footprint=false",
)


def test_what_a_search_chose_by_is_measured_again_for_the_verdict(tmp_path):
    recipe = load(tiny.write(tmp_path), LIKE_A_SEARCH)
    assert _short(recipe) == recipe

    def keys(split):
        planner = Planner(Store(tmp_path / "artifacts", asks=True), Compute(1))
        flow(recipe, outside(recipe), planner, split=split)
        return {step.stage: step.key for step in planner.steps}

    searched, judged = keys("validation"), keys("test")
    assert searched["variants"] == judged["variants"]
    assert searched["benchmark"] != judged["benchmark"]
    assert searched["verify"] != judged["verify"]


def test_a_candidate_has_no_files_whose_figures_are_those_of_another(tmp_path):
    recipe = load(tiny.write(tmp_path), ["benchmark.processes=1", "compress.variants=['fp32']"])
    assert "ort" in recipe.export.formats
    trials = Trials(tmp_path / "artifacts", Silent())
    measured = trials.resources(recipe, recipe.student)
    assert [one.name for one in measured.benchmark.models] == ["fp32"]
    assert list((tmp_path / "artifacts" / "store").glob("*/*.onnx"))
    assert not list((tmp_path / "artifacts" / "store").glob("*/*.ort"))
