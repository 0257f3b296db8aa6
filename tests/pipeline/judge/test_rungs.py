"""Which step of a recipe is named for which budget, and that each is one that a recipe can take."""

import pytest
from edgestill.pipeline.judge.rungs import RUNGS, State
from edgestill.pipeline.recipe.files import bundled, load

DIGITS = bundled("digits")
BARE = ("compress.variants=['fp32']", "student.width=16", "augment.crop=1")
STATES = {
    "int8": State(load(DIGITS, BARE)),
    "int8-size": State(load(DIGITS, BARE), saturates=True),
    "weights": State(load(DIGITS, BARE)),
    "calibration": State(load(DIGITS)),
    "mixed": State(load(DIGITS)),
    "runtime": State(load(DIGITS)),
    "qat": State(load(DIGITS)),
    "teacher": State(load(DIGITS), teacher_short=True),
    "longer": State(load(DIGITS), best_epoch=38),
    "views": State(load(DIGITS, BARE)),
    "loss": State(load(DIGITS)),
    "larger": State(load(DIGITS)),
    "smaller": State(load(DIGITS)),
    "pruning": State(load(DIGITS)),
}


def test_every_rung_is_tried_here():
    assert set(STATES) == set(RUNGS)


@pytest.mark.parametrize("name", RUNGS)
def test_a_rung_changes_the_recipe_by_keys_that_a_recipe_has(name):
    state = STATES[name]
    overrides = RUNGS[name].overrides(state)
    before = load(DIGITS, BARE if state.recipe.student.width == 16 else ())
    changed = load(DIGITS, (*(BARE if before.student.width == 16 else ()), *overrides))
    assert overrides
    assert changed != before


@pytest.mark.parametrize("name", sorted(set(RUNGS) - {"longer", "teacher", "larger", "smaller"}))
def test_a_rung_that_was_taken_is_not_named_again(name):
    base = BARE if STATES[name].recipe.student.width == 16 else ()
    taken = load(DIGITS, (*base, *RUNGS[name].overrides(STATES[name])))
    assert (again := RUNGS[name].overrides(State(taken))) == () or name == "runtime", again


def test_runtimes_end_where_all_were_tried_and_where_the_app_takes_some_alone():
    rung = RUNGS["runtime"]
    both = State(load(DIGITS, ('export.formats=["onnx", "litert", "openvino"]',)))
    alone = State(load(DIGITS, ('gate.runtimes=["onnx"]',)))
    assert rung.overrides(both) == rung.overrides(alone) == ()


def test_int8_is_no_step_to_less_time_where_its_kernels_saturate():
    assert RUNGS["int8"].overrides(State(load(DIGITS, BARE), saturates=True)) == ()


def test_training_longer_is_a_step_only_where_the_best_epoch_was_among_the_last():
    recipe = load(DIGITS)
    assert RUNGS["longer"].overrides(State(recipe, best_epoch=20)) == ()
    assert RUNGS["longer"].overrides(State(recipe, best_epoch=None)) == ()
    assert RUNGS["longer"].overrides(State(recipe, best_epoch=40)) == ("distill.epochs=80",)


def test_the_student_becomes_as_narrow_as_what_is_over_asks_and_no_narrower_than_it_can():
    wide = load(DIGITS, ("student.width=64",))
    assert RUNGS["smaller"].overrides(State(wide, over=1.1)) == ("student.width=48",)
    assert RUNGS["smaller"].overrides(State(wide, over=4.0)) == ("student.width=32",)
    assert RUNGS["smaller"].overrides(State(load(DIGITS), over=100.0)) == ()


def test_a_student_never_becomes_wider_than_a_teacher_of_the_same_family_and_depth():
    same = load(DIGITS, ("student.model=resnet32", "student.width=16"))
    assert RUNGS["larger"].overrides(State(same)) == ()


@pytest.mark.parametrize("name", ["int8", "runtime", "pruning"])
def test_what_is_far_over_its_budget_is_beyond_a_rung(name):
    state = STATES[name]
    over = State(state.recipe, over=RUNGS[name].reach * 1.01)
    within = State(state.recipe, over=RUNGS[name].reach * 0.99)
    assert RUNGS[name].overrides(over) == ()
    assert RUNGS[name].overrides(within) != ()


def test_a_function_of_the_users_has_no_width_and_is_not_pruned():
    own = State(load(DIGITS, ("student.model=mine:net",)))
    assert all(RUNGS[name].overrides(own) == () for name in ("larger", "smaller", "pruning"))


@pytest.mark.parametrize("name", ["teacher", "views", "loss"])
def test_without_a_teacher_nothing_of_it_is_tried(name):
    alone = load(DIGITS, (*BARE, "teacher={model='none'}", "gate.max_drop_vs_fp32=0.03"))
    assert RUNGS[name].overrides(State(alone, teacher_short=True)) == ()


@pytest.mark.parametrize("name", ["larger", "smaller"])
def test_a_student_that_starts_from_weights_has_one_width(name):
    started = load(DIGITS, (*BARE, "student.weights='w.safetensors'"))
    assert RUNGS[name].overrides(State(started, over=1.5)) == ()
