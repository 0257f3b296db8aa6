"""The task of numbers: what counts as another answer, numbers that do not vary, sums by weight."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import of, regression
from edgestill.pipeline.tasks.sampling import Sampling
from scipy import stats
from sklearn import metrics as sklearn

NUMBERS = of("regression")
ANY = Sampling(0.95)
# A deviation of 10: a tenth of it is exactly 1.
TRUTH = np.array([[-10.0], [10.0], [-10.0], [10.0]])


def beside_a_constant(n=40):
    random = np.random.default_rng(0)
    truth = np.stack([random.standard_normal(n), np.full(n, 0.1)], 1)
    return truth + 0.5 * random.standard_normal((n, 2)), truth


def test_a_number_may_move_a_tenth_of_a_deviation_and_no_further():
    moved = TRUTH + np.array([[1.0], [-1.0], [1.001], [0.0]])
    assert NUMBERS.answers_differ(moved, TRUTH, TRUTH).tolist() == [False, False, True, False]
    (shift,) = NUMBERS.output_shifts(moved, TRUTH, TRUTH, ["price"])
    assert (shift.name, shift.measure, shift.changed) == ("price", "difference", 1)
    assert (shift.tolerance, shift.typical) == (1.0, 1.0)
    assert shift.farthest == pytest.approx(1.001)
    assert NUMBERS.shift(moved[:, 0], TRUTH[:, 0], TRUTH[:, 0], ["price"]).changed == 1


def test_one_number_that_moved_is_enough():
    truth = np.concatenate([TRUTH, 100 * TRUTH], 1)
    moved = truth + np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 101.0], [0.0, 0.0]])
    assert NUMBERS.answers_differ(moved, truth, truth).tolist() == [True, False, True, False]


def test_a_number_that_does_not_vary_does_not_count():
    outputs, truth = beside_a_constant()
    expected = sklearn.r2_score(truth[:, 0], outputs[:, 0])
    with np.errstate(all="raise"):
        assert NUMBERS.selection(outputs, truth) == pytest.approx(expected)
        found = NUMBERS.metrics(outputs, truth, ANY)
        lost = NUMBERS.drop(truth, outputs, truth, ANY)
        fidelity = NUMBERS.fidelity(outputs, truth, truth, ("a", "b"), ANY)
    assert [found[name].value for name in ("R²", "R²[0]")] == pytest.approx([expected] * 2)
    assert "R²[1]" not in found
    assert lost.value == pytest.approx(1 - expected)
    apart = np.abs(outputs - truth)[:, 0] / truth[:, 0].std()
    assert fidelity.figures["mean |difference|"].value == pytest.approx(apart.mean())
    r = stats.pearsonr(outputs[:, 0], truth[:, 0])[0]
    assert fidelity.figures["correlation"].value == pytest.approx(r)
    assert NUMBERS.left_out(truth, 2).tolist() == [False, True]
    assert NUMBERS.left_out(truth[:, 1], 1).tolist() == [True]


def test_what_cannot_be_said_of_a_constant_says_so():
    truth = np.full((50, 2), 0.1)
    with np.errstate(all="raise"):
        found = NUMBERS.fidelity(truth + np.eye(50)[:, :2], truth, truth, ("a", "b"), ANY)
    apart, follows = (found.figures[n] for n in ("mean |difference|", "correlation"))
    assert (apart.missing, apart.n) == ("no number of test varies", 50)
    assert apart.method == "mean |difference|"
    assert (follows.value, follows.missing) == (None, "it is not defined on these samples")


def test_epochs_of_a_constant_are_told_apart_by_their_error():
    truth = np.full((4, 2), 3.0)
    outputs = truth + np.array([[1.0, 3.0]])
    assert NUMBERS.selection(outputs, truth) == -2.0
    assert np.isnan(NUMBERS.selection(np.full((4, 2), np.nan), truth))


def test_a_deviation_that_is_rounding_is_none():
    columns = np.array([[0.1, 1e9, 1e9, 0.0], [0.1 + 1e-17, 1e9, 1e9 + 1.0, 0.0]])
    assert regression.deviations(columns).tolist() == [0.0, 0.0, 0.5, 0.0]
    near = 1.0 + np.array([[1e-13, 1e-11]]) * np.array([[-1.0], [1.0]])
    for size in (1e-9, 1.0, -1e9):
        assert (regression.deviations(size * near) > 0).tolist() == [False, True]


def test_errors_in_other_units_have_their_interval_in_those_units():
    random = np.random.default_rng(1)
    truth = random.standard_normal((12, 2))
    outputs = truth + 0.3 * random.standard_normal((12, 2)) ** 3
    small, large = (NUMBERS.metrics(k * outputs, k * truth, ANY) for k in (1.0, 1000.0))
    for name in ("RMSE", "MAE"):
        assert 0.0 < small[name].low < small[name].value < small[name].high
        for end in ("low", "value", "high"):
            assert getattr(large[name], end) == pytest.approx(1000 * getattr(small[name], end))
    for end in ("low", "value", "high"):
        assert getattr(large["R²"], end) == pytest.approx(getattr(small["R²"], end))


def test_an_r2_or_an_error_does_not_pass_perfection_however_few_the_samples():
    truth = np.arange(8.0)[:, None]
    outputs = truth + np.array([[0.1, 0.2, -0.3, 0.1, 0.4, -0.2, 0.3, 0.7]]).T
    for confidence in (0.9, 0.95):
        found = NUMBERS.metrics(outputs, truth, Sampling(confidence))
        assert found["R²"].value < found["R²"].high < 1.0
        assert found["RMSE"].low > 0.0
        assert found["MAE"].low > 0.0
        lost = NUMBERS.fidelity(outputs, truth, truth, ("y",), Sampling(confidence)).figures
        assert lost["mean |difference|"].low > 0.0
        assert -1.0 <= lost["correlation"].low < lost["correlation"].value
        assert lost["correlation"].high < 1.0


def test_a_correlation_that_hardly_is_one_ends_at_its_bounds():
    random = np.random.default_rng(2)
    student, teacher = random.standard_normal((2, 6, 1))
    found = NUMBERS.fidelity(student, teacher, teacher, ("y",), Sampling(0.999))
    assert found.figures["correlation"].low == -1.0


def test_the_correlation_of_sums_is_that_of_repeated_samples():
    random = np.random.default_rng(3)
    t = random.standard_normal((30, 2)) * [1.0, 100.0] + [5.0, -300.0]
    z = t + random.standard_normal((30, 2)) * [1.0, 30.0]
    weights = random.integers(0, 4, (10, 30))
    summed, figure = regression.correlation(z, t)
    found = figure(weights @ summed)
    for value, row in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(30), row)
        r = [stats.pearsonr(z[rows, i], t[rows, i])[0] for i in range(2)]
        assert value == pytest.approx(np.mean(r))


def test_a_teacher_that_is_constant_under_some_weights_is_left_out_there():
    t = np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 4.0], [3.0, 3.0]])
    z = np.array([[1.0, 1.0], [2.0, 3.0], [0.0, 2.0], [3.0, 2.0]])
    summed, figure = regression.correlation(z, t)
    rows = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    with np.errstate(all="raise"):
        whole, half, one = figure(rows @ summed)
    r = [stats.pearsonr(z[:, i], t[:, i])[0] for i in range(2)]
    assert whole == pytest.approx(np.mean(r))
    # In the first number the teacher says 0 twice; in the second both rise.
    assert half == pytest.approx(1.0)
    assert np.isnan(one)


def test_the_mean_of_each_number_is_the_best_constant():
    truth = np.array([[0.0, 5.0], [2.0, 5.0], [7.0, 8.0]])
    r2, rmse, mae = NUMBERS.reported
    assert r2.constant(truth).tolist() == [[3.0, 6.0]] * 3
    assert r2.constant(truth[:, 0]).tolist() == [[3.0]] * 3
    outputs = truth + np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    assert rmse.measure(outputs, truth) == pytest.approx((3.0 / 3**0.5 + 4.0 / 3**0.5) / 2)
    assert mae.measure(outputs, truth) == pytest.approx(7 / 6)
    found = NUMBERS.metrics(outputs, truth, ANY)
    assert found["RMSE"].value == pytest.approx(rmse.measure(outputs, truth))
    assert found["MAE"].value == pytest.approx(7 / 6)
    assert found["RMSE[1]"].value == pytest.approx(4.0 / 3**0.5)
    assert found["MAE[0]"].value == pytest.approx(1.0)


def test_one_sample_has_its_errors_and_no_interval_without_a_warning():
    with np.errstate(all="raise"):
        found = NUMBERS.metrics(np.array([[3.0]]), np.array([[1.0]]), ANY)
    assert {name: figure.value for name, figure in found.items()} == {"RMSE": 2.0, "MAE": 2.0}
    assert found["RMSE"].missing == "an interval takes at least 3 samples, there were 1"
