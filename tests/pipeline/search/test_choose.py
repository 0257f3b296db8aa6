"""``student.model = "auto"``: the student that is chosen."""

from dataclasses import replace

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import RecipeError
from edgestill.pipeline.records import NotCarried
from edgestill.pipeline.search.choose import MICRO, choose
from fake_trials import FakeTrials, measured, recipe

WIDTHS = [4, 8, 12, 16, 24, 32]


def auto(**search):
    return recipe(
        student={"model": "auto"}, search={"models": ["resnet8"], "widths": WIDTHS, **search}
    )


def worth(best, ms=lambda width: width / 16):
    """The score is the better the nearer to one width."""
    return lambda r: {
        "fp32": (1.0 - abs(r.student.width - best) / 100, ms(r.student.width)),
        "int8-static": (0.9, ms(r.student.width)),
    }


def test_the_best_of_the_largest_that_fit_becomes_the_student():
    trials = FakeTrials(worth(best=8))
    found = choose(auto(), trials)
    # 16 takes 1 ms and 5 % are kept clear, so 12, 8 and 4 are trained.
    assert trials.trained == [(12, 0.25), (8, 0.25), (4, 0.25)]
    assert found.recipe.student.width == found.cost.width == 8
    assert {cost.width for cost in found.scores} == {12, 8, 4}


def test_one_finalist_is_not_trained_before_its_time():
    trials = FakeTrials(worth(best=4))
    found = choose(auto(finalists=1), trials)
    assert trials.trained == []
    assert found.cost.width == 12


def test_of_many_a_third_goes_on_for_three_times_as_long():
    trials = FakeTrials(worth(best=24, ms=lambda width: 0.1))
    found = choose(auto(finalists=6, finalist_share=0.1), trials)
    first = [width for width, share in trials.trained if share == 0.1]
    then = [width for width, share in trials.trained if share > 0.1]
    assert sorted(first) == WIDTHS
    assert sorted(then) == [24, 32]
    assert found.cost.width == 24


def test_where_none_fits_the_nearest_is_taken():
    trials = FakeTrials(worth(best=8, ms=lambda width: 2.0 + width))
    found = choose(auto(), trials)
    assert trials.trained == []
    assert found.cost.width == 4
    assert found.candidates.fitting() == []


def test_a_choice_by_nothing_is_refused():
    given = recipe(student={"model": "auto"}, gate={"min_accuracy": 0.9, "max_drop_vs_fp32": 0.1})
    trials = FakeTrials(worth(best=8))
    with pytest.raises(RecipeError, match=r"no budget that a student.*max_p50_ms.*max_size_kib"):
        choose(given, trials)
    assert trials.measured == []


def test_what_the_recipe_asks_of_the_data_is_checked_before_a_candidate_is_measured():
    trials = FakeTrials(worth(best=8))
    given = auto().model_copy(update={"distill": recipe(distill={"views": 3}).distill})
    with pytest.raises(RecipeError, match=r"views = 3, and nothing in \[augment\]"):
        choose(given, trials)
    assert trials.measured == []


def on_board(arena_of, **changed):
    """Trials of files for microcontrollers; ``arena_of`` a model and width, None: no such file."""
    trials = FakeTrials(lambda r: {"fp32": (0.9, 1.0), MICRO_FILE: (0.9, 1.0)})

    def resources(recipe, architecture, *, timed=False):
        trials.measured.append((architecture.model, architecture.width))
        whole = measured({"fp32": 1.0, MICRO_FILE: 1.0})
        kib = arena_of(architecture.model, architecture.width)
        files = []
        for one in whole.benchmark.models:
            if one.name == MICRO_FILE and kib is not None:
                one = replace(one, arena_bytes=Estimate.exact(kib * 1024, "", "bytes"))
            files.append(one)
        benchmark = replace(whole.benchmark, models=tuple(files))
        return whole.model_copy(update={"benchmark": benchmark})

    trials.resources = resources
    trials.not_carried = lambda recipe, architecture: (
        NotCarried(variant="int8-static", format=MICRO, reason="a model without an operator"),
    )
    given = recipe(
        student={"model": "auto"},
        search={"models": ["mlp1", "resnet8"], "widths": WIDTHS, "finalists": 2},
        gate={"min_accuracy": 0.5, "max_arena_kib": 20},
        export={"formats": ["onnx", MICRO]},
        **changed,
    )
    return trials, given


MICRO_FILE = f"int8-static@{MICRO}"


def test_a_family_without_files_for_microcontrollers_is_left_out_after_one_of_it():
    trials, given = on_board(lambda model, width: None if model == "resnet8" else 1.0 * width)
    found = choose(given, trials)
    assert found.cost.model == "mlp1"
    assert [width for model, width in trials.measured if model == "resnet8"] != []
    assert len([width for model, width in trials.measured if model == "resnet8"]) == 1
    assert sorted(cost.width for cost in found.scores) == [12, 16]
    records = {(one.cost.model, one.cost.width): one for one in found.candidates.records({}, None)}
    assert records["resnet8", 4].fits is False
    assert records["resnet8", 4].variant is None
    assert records["mlp1", 16].variant == MICRO_FILE


def test_where_no_family_has_such_files_the_reason_is_told():
    trials, given = on_board(lambda model, width: None)
    with pytest.raises(RecipeError, match="int8-static is not in tflite-micro, for a model with"):
        choose(given, trials)
    assert len(trials.measured) == 2
    assert trials.trained == []


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"export": {"formats": ["onnx"]}}, "export.formats: found gate.max_arena_kib"),
        ({"compress": {"variants": ["fp32"]}}, r"compress.variants: .*add \"int8-static\""),
    ],
)
def test_an_arena_that_no_file_will_have_is_refused_before_anything_is_measured(part, message):
    trials, _ = on_board(lambda model, width: None)
    tree = {
        "student": {"model": "auto"},
        "gate": {"min_accuracy": 0.5, "max_arena_kib": 20},
        "export": {"formats": ["onnx", MICRO]},
    }
    with pytest.raises(RecipeError, match=message):
        choose(recipe(**{**tree, **part}), trials)
    assert trials.measured == []
