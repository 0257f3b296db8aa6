"""Recall by class: the worst class, and how surely it is known."""

from dataclasses import replace

import numpy as np
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.tasks.class_recall import (
    WORST_RECALL,
    Recalled,
    class_drops,
    recalls,
    together,
    worst_class,
    worst_drop,
    worst_of,
)
from edgestill.pipeline.tasks.proportions import paired_difference, proportion
from edgestill.pipeline.tasks.sampling import Sampling

ANY = Sampling(0.95)
SINGLE = [Estimate(0.1, 0.05, 0.15, "m", 9), Estimate(0.0, -0.5, 0.5, "m", 2)]
FAMILY = [Estimate(0.1, 0.04, 0.16, "m", 9), Estimate(0.0, -0.6, 0.6, "m", 2)]


def test_the_worst_lies_between_the_largest_ends():
    found = worst_of(SINGLE, FAMILY, 11)
    assert (found.value, found.low, found.high, found.n) == (0.1, 0.04, 0.5, 11)


def test_what_could_not_be_had_may_be_the_worst():
    found = worst_of(SINGLE[:1], FAMILY[:1], 9, unseen=1)
    assert (found.value, found.low, found.high) == (0.1, 0.04, 1.0)
    assert "; not available, so anything up to 1: 1" in found.method
    half = [Estimate(0.1, None, None, "m", 1, "only one")]
    found = worst_of(half, half, 1)
    assert (found.value, found.low, found.missing) == (0.1, None, "only one")


def test_intervals_that_hold_together_share_the_error():
    assert together(0.99, 4) == pytest.approx(0.9975)
    assert together(0.99, 0) == 0.99


def test_the_worst_class_drop_covers_the_worst():
    random = np.random.default_rng(9)
    drops, rows = np.array([0.0, 0.02, 0.05, 0.05]), np.arange(150)
    missed = np.zeros(2)
    for _ in range(500):
        lost = random.random((4, 150)) < (0.03 + drops)[:, None]
        won = ~lost & (random.random((4, 150)) < 0.03 / (0.97 - drops)[:, None])
        recalled = [Recalled(rows, ~w, ~one) for one, w in zip(lost, won, strict=True)]
        worst = worst_drop(recalled, ANY, "class")
        missed += [worst.high < drops.max(), worst.low > drops.max()]
    assert (missed / 500 <= 0.025).all()


def test_the_lowest_recall_is_that_of_the_worst_class_and_no_surer():
    right = [np.arange(100) < 95, np.arange(20) < 14]
    rows = [np.arange(100), np.arange(100, 120)]
    found = recalls(list(zip(rows, right, strict=True)), ANY)
    assert found["recall[1]"] == proportion(14, 20, 0.95)
    worst = found[WORST_RECALL]
    assert (worst.value, worst.n) == (0.7, 120)
    assert worst.low == pytest.approx(proportion(14, 20, 0.95).low)
    assert worst.high == pytest.approx(proportion(14, 20, 0.975).high)
    assert recalls([(rows[0][:0], right[0][:0])], ANY) == {}


def test_a_class_of_one_person_has_no_interval():
    people = np.repeat([0, 1, 2, 3], 10)
    rows, right = np.arange(10), np.arange(10) < 9
    found = recalls(
        [(rows, right), (np.arange(10, 40), np.arange(30) < 28)], Sampling(0.95, people)
    )
    assert found["recall[0]"].missing == "an interval takes at least 3 groups, there were 1"
    assert (found[WORST_RECALL].value, found[WORST_RECALL].low) == (0.9, None)


def _drops(*recalled):
    return class_drops(tuple("abc"[: len(recalled)]), recalled, ANY)


def test_the_worst_class_is_the_one_that_lost_most_of_those_tested():
    rows, yes, no = np.arange(10), np.ones(10, bool), np.zeros(10, bool)
    none = Recalled(rows[:0], yes[:0], yes[:0])
    kept, lost, won = (Recalled(rows, *pair) for pair in ((yes, yes), (yes, no), (no, yes)))
    found = _drops(none, kept, lost)
    assert worst_class(found) == "c"
    assert worst_class(_drops(won, kept)) == "b"
    assert worst_class(_drops(none)) is None
    assert [one.samples for one in found] == [0, 10, 10]
    assert [one.teacher_recall for one in found] == [None, 1.0, 1.0]
    assert [one.student_recall for one in found] == [None, 1.0, 0.0]
    assert found[0].drop.missing == "test has no sample of 'a'"
    # Two are tested, so that each has half of the error.
    assert found[2].drop == paired_difference(yes, no, Sampling(0.975))
    with pytest.raises(ValueError, match="1 names for 2 classes"):
        class_drops(("a",), [kept, lost], ANY)


def test_the_worst_drop_rests_on_all_samples_that_are_of_a_class():
    rows, yes, no = np.arange(10), np.ones(10, bool), np.zeros(10, bool)
    of_two = [Recalled(rows, yes, no), Recalled(rows[:8] + 5, yes[:8], yes[:8])]
    found = worst_drop(of_two, ANY, "label")
    assert (found.value, found.n) == (1.0, 13)
    assert found.low == pytest.approx(paired_difference(yes, no, Sampling(0.975)).low)
    people = Sampling(0.95, np.arange(13) // 2)
    assert worst_drop(of_two, people, "label").n == 7
    nothing = worst_drop([Recalled(rows[:0], yes[:0], yes[:0])], ANY, "label")
    assert nothing.missing == "test has no sample of any label"


def test_the_largest_of_several_says_of_which_ends_it_is_made():
    found = worst_of(SINGLE, [replace(one, method="f") for one in FAMILY], 11)
    told = "largest of 2, from the largest lower to the largest upper end; "
    assert found.method == told + "upper ends: m; lower ends: f"
    assert found.missing is None
    # The lower end of another may lie above the largest value observed.
    family = [FAMILY[0], replace(FAMILY[1], low=0.3)]
    assert worst_of(SINGLE, family, 11).low == 0.1
    lacking = Estimate(0.2, None, None, "m", 1)
    found = worst_of([SINGLE[0], lacking], [FAMILY[0], lacking], 11)
    assert (found.value, found.low, found.high) == (0.2, None, None)
    assert (found.missing, found.n) == ("an interval is missing", 11)


def test_the_lowest_recall_says_that_it_is_what_was_missed():
    right = np.arange(20) < 14
    found = recalls([(np.arange(20), right), (np.arange(20, 50), np.ones(30, bool))], ANY)
    assert list(found) == [WORST_RECALL, "recall[0]", "recall[1]"]
    assert found[WORST_RECALL].method.startswith("1 - share missed, largest of 2")
    assert (found[WORST_RECALL].unit, found[WORST_RECALL].kind) == ("share", "measured")
    assert found["recall[1]"] == proportion(30, 30, 0.95)
    lacking = recalls([(np.arange(0), right[:0]), (np.arange(20), right)], ANY)
    assert list(lacking) == [WORST_RECALL, "recall[1]"]
    assert lacking[WORST_RECALL].value == pytest.approx(0.7)
    several = recalls([(np.arange(20), right), (np.arange(10, 30), right)], ANY)
    assert several[WORST_RECALL].n == 30
