"""Proportions and their paired differences: published intervals, and every outcome there is."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import proportions
from edgestill.pipeline.tasks.proportions import paired_difference, proportion, share
from edgestill.pipeline.tasks.sampling import Sampling
from scipy import optimize, special, stats

ANY = Sampling(0.95)
PEOPLE = np.repeat([0, 1, 2], 200)


def _of_people(*rates):
    return np.concatenate([np.arange(200) < round(200 * rate) for rate in rates])


def test_three_people_say_little_whatever_their_windows():
    right = _of_people(0.859, 0.641, 0.91)
    alone, grouped = (share(right, Sampling(0.99, groups)) for groups in (None, PEOPLE))
    assert alone.value == grouped.value == pytest.approx(0.803, abs=1e-3)
    assert alone.low > 0.75
    assert grouped.low < 0.1
    assert grouped.n == 3
    assert "3 groups" in grouped.method


def test_two_people_have_no_interval_and_alike_people_only_that_of_the_unseen():
    two = share(np.arange(400) < 300, Sampling(0.99, np.repeat([0, 1], 200)))
    assert (two.value, two.low, two.high) == (0.75, None, None)
    assert two.missing == "an interval takes at least 3 groups, there were 2"
    alike = share(_of_people(0.9, 0.9, 0.9), Sampling(0.99, PEOPLE))
    # 1 - 0.0045 ** (1 / 3) of all people may get nothing right; a tenth of the error is another's.
    assert alike.low == pytest.approx(0.9 * 0.0045 ** (1 / 3))


def test_a_paired_difference_of_people_is_judged_by_people():
    before, after = _of_people(0.9, 0.9, 0.9), _of_people(0.9, 0.85, 0.6)
    assert paired_difference(before, after, Sampling(0.99)).low > 0.05
    grouped = paired_difference(before, after, Sampling(0.99, PEOPLE))
    assert grouped.value == pytest.approx(0.35 / 3)
    assert grouped.low < -0.9
    assert grouped.high > 0.9
    assert grouped.n == 3


def test_the_exact_interval_is_the_published_one():
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 5.
    for successes, n, low, high in [
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ]:
        found = proportion(successes, n, 0.95)
        assert found.value == successes / n
        assert (found.low, found.high) == (
            pytest.approx(low, abs=5e-5),
            pytest.approx(high, abs=5e-5),
        )


def test_the_exact_interval_ends_exactly_at_its_bounds():
    assert proportion(0, 7, 0.95).low == 0.0
    assert proportion(7, 7, 0.95).high == 1.0
    assert proportion(0, 0, 0.95).missing == "no observations"


def _pairs(both, only_a, only_b, neither):
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return a, b


def test_the_paired_difference_has_the_published_interval(monkeypatch):
    # Fagerland, Lydersen & Laake, Statistics in Medicine 33, 2014, table VI: 1, 1, 7, 12, before
    # anything is moved towards 0.
    moved = paired_difference(*_pairs(1, 1, 7, 12), ANY)
    monkeypatch.setattr(proportions, "_MOVED", (0.0, 0.0))
    found = paired_difference(*_pairs(1, 1, 7, 12), ANY)
    assert (found.low, found.high) == (
        pytest.approx(-0.517, abs=5e-4),
        pytest.approx(-0.026, abs=5e-4),
    )
    assert moved.low < found.low < found.value < found.high < moved.high


@pytest.mark.parametrize(
    ("n", "lost", "won"),
    [(50, 0.02, 0.0), (50, 0.1, 0.1), (200, 0.0, 0.1), (200, 0.02, 0.01), (200, 0.1, 0.02)],
)
def test_no_end_of_the_paired_difference_errs_much_more_often_than_it_says(n, lost, won):
    """Of all outcomes, how probable are those whose interval leaves out the true difference."""
    error, below, above = 0.00125, 0.0, 0.0
    how = Sampling(1 - error)
    for only_a in range(n // 3):
        for only_b in range(n // 3):
            counts = [only_a, only_b, n - only_a - only_b]
            chance = stats.multinomial.pmf(counts, n, [lost, won, 1 - lost - won])
            if chance > 1e-9:
                found = paired_difference(*_pairs(counts[2], only_a, only_b, 0), how)
                below += chance * (found.high < lost - won)
                above += chance * (found.low > lost - won)
    # What READY rests on where a loss is allowed is an upper end above 0.
    assert below <= (1.0 if lost > won else 1.2) * error / 2
    assert above <= (1.0 if won > lost else 1.2) * error / 2


def test_two_models_that_never_differ_still_have_an_interval():
    found = paired_difference(*_pairs(100, 0, 0, 0), ANY)
    assert found.value == 0.0
    assert found.low < 0.0 < found.high


def test_the_paired_difference_covers_where_models_hardly_disagree():
    random = np.random.default_rng(2)
    outcomes = random.choice(4, p=[0.93, 0.03, 0.02, 0.02], size=(2000, 300))
    found = [paired_difference(one < 2, (one == 0) | (one == 2), ANY) for one in outcomes]
    covered = np.mean([one.low <= 0.01 <= one.high for one in found])
    assert covered >= 0.94


def test_paired_arrays_must_be_boolean_and_of_one_length():
    with pytest.raises(ValueError, match="boolean"):
        paired_difference([1, 0], [True, False], ANY)
    with pytest.raises(ValueError, match="one length"):
        paired_difference([True], [True, False], ANY)


def tango(only_a, only_b, n, difference):
    """Tango's score with the likelihood's maximum found by search, and the move against it."""
    low, high = max(0.0, -difference), (1.0 - difference) / 2.0

    def minus_likelihood(b):
        shares = np.array([b + difference, b, 1.0 - 2.0 * b - difference])
        return -special.xlogy([only_a, only_b, n - only_a - only_b], shares).sum()

    b = optimize.minimize_scalar(
        minus_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    ).x
    deviation = np.sqrt(n * (2.0 * b + difference - difference**2))
    moved = 1.5 if difference < 0.0 else 0.5
    return (only_a - only_b - n * difference + moved) / deviation


@pytest.mark.parametrize(
    ("both", "only_a", "only_b", "neither"),
    [(20, 8, 3, 5), (3, 1, 9, 2), (90, 4, 4, 2), (0, 6, 1, 0), (40, 0, 5, 3)],
)
def test_the_ends_of_a_paired_difference_are_where_tangos_score_is_its_quantile(
    both, only_a, only_b, neither
):
    n = both + only_a + only_b + neither
    found = paired_difference(*_pairs(both, only_a, only_b, neither), ANY)
    z, near = stats.norm.ppf(0.975), (-1e-5, 1e-5)
    # Around 0, where the move changes, it may step over its quantile.
    for a, b, end in ((only_a, only_b, found.high), (only_b, only_a, -found.low)):
        before, after = (tango(a, b, n, end + step) for step in near)
        assert before > -z > after
    assert found.value == pytest.approx((only_a - only_b) / n)
    told = "paired difference, 95 % score interval by Tango 1998"
    assert (found.method, found.n, found.unit, found.kind) == (told, n, "share", "measured")


def test_a_paired_difference_of_all_samples_ends_within_1():
    all_lost = paired_difference(*_pairs(0, 7, 0, 0), ANY)
    assert (all_lost.value, all_lost.high) == (1.0, 1.0)
    assert 0.0 < all_lost.low < 1.0
    all_won = paired_difference(*_pairs(0, 0, 7, 0), ANY)
    assert (all_won.low, all_won.high) == (-1.0, -all_lost.low)
    one = paired_difference(*_pairs(1, 0, 0, 0), ANY)
    assert -1.0 <= one.low < 0.0 < one.high <= 1.0


def test_a_proportion_says_what_it_is():
    found = proportion(3, 4, 0.95)
    told = "proportion, 95 % exact interval by Clopper & Pearson 1934"
    assert (found.method, found.n, found.unit, found.kind) == (told, 4, "share", "measured")
    exact = stats.binomtest(3, 4).proportion_ci(0.95)
    assert (found.low, found.high) == (pytest.approx(exact.low), pytest.approx(exact.high))
    none = proportion(0, 0, 0.95)
    assert (none.value, none.method, none.missing) == (None, told, "no observations")
    assert share(np.array([True, True, True, False]), ANY) == found
    none = paired_difference(np.zeros(0, bool), np.zeros(0, bool), ANY)
    told = "paired difference, 95 % score interval by Tango 1998"
    assert (none.value, none.method, none.missing) == (None, told, "no observations")
    for successes, n in ((-1, 4), (5, 4)):
        with pytest.raises(ValueError, match=f"{successes} successes of {n}"):
            proportion(successes, n, 0.95)


def test_a_share_and_a_difference_of_groups_are_named():
    people = Sampling(0.95, np.arange(8) // 2)
    flags = np.arange(8) < 3
    found = share(flags, people)
    how = "95 % interval by jackknife over 4 groups, or by betting (Waudby-Smith & Ramdas 2024)"
    assert found.method == f"proportion, {how} where that end is nearer"
    assert share(flags, people, "recall").method.startswith("recall, 95 %")
    lost = paired_difference(flags, ~flags, people)
    assert lost.value == pytest.approx(-2 / 8)
    assert lost.method == f"paired difference, {how} where that end is nearer"


def test_only_rows_of_two_answers_are_compared():
    table = np.zeros((2, 2), bool)
    with pytest.raises(ValueError, match=r"one length, found \(2, 2\) and \(2, 2\)"):
        paired_difference(table, table, ANY)
    with pytest.raises(ValueError, match="boolean arrays, found bool and int64"):
        paired_difference([True, False], np.array([1, 0]), ANY)
