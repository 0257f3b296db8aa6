"""A ladder costs a verdict nothing of its promise; ``bench_ladder_promise.py`` is the long form."""

from simulated import unlikely
from simulated_ladder import Sizes, at_budget, climbs, each_rung_gives

CLIMBS = 40


def test_some_ten_recipes_at_the_budget_do_not_make_ready():
    found = climbs(at_budget("score"), Sizes(validation=200, test=600), CLIMBS)
    assert not unlikely(found.ready, CLIMBS)
    assert max(found.rungs) >= 10


def test_rungs_that_help_are_found_on_few_samples_and_their_recipe_is_ready():
    found = climbs(each_rung_gives(0.0, 0.06), Sizes(validation=1000, test=600), 15)
    assert found.ready > 10
    assert found.at_once < 3
