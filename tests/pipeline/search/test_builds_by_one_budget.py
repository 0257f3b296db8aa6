"""Windows, texts and images, each by a budget of size, of latency or of the arena alone."""

import statistics

import pytest
import three_kinds
import toolchain_tools
from edgestill.pipeline.api.build import build
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.search.shortfalls import missed, of_resources
from edgestill.pipeline.search.trials import Trials

pytestmark = pytest.mark.slow

SIZES = {"windows": 40, "texts": 60, "images": 60}
"""KiB."""
ON_BOARD = {
    "windows": 'models = ["conv1d2"]\nwidths = [8, 16, 32]',
    "texts": 'models = ["dan1", "transformer1"]\nwidths = [16, 32, 64]',
    "images": 'models = ["resnet8"]\nwidths = [4, 8, 16]',
}
"""What a search chooses from where each candidate takes a conversion."""
TIMED = {
    "windows": 'models = ["conv1d2"]\nwidths = [8, 32, 128]',
    "texts": 'models = ["transformer1"]\nwidths = [32, 96, 256]',
    "images": 'models = ["resnet8"]\nwidths = [4, 16, 64]',
}
"""The same where latency has to tell them apart."""


def built(kind, folder, key, value, text):
    """A run, and the records of its candidates with the one that was chosen."""
    three_kinds.write(kind, folder)
    path = folder / "recipe.toml"
    path.write_text(f"{text}{key} = {value}\n")
    run = build(path, artifacts=folder / "artifacts", progress=False)
    candidates = run.report.search.candidates
    (chosen,) = [one for one in candidates if one.chosen]
    return run, candidates, chosen


def is_among_the_largest_that_fit(folder, candidates, chosen, key, value):
    """What was trained was measured and fits, and the next larger one of its kind does not."""
    assert chosen.measured
    assert chosen.fits
    assert chosen.figures[key].value <= value
    by_macs = sorted(candidates, key=lambda one: one.cost.macs)
    fitting = [one for one in by_macs if one.fits]
    assert chosen in fitting[-2:]
    assert all(one.short_score is not None for one in fitting[-2:])
    widest = [one for one in fitting if one.cost.model == chosen.cost.model][-1]
    larger = [one for one in by_macs if one.cost.model == chosen.cost.model]
    larger = larger[larger.index(widest) + 1 :]
    assert larger, "the budget leaves all candidates in: it tells nothing"
    recipe = load(folder / "recipe.toml")
    trials = Trials(folder / "artifacts", Silent())
    measured = trials.resources(recipe, larger[0].cost.architecture)
    files = of_resources(recipe.gate, measured)
    assert all(missed(checks) for checks in files.values())


def between(folder, figure_of):
    """A budget between the two largest students of the first model that the recipe names."""
    recipe = load(folder / "recipe.toml")
    trials = Trials(folder / "artifacts", Silent())
    found = []
    for width in recipe.search.widths[-2:]:
        student = Architecture(model=recipe.search.models[0], width=width)
        files = trials.resources(recipe, student).benchmark.models
        found.append(next(v for v in (figure_of(one).value for one in files) if v is not None))
    return round(statistics.geometric_mean(found), 4)


def shipped(run):
    """The verdict on the file that ships, and its path."""
    assert run.outcome == "ready", run.report.verdict.why
    (judged,) = [one for one in run.report.verdict.variants if one.name == run.report.verdict.ship]
    (file,) = [one for one in run.report.variants.variants if one.name == judged.name]
    return {one.key: one.figure for one in judged.checks}, run.path / "variants" / file.file


@pytest.mark.parametrize("kind", three_kinds.KINDS)
def test_a_budget_of_size_gives_one_of_the_largest_students_whose_file_is_small_enough(
    kind, tmp_path
):
    text = three_kinds.recipe(kind)
    run, candidates, chosen = built(kind, tmp_path, "max_size_kib", SIZES[kind], text)
    is_among_the_largest_that_fit(tmp_path, candidates, chosen, "max_size_kib", SIZES[kind])
    figures, path = shipped(run)
    assert SIZES[kind] / 3 < path.stat().st_size / 1024 <= SIZES[kind]
    assert figures["min_accuracy"].low >= 0.6
    # The file tells its size, so no candidate was run for it.
    assert run.ran.count("benchmark") == 1


@pytest.mark.parametrize("kind", three_kinds.KINDS)
def test_a_budget_of_latency_gives_one_of_the_largest_students_that_are_fast_enough(kind, tmp_path):
    text = three_kinds.recipe(kind, search=TIMED[kind], variants='["fp32"]')
    three_kinds.write(kind, tmp_path)
    (tmp_path / "recipe.toml").write_text(text + "max_p50_ms = 1.0\n")
    budget = between(tmp_path, lambda file: file.p50_ms)
    run, candidates, chosen = built(kind, tmp_path, "max_p50_ms", budget, text)
    is_among_the_largest_that_fit(tmp_path, candidates, chosen, "max_p50_ms", budget)
    # One process gives no interval, and what has none is never READY.
    assert run.outcome == "undecided"
    (check,) = [one for one in run.report.verdict.variants[0].checks if one.key == "max_p50_ms"]
    assert check.outcome == "undecided"


@pytest.mark.parametrize("kind", three_kinds.KINDS)
def test_a_budget_of_the_arena_gives_a_student_that_a_microcontroller_holds(kind, tmp_path):
    for name in ("litert", "tflite-micro"):
        toolchain_tools.python_of(name)
    text = three_kinds.recipe(
        kind,
        search=ON_BOARD[kind],
        variants='["int8-static"]',
        export='[export]\nformats = ["onnx", "tflite-micro"]',
        epochs=12,
    )
    three_kinds.write(kind, tmp_path)
    (tmp_path / "recipe.toml").write_text(text + "max_arena_kib = 1000\n")
    budget = between(tmp_path, lambda file: file.arena_bytes) / 1024
    run, candidates, chosen = built(kind, tmp_path, "max_arena_kib", budget, text)
    is_among_the_largest_that_fit(tmp_path, candidates, chosen, "max_arena_kib", budget)
    assert chosen.variant == "int8-static@tflite-micro"
    figures, path = shipped(run)
    assert run.report.verdict.ship == "int8-static@tflite-micro"
    assert figures["max_arena_kib"].high <= budget
    assert path.name.endswith(".micro.tflite")
    transformers = [one for one in candidates if one.cost.model == "transformer1"]
    assert [one.fits for one in transformers] == [False] * len(transformers)
