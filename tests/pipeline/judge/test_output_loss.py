"""Each output of a model has its own measure, and a destroyed one is named."""

import numpy as np
import pytest
from edgestill.pipeline.judge.output_loss import losses, reads_as_classes, worst

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(32, 10)).astype(np.float32)
NOISE = RANDOM.normal(size=(32, 10)).astype(np.float32)


def loss_of(before, after, name="y", parts=1):
    """The loss of one output that is answered in some batches of 32 samples."""
    batches = [32 // parts] * parts
    cut = [np.split(array, parts) if parts > 1 else [array] for array in (before, after)]
    (found,) = losses({name: cut[0]}, {name: cut[1]}, batches)
    return found


def test_classes_are_counted_and_their_error_stands_beside():
    after = LOGITS.copy()
    after[:3] = np.roll(after[:3], 1, axis=1)
    found = loss_of(LOGITS, after)
    assert (found.measure, found.changed, found.rows) == ("classes", 3, 32)
    assert found.lost == pytest.approx(3 / 32)
    assert found.relative_error == pytest.approx(
        np.sqrt(np.square(after - LOGITS).mean() / np.square(LOGITS).mean()), rel=1e-5
    )
    assert found.max_abs_difference == pytest.approx(np.abs(after - LOGITS).max())
    assert found.destroyed is None


def test_the_figures_do_not_depend_on_how_samples_are_cut_into_batches():
    whole, parts = (loss_of(LOGITS, LOGITS + 0.1 * NOISE, parts=parts) for parts in (1, 8))
    assert whole.changed == parts.changed
    assert whole.relative_error == pytest.approx(parts.relative_error)
    assert whole.error_over_spread == pytest.approx(parts.error_over_spread)


def test_more_than_half_of_the_classes_changed_is_destroyed():
    found = loss_of(LOGITS, np.roll(LOGITS, 1, axis=1))
    assert found.destroyed == "32 of 32 classes changed, more than 50%"


def test_classes_that_hold_while_all_else_is_lost_are_destroyed():
    # One class is the likeliest everywhere, and a constant answer keeps it.
    before = LOGITS * 0.1 + np.eye(10, dtype=np.float32)[2] * 5
    after = np.broadcast_to(before.mean(0), before.shape) + 0.05
    found = loss_of(before, after)
    assert found.changed == 0
    assert found.destroyed.startswith("its error is 1.1 times its deviation")


def test_classes_that_only_become_larger_are_not_destroyed():
    assert loss_of(LOGITS, LOGITS * 1.8).destroyed is None


@pytest.mark.parametrize(("error", "is_destroyed"), [(0.4, False), (0.6, True)])
def test_numbers_are_destroyed_from_half_their_deviation_on(error, is_destroyed):
    # An offset of 100 makes the relative error tiny, and hides nothing from the spread.
    found = loss_of(LOGITS + 100, LOGITS + 100 + error * NOISE, name="embedding")
    assert found.measure == "numbers"
    assert found.relative_error < 0.01
    assert found.error_over_spread == pytest.approx(error, rel=0.1)
    assert (found.destroyed is not None) == is_destroyed


def test_an_output_that_is_the_same_for_all_samples_is_judged_by_its_size():
    constant = np.full((32, 1), 7.0, np.float32)
    found = loss_of(constant, constant + 0.1)
    assert found.error_over_spread is None
    assert found.destroyed is None
    assert "times its size" in loss_of(constant, constant * 3).destroyed


@pytest.mark.parametrize("dtype", [np.int64, bool, str])
def test_integers_booleans_and_texts_are_compared_by_equality(dtype):
    before = np.arange(32).reshape(32, 1) % 2
    after = before.copy()
    after[:4] += 1
    found = loss_of(before.astype(dtype), (after % 2).astype(dtype))
    assert (found.measure, found.changed, found.rows) == ("equality", 4, 32)
    assert found.max_abs_difference is None
    assert found.destroyed is None


@pytest.mark.parametrize(("changed", "is_destroyed"), [(16, False), (17, True)])
def test_more_than_half_of_the_integers_changed_is_destroyed(changed, is_destroyed):
    before = np.zeros((32, 2, 3), np.int64)
    after = before.copy()
    after[:changed, :, 2] = 1
    found = loss_of(before, after)
    assert found.changed == changed
    told = f"{changed} of 32 values changed, more than 50%" if is_destroyed else None
    assert found.destroyed == told


@pytest.mark.parametrize(("changed", "is_destroyed"), [(16, False), (17, True)])
def test_exactly_half_of_the_classes_may_change(changed, is_destroyed):
    after = LOGITS.copy()
    after[:changed] = np.roll(after[:changed], 1, axis=1)
    found = loss_of(LOGITS, after)
    assert found.changed == changed
    assert ("classes changed" in (found.destroyed or "")) is is_destroyed


def test_integers_of_a_scalar_and_of_no_row_are_compared():
    (found,) = losses({"n": [np.int64(3)]}, {"n": [np.int64(4)]}, [1])
    assert (found.rows, found.changed) == (1, 1)
    empty = np.zeros((0, 4), np.int64)
    (found,) = losses({"n": [empty]}, {"n": [empty]}, [1])
    assert (found.rows, found.changed, found.destroyed) == (0, 0, None)


def test_sequences_are_said_to_be_not_compared():
    (found,) = losses({"s": [[LOGITS]]}, {"s": [[LOGITS]]}, [32])
    assert (found.measure, found.missing) == ("none", "a sequence or a map")
    assert found.lost == 0.0


def test_masks_of_infinity_are_left_out_and_new_ones_destroy():
    masked = LOGITS.copy()
    masked[:, 3] = -np.inf
    same = loss_of(masked, masked + 0.01, name="hidden")
    assert same.destroyed is None
    assert same.max_abs_difference == pytest.approx(0.01, rel=1e-3)
    assert loss_of(LOGITS, masked, name="hidden").destroyed == (
        "32 values are finite in one file only"
    )
    assert (
        loss_of(LOGITS, np.where(masked < 0, masked, np.nan), name="hidden").destroyed is not None
    )
    nothing = np.full((32, 2), np.nan, np.float32)
    for name in ("y", "hidden"):  # of classes and of numbers
        found = loss_of(nothing, nothing, name)
        assert found.missing == "every value is infinite or not a number"
        assert (found.measure, found.rows, found.changed) == ("none", 0, None)
        assert found.destroyed is None


def test_a_value_that_is_no_number_in_one_file_only_is_counted_in_either():
    broken = LOGITS.copy()
    broken[5, 2], broken[6, 2] = np.nan, np.inf
    for before, after in ((LOGITS, broken), (broken, LOGITS), (broken, -broken)):
        number = 1 if before is broken and after is not LOGITS else 2
        found = loss_of(before, after, name="hidden")
        if number == 2:
            assert found.destroyed == "2 values are finite in one file only"
        else:  # infinite with another sign; NaN is NaN
            assert found.destroyed == "1 values are finite in one file only"


def test_scalars_and_shapes_that_vary_are_compared():
    before = {"n": [np.float32(3), np.float32(5)], "boxes": [LOGITS[:3], LOGITS[:2]]}
    after = {"n": [np.float32(3), np.float32(5.5)], "boxes": [LOGITS[:3], LOGITS[:2] + 0.01]}
    scalar, boxes = losses(before, after, [16, 16])
    assert (scalar.rows, scalar.max_abs_difference) == (2, 0.5)
    assert boxes.destroyed is None
    assert boxes.max_abs_difference == pytest.approx(0.01, rel=1e-3)


def test_another_shape_and_an_absent_output_are_destroyed():
    (found,) = losses({"y": [LOGITS]}, {"y": [LOGITS[:5]]}, [32])
    assert found.destroyed == "it has the shape [5, 10], the original [32, 10]"
    assert (found.measure, found.rows, found.missing) == ("none", 0, "of another shape")
    (found,) = losses({"y": [LOGITS]}, {}, [32])
    assert found.destroyed == "it has no such output"
    assert (found.measure, found.rows, found.missing) == ("none", 0, "absent")
    assert found.lost == 1.0


def test_what_is_zero_in_the_original_alone_is_destroyed():
    zero = np.zeros((32, 1), np.float32)
    assert loss_of(zero, zero).destroyed is None
    assert "0 in the original" in loss_of(zero, zero + 1).destroyed


def test_the_worst_output_is_a_destroyed_one_before_any_other():
    fine, broken = loss_of(LOGITS, LOGITS), loss_of(LOGITS, -LOGITS, name="hidden")
    half = loss_of(LOGITS, np.where(np.arange(32)[:, None] < 16, LOGITS, -LOGITS))
    assert worst([fine, half]) == half
    assert worst([half, broken, fine]) == broken
    assert worst([]) is None


@pytest.mark.parametrize(
    ("name", "array", "classes"),
    [
        ("y", LOGITS, True),
        ("last_hidden_state", LOGITS, False),
        ("pooled", LOGITS, False),
        ("logits", LOGITS.reshape(4, 8, 10), True),
        ("y", LOGITS.reshape(4, 8, 10), False),
        ("y", np.full((4, 8, 10), 0.1, np.float32), True),
        ("y", np.full((4, 8, 10), 0.2, np.float32), False),
        ("y", np.tile(np.float32([1.5, -0.5]), (4, 8, 1)), False),
        ("y", np.tile(np.float32([1.0, 0.0]), (4, 8, 1)), True),
        ("logits", LOGITS[:, :2], True),
        ("logits", LOGITS[:, :1], False),
        ("logits", LOGITS.argmax(1), False),
    ],
)
def test_an_output_reads_as_classes_by_its_name_shape_and_values(name, array, classes):
    assert reads_as_classes(name, [array]) == classes


def test_values_of_half_precision_are_summed_without_an_overflow():
    with np.errstate(over="raise"):
        assert not reads_as_classes("y", [np.full((4, 3, 8), 60_000, np.float16)])
