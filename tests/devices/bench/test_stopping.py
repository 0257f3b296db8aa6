"""When a measurement may end, and that looking often deceives nobody."""

from itertools import islice

import numpy as np
import pytest
from edgestill.devices.bench.stopping import Looks, Until, confidence_at, schedule
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.onboard.stats.processes import median_over_processes
from edgestill.errors import UsageError


def never(models, ratios):
    return False


def run(processes, until, confidence=0.99, seconds_each=0.0):
    """The looks, how many repetitions there were, and how many of them each look saw."""
    done, looked = [], []

    def conclude(confidence):
        looked.append((len(done), confidence))
        return [len(done)], []

    looks = Looks(processes, confidence, until, clock=lambda: seconds_each * len(done))
    for repetition in looks.repetitions(conclude):
        assert repetition == len(done)
        done.append(repetition)
    return looks, len(done), looked


def test_without_a_rule_there_are_as_many_repetitions_as_asked_for_and_no_look():
    looks, done, looked = run(5, None, 0.95)
    assert (done, looked) == (5, [])
    assert (looks.confidence, looks.look, looks.enough) == (0.95, 1, True)


def test_the_errors_of_all_looks_add_up_to_no_more_than_was_allowed():
    errors = [1 - confidence_at(look, 0.99) for look in range(1, 10_000)]
    assert errors == sorted(errors, reverse=True)
    assert 0.0099 < sum(errors) <= 0.01


def test_looks_are_a_third_more_each_and_end_at_the_most():
    assert list(schedule(9, 60)) == [9, 12, 16, 22, 30, 40, 54, 60]
    assert list(schedule(9, 9)) == [9]
    assert list(schedule(9, 5)) == [5]
    assert list(islice(schedule(1, 100), 3)) == [1, 2, 3]


def test_the_first_look_is_where_an_interval_can_be():
    for processes, first in ((1, 9), (9, 9), (12, 12)):
        _, done, looked = run(processes, Until(lambda *_: True, 60.0))
        assert (done, looked[0]) == (first, (first, 0.995))
        values = np.arange(first, dtype=float)
        assert median_over_processes(values, 0.995).low is not None
    assert median_over_processes(np.arange(8.0), 0.995).low is None


def test_it_goes_on_until_it_is_enough_and_each_look_knows_its_confidence():
    looks, done, looked = run(9, Until(lambda models, ratios: models[0] >= 20, 60.0))
    assert done == 22
    assert [count for count, _ in looked] == [9, 12, 16, 22]
    assert [c for _, c in looked] == [confidence_at(k, 0.99) for k in (1, 2, 3, 4)]
    assert (looks.look, looks.confidence, looks.enough) == (4, confidence_at(4, 0.99), True)


def test_at_the_most_processes_it_ends_and_was_not_enough():
    looks, done, _ = run(9, Until(never, 60.0, max_processes=13))
    assert (done, looks.look, looks.enough) == (13, 3, False)


def test_a_look_is_added_where_a_tail_can_be_decided_and_none_is_before_the_smallest():
    assert list(schedule(16, 60, (16, 59))) == [16, 22, 30, 40, 54, 59, 60]
    until = Until(lambda models, _: models[0] >= 50, 99.0, counts=(20, 50))
    looks, done, looked = run(9, until)
    assert [count for count, _ in looked] == [20, 27, 36, 48, 50]
    assert (done, looks.look) == (50, 5)


def test_models_that_are_finished_are_left_out_for_good_and_their_time_is_not_counted():
    done, spent = {"a": 0, "b": 0}, [0.0]

    def unfinished(models, _):
        return frozenset("a" if done["a"] < 16 else "ab")

    rule = Until(never, 26.0, unfinished=unfinished)
    looks, taken = Looks(9, 0.99, rule, clock=lambda: spent[0]), []
    for _ in looks.repetitions(lambda _: (["a", "b"], [])):
        for name in ("a", "b") if looks.unfinished is None else looks.unfinished:
            done[name] += 1
            spent[0] += 1.0
            taken.append(name)
    # 18 s for nine of both; three more of a fit, then four more, but no six.
    assert done == {"a": 16, "b": 9}
    assert looks.unfinished == {"a"}


@pytest.mark.parametrize(("seconds", "processes"), [(36.9, 12), (37.0, 16)])
def test_what_is_left_is_a_part_of_what_was_left_before(seconds, processes):
    # Three models take 27 s for nine processes; two of them 6 s for three more; one 4 s for four.
    done, spent = [], [0.0]
    left = {9: "ab", 12: "a", 16: "abc"}

    def unfinished(models, ratios):
        assert (models, ratios) == (["a", "b", "c"], ["b over a"])
        return frozenset(left[len(done)])

    rule = Until(never, seconds, 16, unfinished=unfinished)
    looks = Looks(9, 0.99, rule, clock=lambda: spent[0])
    for _ in looks.repetitions(lambda _: (["a", "b", "c"], ["b over a"])):
        done.append(1)
        spent[0] += 3.0 if looks.unfinished is None else len(looks.unfinished)
    assert (len(done), looks.unfinished) == (processes, {"a"})


def test_one_model_that_is_unfinished_takes_as_long_as_before():
    rule = Until(never, 11.9, unfinished=lambda *_: frozenset("a"))
    _, done, _ = run(9, rule, seconds_each=1.0)
    assert done == 9


def test_models_that_are_all_finished_take_no_time():
    rule = Until(never, 9.0, 13, unfinished=lambda *_: frozenset())
    looks, done, _ = run(9, rule, seconds_each=1.0)
    assert (done, looks.unfinished) == (12, frozenset())


def test_the_processes_at_each_look_are_known_before():
    assert Looks(5, 0.95, None).counts() == [5]
    assert Looks(9, 0.99, Until(never, 1.0, max_processes=13)).counts() == [9, 12, 13]
    assert Looks(20, 0.99, Until(never, 1.0, max_processes=13)).counts() == [20]
    assert Looks(2, 0.5, Until(never, 1.0, max_processes=5)).counts() == [3, 4, 5]
    assert Looks(9, 0.99, Until(never, 1.0, 30, counts=(25, 20))).counts() == [20, 25, 30]


def test_a_run_may_take_one_process_and_any_finite_time():
    assert Until(never, 1e-9, 1).max_processes == 1
    assert Until(never, 1e9).max_processes == 2000


@pytest.mark.parametrize(("seconds", "processes"), [(1.0, 9), (11.9, 9), (12.0, 12), (21.9, 16)])
def test_what_would_not_end_in_time_is_not_begun(seconds, processes):
    looks, done, looked = run(9, Until(never, seconds), seconds_each=1.0)
    assert (done, looked[-1][0], looks.enough) == (processes, processes, False)


def test_time_up_before_the_first_look_still_says_whether_it_was_enough():
    rule = Until(lambda models, ratios: models == [2], 1.0)
    looks, done, looked = run(2, rule, seconds_each=1.0)
    assert (done, looked) == (2, [(2, 0.995)])
    assert looks.enough


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((0.0,), "max_seconds: found 0.0, expected above 0"),
        ((float("inf"),), "max_seconds: found inf, expected above 0"),
        ((float("nan"),), "max_seconds: found nan, expected above 0"),
        ((1.0, 0), "max_processes: found 0, expected at least 1"),
    ],
)
def test_rules_that_no_run_could_honour_are_refused(given, words):
    with pytest.raises(UsageError) as refused:
        Until(never, *given)
    assert str(refused.value) == words


def looked(values, interval):
    """The first interval that leaves 0 out, over all looks, as a Looks would see them."""
    for look, count in enumerate(schedule(9, len(values)), 1):
        found: Estimate = interval(values[:count], look)
        if found.low is not None and not found.low <= 0.0 <= found.high:
            return True
    return False


def test_who_stops_when_he_likes_is_wrong_no_more_often_than_he_says_and_naively_far_more():
    random = np.random.default_rng(0)
    trials = [random.standard_normal(96) for _ in range(2000)]
    ours = [looked(one, lambda v, k: median_over_processes(v, confidence_at(k, 0.99)))
            for one in trials]  # fmt: skip
    naive = [looked(one, lambda v, _: median_over_processes(v, 0.99)) for one in trials]
    assert np.mean(ours) <= 0.01
    assert np.mean(naive) > 0.02
