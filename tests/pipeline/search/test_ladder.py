"""The ladder: what is tried where a budget is missed, in which order, and what is kept."""

import time

import pytest
from edgestill.errors import NoEffectError, StorageError
from edgestill.pipeline.records import Shortfall
from edgestill.pipeline.search.ladder import (
    AS_IT_IS,
    Tried,
    changed,
    climb,
    outlook,
    texts,
    told_misses,
)
from fake_trials import FakeTrials, recipe

HOUR = 3600.0


def climbed(worth, given=None, until=HOUR, candidates=None):
    trials = FakeTrials(worth)
    given = given or recipe(search={})
    return climb(given, trials, candidates=candidates, until=time.monotonic() + until), trials


def tried(climbing):
    return [rung.name for rung in climbing.rungs if rung.skipped is None]


def miss(key):
    return Shortfall(key=key, budget=1.0, value=2.0, needed=1.0, excess=1.0)


def test_a_recipe_that_fits_is_not_changed():
    done, trials = climbed(lambda r: {"fp32": (0.99, 0.5), "int8-static": (0.99, 0.3)})
    assert done.best.fits
    assert tried(done) == [AS_IT_IS]
    assert done.changes == {}
    assert len(trials.judged) == 1


def test_what_int8_loses_is_helped_by_calibration_first_and_mixed_precision_next():
    def worth(r):
        mixed = "int8-mixed" in r.compress.variants
        better = r.compress.calibration == "mse"
        files = {"fp32": (0.95, 2.0), "int8-static": (0.91 if better else 0.85, 0.5)}
        return files | ({"int8-mixed": (0.945, 0.7)} if mixed else {})

    done, _ = climbed(worth)
    assert tried(done) == [AS_IT_IS, "calibration", "mixed"]
    assert done.best.fits
    assert done.best.nearest == "int8-mixed"
    assert done.best.recipe.compress.calibration == "mse"
    assert done.best.recipe.compress.calibration_samples == 4 * 256
    assert "taken it already" in done.rungs[1].skipped


def test_a_change_that_brings_nothing_is_not_kept():
    def worth(r):
        better = "int8-mixed" in r.compress.variants
        static = 0.80 if r.compress.calibration == "mse" else 0.85
        files = {"fp32": (0.95, 2.0), "int8-static": (static, 0.5)}
        return files | ({"int8-mixed": (0.945, 0.7)} if better else {})

    done, _ = climbed(worth)
    assert done.best.recipe.compress.calibration == "minmax"
    kept = {rung.name: rung.kept for rung in done.rungs if rung.skipped is None}
    assert kept == {AS_IT_IS: True, "calibration": False, "mixed": True}
    assert "compress.calibration" not in done.changes


def test_what_fp32_lacks_is_helped_by_training_then_by_another_loss_then_by_a_larger_student():
    def worth(r):
        score = 0.80 + 0.02 * (r.distill.epochs > 20) + 0.01 * ("dkd" in r.distill.losses)
        score += 0.1 * (r.student.width > 8)
        return {"fp32": (score, 0.1 * r.student.width / 8), "int8-static": (score, 0.1)}

    done, trials = climbed(worth)
    assert done.best.fits
    names = tried(done)
    assert names[:2] == [AS_IT_IS, "longer"]
    assert names[-1] == "larger"
    assert set(names) == {AS_IT_IS, "longer", "loss", "larger"}
    assert done.best.recipe.distill.epochs == 40
    assert done.best.recipe.distill.losses == {"dkd": 1.0}
    assert done.best.recipe.student.width == 12
    assert ("resnet8", 12) in trials.measured


def test_a_larger_student_that_looks_no_better_is_not_the_last():
    def worth(r):
        score = {8: 0.80, 12: 0.79, 16: 0.97}.get(r.student.width, 0.5)
        return {"fp32": (score, 0.1), "int8-static": (score, 0.1)}

    done, _ = climbed(worth, recipe(search={"ladder": ["larger"]}))
    assert done.best.fits
    assert done.best.recipe.student.width == 16
    assert [rung.kept for rung in done.rungs] == [True, False, True]


def test_what_takes_too_much_of_the_device_is_helped_by_a_smaller_student():
    def worth(r):
        ms = 1.5 * r.student.width / 8
        return {"fp32": (0.95, ms), "int8-static": (0.95, ms)}

    done, trials = climbed(worth)
    assert done.best.fits
    assert done.best.recipe.student.width == 4
    assert done.rungs[-1].name == "smaller"
    # 4 is the largest that is smaller and fits; it was measured before it was trained.
    assert trials.measured[-1] == ("resnet8", 4)


def test_nothing_is_begun_after_the_time_is_over():
    done, trials = climbed(lambda r: {"fp32": (0.5, 0.1), "int8-static": (0.5, 0.1)}, until=-1.0)
    assert done.is_over_time
    assert tried(done) == [AS_IT_IS]
    assert len(trials.judged) == 1


def test_the_ladder_of_the_recipe_is_the_one_that_is_climbed():
    given = recipe(search={"ladder": ["loss", "longer"]})
    done, _ = climbed(lambda r: {"fp32": (0.5, 0.1), "int8-static": (0.5, 0.1)}, given)
    assert list(dict.fromkeys(rung.name for rung in done.rungs)) == [
        AS_IT_IS,
        "loss",
        "longer",
    ]
    assert not done.best.fits


def test_a_rung_that_fails_is_left_out_with_its_reason_and_a_full_disk_is_not():
    def fails(error):
        def worth(r):
            if "pruned" in r.compress.variants:
                raise error
            return {"fp32": (0.95, 1.5), "int8-static": (0.95, 1.4)}

        return worth

    given = recipe(search={"ladder": ["pruning"]})
    done, _ = climbed(fails(NoEffectError("no channel that can go")), given)
    assert "no channel that can go" in done.rungs[-1].skipped
    assert not done.best.fits
    with pytest.raises(StorageError):
        climbed(fails(StorageError("cannot write (no space left on device)")), given)


def test_a_recipe_of_which_no_file_can_ship_is_the_farthest_of_all():
    done, _ = climbed(lambda r: {"fp32": (0.99, 0.5), "int8-static": (0.99, 0.3)})
    nothing = Tried(done.best.recipe, {}, None)
    assert nothing.distance > done.best.distance
    assert nothing.nearest is None
    assert not nothing.fits


def test_a_changed_recipe_is_checked_and_told_as_set_takes_it():
    found = changed(recipe(), {"distill.losses": {"dkd": 1.0}, "student.width": 12})
    assert found.distill.losses == {"dkd": 1.0}
    assert found.student.width == 12
    assert texts({"distill.losses": {"dkd": 1.0}}) == ("distill.losses={ dkd = 1.0 }",)
    assert next(told_misses([miss("max_p50_ms")])).startswith("max_p50_ms (2 where")


def test_a_rung_that_mends_nothing_that_is_missed_is_skipped_and_says_so():
    done, _ = climbed(lambda r: {"fp32": (0.5, 0.1), "int8-static": (0.5, 0.1)})
    skipped = {rung.name: rung.skipped for rung in done.rungs if rung.skipped}
    assert skipped["calibration"] == "it mends compression, and nothing of that is missed"


def test_no_recipe_is_judged_twice():
    """A loss that was kept makes the one before it a candidate again."""

    def worth(r):
        score = 0.80 + 0.02 * ("dist" in r.distill.losses) + 0.04 * ("mse" in r.distill.losses)
        return {"fp32": (score, 0.1), "int8-static": (score, 0.1)}

    done, trials = climbed(worth, recipe(search={"ladder": ["loss"]}))
    losses = [next(iter(one.distill.losses)) for one in trials.judged]
    assert sorted(losses) == sorted(set(losses))
    assert done.best.recipe.distill.losses == {"mse": 1.0}


def test_what_cannot_be_decided_here_is_not_expected_to_be_ready():
    done, _ = climbed(
        lambda r: {"fp32": (0.99, 0.5), "int8-static": (0.99, 0.3)},
        recipe(search={}, gate={"min_accuracy": 0.9, "max_energy_uj": 1e9}),
    )
    assert done.best.fits
    assert done.best.unknown == ("max_energy_uj",)
    assert outlook(done.best) == (
        f"{done.best.nearest} is inside all that can be known here; max_energy_uj can only be "
        "UNDECIDED"
    )
