"""What a search runs of a build, and what it leaves alone."""

import pytest
import tiny
from edgestill.errors import DataError
from edgestill.pipeline.build import flow
from edgestill.pipeline.engine.compute import Compute
from edgestill.pipeline.engine.flow import Planner
from edgestill.pipeline.engine.remote import Cluster
from edgestill.pipeline.engine.store import Store
from edgestill.pipeline.outside import outside
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.search import trials as module
from edgestill.pipeline.search.trials import Trials, _short
from fake_executor import FakeExecutor

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


def test_a_file_of_which_only_size_has_a_budget_is_not_run_and_has_the_size_it_will_have(tmp_path):
    text = ["gate={ min_accuracy = 0.1, max_size_kib = 100 }", "student.width=8"]
    recipe = load(tiny.write(tmp_path), text)
    trials = Trials(tmp_path / "artifacts", Silent())
    before = trials.resources(recipe, recipe.student).benchmark.models
    assert "benchmark" not in trials.ran
    assert all(one.p50_ms.value is None for one in before)
    assert "no budget is one of time" in before[0].p50_ms.missing
    small = recipe.gate.model_copy(update={"max_p50_ms": 5.0, "max_size_kib": 0.5})
    trials.resources(recipe.model_copy(update={"gate": small}), recipe.student)
    assert "benchmark" not in trials.ran
    _, measured = trials.on_validation(recipe)
    after = measured.benchmark.models
    assert [one.name for one in after] == [one.name for one in before]
    for one, other in zip(after, before, strict=True):
        assert one.file_bytes == pytest.approx(other.file_bytes, rel=0.01)


def test_data_are_read_once_for_all_candidates(tmp_path, monkeypatch):
    recipe = load(tiny.write(tmp_path))
    read = []
    monkeypatch.setattr(module, "outside", lambda recipe: read.append(recipe) or outside(recipe))
    trials = Trials(tmp_path / "artifacts", Silent())
    trials.data(recipe)
    trials.costs(recipe, (recipe.student,))
    trials.data(recipe.model_copy(update={"threads": 1}))
    assert len(read) == 1


def widths(folder):
    """Two recipes that differ in their student alone."""
    return [load(tiny.write(folder), [f"student.width={width}"]) for width in (4, 8)]


def test_on_several_workers_what_will_be_asked_for_is_begun_together(tmp_path):
    recipes = widths(tmp_path)
    executor = FakeExecutor(nodes=("one", "two"))
    with Cluster(executor, None) as cluster:
        trials = Trials(tmp_path / "artifacts", Silent(), runner=cluster)
        trials.ahead(recipes, "short training", 0.5)
        assert trials.ran == []
        first = trials.short_training(recipes[0], 0.5)
        assert executor.most == 2
        assert [name for name, *_ in executor.submitted].count("student") == 2
        second = trials.short_training(recipes[1], 0.5)
        assert [name for name, *_ in executor.submitted].count("student") == 2
    assert (first.width, second.width) == (4, 8)
    alone = Trials(tmp_path / "alone", Silent())
    again = alone.short_training(recipes[1], 0.5)
    assert (again.parameters, again.validation_score) == (
        second.parameters,
        second.validation_score,
    )


def test_what_begins_and_fails_is_told_when_it_is_asked_for(tmp_path):
    recipe = load(tiny.write(tmp_path), ["distill.batch_size=60000"])
    with Cluster(FakeExecutor(), None) as cluster:
        trials = Trials(tmp_path / "artifacts", Silent(), runner=cluster)
        trials.ahead([recipe], "validation")
        with pytest.raises(DataError):
            trials.on_validation(recipe)


def test_on_one_worker_nothing_begins_before_it_is_asked_for(tmp_path):
    trials = Trials(tmp_path / "artifacts", Silent())
    trials.ahead(widths(tmp_path), "resources")
    assert trials.ran == []
    assert not list((tmp_path / "artifacts" / "store").glob("*"))
