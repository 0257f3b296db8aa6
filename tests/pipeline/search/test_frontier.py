"""A whole search with trials that train nothing: what is explored, trained and kept."""

import itertools

import pytest
from edgestill.errors import HostError, NoEffectError, RecipeError, StorageError
from edgestill.pipeline.recipe.files import parse
from edgestill.pipeline.search import study as studies
from edgestill.pipeline.search.explored import best_of
from edgestill.pipeline.search.frontier import FrontierSearch, Options
from edgestill.pipeline.search.frontier_record import recipes_of, record_of
from fake_trials import FakeTrials, recipe

SEARCH = {"models": ["resnet8"], "widths": [4, 8, 16, 32], "choices": ["student", "epochs"]}


def by_width(r):
    """Wider is better and slower; int8 loses a point and takes a third of the time."""
    width = r.student.width
    score = 0.99 - 1.0 / width + 0.001 * (r.distill.epochs > 25)
    return {"fp32": (score, 0.01 * width), "int8-static": (score - 0.01, 0.004 * width)}


def searched(worth=by_width, given=None, trials=8, objectives=("latency",), at_once=1, **more):
    fake = FakeTrials(worth, at_once=at_once)
    options = Options(trials, more.pop("minutes", None), objectives)
    search = FrontierSearch(given or recipe(search=SEARCH), fake, options, **more)
    search.run()
    return search, fake


def test_the_frontier_is_that_of_all_files_and_was_trained_for_the_whole():
    search, fake = searched()
    record = record_of(search)
    assert search.ended == "8 choices were explored"
    every = [p for p in record.points if p.whole]
    best = [
        p
        for p in every
        if not any(
            o.score.value >= p.score.value
            and o.figures["latency"].value <= p.figures["latency"].value
            and o is not p
            for o in every
        )
    ]
    assert {(p.explored, p.file) for p in record.frontier} == {(p.explored, p.file) for p in best}
    assert all(point.whole for point in record.frontier)
    latencies = [point.figures["latency"].value for point in record.frontier]
    assert latencies == sorted(latencies)
    # A quarter of the epochs first; then those of the frontier alone.
    assert len(fake.trained) == 8
    assert {share for _, share in fake.trained} == {0.25}
    assert len(fake.judged) == sum(one.whole for one in record.explored) < 8


def test_test_is_never_looked_at_and_each_point_says_what_its_score_is():
    search, _ = searched()
    record = record_of(search)
    assert record.samples == search.trials.data(search.recipe).record.samples("validation")
    short = [point for point in record.points if not point.whole]
    assert all(point.score.low is None and point.score.missing for point in short)


def test_the_recipe_of_a_point_makes_its_student_its_epochs_and_its_file():
    search, _ = searched()
    record = record_of(search)
    recipes = recipes_of(search, record)
    assert len(recipes) == len(record.frontier)
    import tomllib

    for point in record.frontier:
        made = parse(tomllib.loads(recipes[point.recipe]), where="a test")
        explored = record.explored_of(point)
        assert made.student.width == explored.settings["student.width"]
        assert made.distill.epochs == point.epochs == explored.settings["distill.epochs"]
        assert made.compress.variants == (point.file,)
        assert made.search is None
        if point.file == "int8-static":
            assert made.gate.prefer == point.prefers == "latency"


def test_the_hypervolume_never_falls_and_that_of_the_frontier_is_of_the_same_box():
    record = record_of(searched()[0])
    grown = [one.hypervolume for one in record.explored]
    assert grown == sorted(grown)
    assert 0.0 < record.hypervolume < 1.0
    # Int8 loses a point, which a short training does not show.
    assert record.hypervolume < grown[-1]


def test_what_mattered_is_known_from_eight_choices_on():
    record = record_of(searched()[0])
    assert max(record.importance["score"], key=record.importance["score"].get) == "student.width"
    few = record_of(searched(trials=4)[0])
    assert few.importance == {}
    assert few.importance_missing == "4 choices were trained; it takes 8"


def test_a_choice_that_is_far_over_a_budget_is_not_trained():
    tight = {"min_accuracy": 0.5, "max_p50_ms": 0.05}
    search, fake = searched(given=recipe(search=SEARCH, gate=tight))
    record = record_of(search)
    # At width 32 even int8 takes 0.128 ms.
    left_out = [one for one in record.explored if one.pruned]
    assert {one.settings["student.width"] for one in left_out} == {32.0}
    assert "times what max_p50_ms allows" in left_out[0].pruned
    assert 32 not in {width for width, _ in fake.trained}
    assert all(point.misses for point in record.points if point.figures["latency"].value > 0.05)


def test_where_no_choice_comes_near_a_budget_that_is_said():
    tight = {"min_accuracy": 0.5, "max_p50_ms": 0.0001}
    with pytest.raises(RecipeError, match=r"budgets that no choice comes near.*max_p50_ms"):
        searched(given=recipe(search=SEARCH, gate=tight))


def test_nothing_larger_is_trained_where_a_smaller_one_has_the_best_score_there_is():
    def perfect(r):
        return {"fp32": (1.0, 0.01 * r.student.width)}

    search, fake = searched(perfect, given=recipe(search={**SEARCH, "choices": ["student"]}))
    record = record_of(search)
    assert search.ended == "every choice was explored"
    assert [point.figures["latency"].value for point in record.frontier] == [0.04]
    assert any(one.pruned and "best score there is" in one.pruned for one in record.explored)
    assert len(fake.trained) < 4
    assert best_of("share") == 1.0
    assert best_of("label unit") is None


def test_a_choice_that_fails_is_kept_with_its_error_and_the_search_goes_on():
    def fails(r):
        if r.student.width == 16:
            raise NoEffectError("the loss gave no gradient")
        return by_width(r)

    record = record_of(searched(fails)[0])
    failed = [one for one in record.explored if one.failed]
    assert {one.settings["student.width"] for one in failed} == {16.0}
    assert "no gradient" in failed[0].failed
    assert record.frontier


@pytest.mark.parametrize("error", [StorageError("a full disk"), NoEffectError("nothing learns")])
def test_a_full_disk_ends_it_at_once_and_so_does_a_failure_of_all(error):
    def fails(r):
        raise error

    with pytest.raises(type(error)):
        searched(fails, trials=3)


def test_time_is_kept_for_the_whole_trainings():
    ticks = itertools.count(0.0, 1.0)
    search, _ = searched(minutes=1.0, clock=lambda: next(ticks))
    record = record_of(search)
    assert search.ended.startswith("1 minute was over")
    assert len(record.explored) < 8
    assert any(point.whole for point in record.frontier)


def test_one_choice_is_explored_however_short_the_time_and_its_score_is_that_of_a_short_training():
    ticks = itertools.count(0.0, 60.0)
    search, fake = searched(minutes=0.5, clock=lambda: next(ticks))
    record = record_of(search)
    assert len(fake.trained) == 1
    assert "not all of the frontier was trained for the whole" in record.ended
    assert not any(point.whole for point in record.frontier)
    import tomllib

    (text, *_) = recipes_of(search, record).values()
    made = parse(tomllib.loads(text), where="a test")
    assert made.distill.epochs == record.frontier[0].epochs
    assert "short training" in text


def test_a_student_that_is_a_function_stays_and_its_training_is_searched():
    given = recipe(
        student={"model": "fake_trials:recipe"}, search={"choices": ["student", "alpha"]}
    )
    search, _ = searched(lambda r: {"fp32": (r.distill.alpha * 0.9, 1.0)}, given=given, trials=3)
    record = record_of(search)
    assert {tuple(one.settings) for one in record.explored} == {("distill.alpha",)}
    assert [point.score.value for point in record.frontier] == [0.9]


def test_on_one_worker_nothing_is_begun_ahead():
    _, fake = searched()
    assert {what for what, _ in fake.begun} == {"validation"}


def test_on_several_workers_what_is_explored_next_is_begun_and_what_is_left_out_is_not_trained():
    def heavy(r):
        """The widest is too large for the budget of latency by far."""
        return {
            name: (score, ms * 100 ** (r.student.width == 32))
            for name, (score, ms) in by_width(r).items()
        }

    search, fake = searched(heavy, at_once=2)
    begun = {what: [width for one, width in fake.begun if one == what] for what, _ in fake.begun}
    explored = [one.recipe.student.width for one in search.tried]
    assert begun["resources"] == explored
    assert 32 in explored
    assert begun["short training"] == [width for width in explored if width != 32]
    assert [width for width, _ in fake.trained] == begun["short training"]


def test_several_workers_explore_no_choice_twice_and_as_many_as_were_wanted():
    search, _ = searched(at_once=3, trials=7)
    changes = [one.change for one in search.tried]
    assert len(changes) == 7
    assert all(one not in changes[:at] for at, one in enumerate(changes))


def test_a_student_that_is_to_be_chosen_is_one_of_the_candidates():
    search, _ = searched(given=recipe(student={"model": "auto"}, search=SEARCH))
    record = record_of(search)
    assert all("student.width=" in "".join(one.changes) for one in record.explored)


def test_without_optuna_nothing_is_begun(monkeypatch):
    def absent():
        raise HostError("optuna is not installed")

    monkeypatch.setattr(studies, "available", absent)
    with pytest.raises(HostError):
        searched()
