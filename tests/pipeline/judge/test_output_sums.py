"""The error of one output, worked out by hand: sums, spread, and where it is destroyed."""

import numpy as np
import pytest
from edgestill.pipeline.judge.output_loss import losses, worst
from edgestill.pipeline.records import OutputLoss


def loss_of(before, after, name="hidden", batches=None, dtype=np.float32):
    """The loss of an output that each batch has an array of."""
    made = [[np.array(one, dtype) for one in blocks] for blocks in (before, after)]
    counts = batches or [len(one) for one in made[0]]
    (found,) = losses({name: made[0]}, {name: made[1]}, counts)
    return found


def test_errors_are_over_the_size_and_over_the_deviation_of_all_batches_together():
    # By element: (1, 3, 5) deviate by 8 and (0, 4, 2) by 8; all squares are 55, of the noise 5.
    found = loss_of([[[1, 0], [3, 4]], [[5, 2]]], [[[1, 1], [3, 4]], [[3, 2]]])
    assert (found.measure, found.rows, found.max_abs_difference) == ("numbers", 3, 2.0)
    assert found.relative_error == pytest.approx((5 / 55) ** 0.5, rel=1e-12)
    assert found.error_over_spread == pytest.approx((5 / 16) ** 0.5, rel=1e-12)
    assert found.destroyed == (
        "its error is 0.56 times its deviation over the samples, at least 0.5"
    )


@pytest.mark.parametrize(("off", "told"), [(0.5, "0.5 times its deviation"), (0.4999, None)])
def test_numbers_are_destroyed_from_exactly_half_their_deviation_on(off, told):
    found = loss_of([[[4.0], [6.0]]], [[[4.0 + off], [6.0 - off]]], dtype=np.float64)
    assert found.error_over_spread == pytest.approx(off)
    assert (found.destroyed is not None) == (told is not None)
    assert told is None or told in found.destroyed


@pytest.mark.parametrize(("off", "destroyed"), [(1.0, True), (0.9999, False)])
def test_classes_that_hold_are_destroyed_from_exactly_their_deviation_on(off, destroyed):
    found = loss_of(
        [[[4.0, 0.0], [6.0, 0.0]]], [[[4.0 + off, 0.0], [6.0 + off, 0.0]]], "logits",
        dtype=np.float64,
    )  # fmt: skip
    assert (found.measure, found.changed, found.rows) == ("classes", 0, 2)
    assert (found.destroyed is not None) == destroyed


@pytest.mark.parametrize(("apart", "known"), [(0.9999, False), (1.0001, True)])
def test_a_deviation_below_a_thousandth_of_the_size_is_none(apart, known):
    found = loss_of([[[1000 + apart], [1000 - apart]]], [[[1000], [1000]]], dtype=np.float64)
    assert (found.error_over_spread is not None) == known
    assert found.relative_error == pytest.approx(apart / 1000, rel=1e-5)
    assert found.destroyed == (
        "its error is 1 times its deviation over the samples, at least 0.5" if known else None
    )


def test_one_row_has_no_deviation_and_two_have():
    one = loss_of([[[3.0, 5.0]]], [[[3.0, 6.0]]])
    assert (one.rows, one.error_over_spread) == (1, None)
    assert one.relative_error == pytest.approx((1 / 34) ** 0.5)
    two = loss_of([[[3.0]], [[5.0]]], [[[3.0]], [[6.0]]])
    assert (two.rows, two.error_over_spread) == (2, pytest.approx(0.5**0.5))


def test_an_output_whose_first_axis_is_not_the_batch_is_one_row_each():
    whole = [[[1.0, 2.0], [3.0, 4.0]]]
    found = loss_of(whole * 2, whole * 2, batches=[3, 3])
    assert (found.rows, found.error_over_spread, found.relative_error) == (2, None, 0.0)
    assert loss_of(whole * 2, whole * 2, batches=[2, 2]).rows == 4


def test_shapes_that_vary_have_no_deviation_whichever_batch_comes_last():
    for cut in ([3, 2, 2], [2, 2, 3]):
        before = [np.arange(n * 2).reshape(n, 2) for n in cut]
        found = loss_of(before, [one + 1 for one in before], batches=[9, 9, 9])
        assert (found.rows, found.error_over_spread) == (3, None)
        assert found.max_abs_difference == 1.0


def test_the_largest_difference_is_that_of_any_batch_and_of_either_sign():
    found = loss_of([[[9.0]], [[9.0]], [[9.0]]], [[[8.5]], [[7.0]], [[9.5]]])
    assert found.max_abs_difference == 2.0


def test_half_precision_is_summed_in_double():
    found = loss_of([[[60000.0], [2048.0]]], [[[60000.0], [2047.0]]], dtype=np.float16)
    assert found.relative_error == pytest.approx((1 / (60000.0**2 + 2048.0**2)) ** 0.5)
    assert found.error_over_spread == pytest.approx((2 / (60000.0 - 2048.0) ** 2) ** 0.5)


def test_infinities_alike_are_left_out_of_all_sums_and_others_counted():
    inf, nan = np.inf, np.nan
    same = loss_of([[[3.0, inf], [5.0, nan]]], [[[3.0, inf], [6.0, nan]]])
    assert (same.destroyed, same.max_abs_difference) == (
        "its error is 0.71 times its deviation over the samples, at least 0.5", 1.0,
    )  # fmt: skip
    assert same.relative_error == pytest.approx((1 / 34) ** 0.5)
    for before, after in ((inf, -inf), (inf, 1.0), (1.0, nan), (nan, inf)):
        found = loss_of([[[3.0, before], [5.0, 1.0]]] * 2, [[[3.0, after], [5.0, 1.0]]] * 2)
        assert found.destroyed == "2 values are finite in one file only"
    # Where only the values of one file are finite there is still something to compare.
    assert loss_of([[[inf]]], [[[-inf]]]).destroyed == "1 values are finite in one file only"
    assert loss_of([[[inf]]], [[[inf]]]).missing == "every value is infinite or not a number"


def test_what_is_0_in_the_original_alone_is_destroyed_by_its_size():
    found = loss_of([[[0.0], [0.0]]], [[[0.0], [0.125]]])
    assert (found.relative_error, found.error_over_spread) == (None, None)
    assert found.destroyed == "it is 0 in the original and up to 0.125 here"
    assert loss_of([[[0.0]]], [[[0.0]]]).relative_error == 0.0
    same = loss_of([[[2.0]]], [[[4.0]]])
    assert same.destroyed == "its error is 1 times its size, at least 0.5"


def test_no_batch_is_nothing_to_compare():
    assert losses({"y": []}, {"y": []}, [])[0] == OutputLoss(
        name="y", measure="none", rows=0, missing="no batch was run"
    )


@pytest.mark.parametrize("axes", [(4,), (4, 3), (4, 3, 2)])
def test_equality_counts_the_rows_with_any_other_value(axes):
    before = np.zeros(axes, np.int64)
    after = before.copy()
    after.reshape(4, -1)[1, -1] = 1
    after[2] = 2
    (found,) = losses({"y": [before, before]}, {"y": [before, after]}, [4, 4])
    assert (found.measure, found.rows, found.changed, found.destroyed) == ("equality", 8, 2, None)


def test_classes_of_several_positions_and_batches_are_counted_each():
    before = np.tile(np.float32([0, 1, 0]), (2, 5, 1))
    after = before.copy()
    after[0, :2] = [1, 0, 0]
    (found,) = losses({"logits": [before, before]}, {"logits": [after, after]}, [2, 2])
    assert (found.measure, found.rows, found.changed) == ("classes", 20, 4)
    assert found.lost == pytest.approx(0.2)


def test_a_destroyed_output_is_worse_than_one_that_lost_more_and_the_first_of_equals_is_named():
    def made(name, changed, destroyed=None):
        return OutputLoss(
            name=name, measure="classes", rows=10, changed=changed, destroyed=destroyed
        )

    more, less, broken = made("more", 5), made("less", 1), made("broken", 0, "so")
    assert worst([less, broken, more]) == broken
    assert worst([less, more, made("same", 5)]) == more


def test_a_batch_without_values_adds_nothing():
    some, none = np.float32([[1], [3]]), np.zeros((0, 1), np.float32)
    (found,) = losses({"hidden": [none, some]}, {"hidden": [none, some + 1]}, [0, 2])
    assert (found.rows, found.max_abs_difference, found.error_over_spread) == (2, 1.0, 1.0)
