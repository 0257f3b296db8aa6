"""What is asked next: nothing twice, the same after a stop, and all there is in the end."""

import pytest
from edgestill.errors import HostError
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.search.choices import space_of
from edgestill.pipeline.search.study import FILE, Study, importance
from fake_trials import recipe

WIDTHS = (4, 8, 16, 32, 64)
ARCHITECTURES = tuple(Architecture(model="resnet8", width=width) for width in WIDTHS)


def space(**search):
    return space_of(recipe(search=search), ARCHITECTURES)


def worth(chosen, picks):
    """Two files of a choice, of which width alone decides."""
    width = chosen.change(picks)["student.width"]
    return [(-(1.0 - 1.0 / width), times * width**2) for times in (1.0, 0.3)]


def asked(study, chosen, count):
    found = []
    for _ in range(count):
        picks = study.ask()
        study.tell(picks, worth(chosen, picks))
        found.append(picks)
    return found


def test_the_recipe_itself_is_asked_first_and_nothing_twice():
    chosen = space()
    study = Study(None, chosen, directions=2, seed=0)
    found = asked(study, chosen, 20)
    assert found[0] == chosen.own()
    assert len({str(chosen.change(picks)) for picks in found}) == 20


def test_a_stopped_search_goes_on_as_if_it_had_not_been(tmp_path):
    chosen = space()
    whole = asked(Study(None, chosen, directions=2, seed=3), chosen, 12)
    path = tmp_path / "a.journal"
    first = asked(Study(path, chosen, directions=2, seed=3), chosen, 7)
    second = Study(path, chosen, directions=2, seed=3)
    assert second.told == first == whole[:7]
    assert asked(second, chosen, 5) == whole[7:]


def test_several_are_asked_at_once_each_another_and_none_is_told_by_that():
    chosen = space()
    study = Study(None, chosen, directions=2, seed=0)
    several = study.ask_several(6)
    assert several[0] == chosen.own()
    assert len({str(chosen.change(picks)) for picks in several}) == 6
    assert study.told == []
    assert study.ask_several(1) == several[:1]
    for picks in several:
        study.tell(picks, worth(chosen, picks))
    later = study.ask_several(6)
    assert not {str(chosen.change(one)) for one in later} & {
        str(chosen.change(one)) for one in several
    }


def test_of_a_small_space_no_more_are_asked_at_once_than_are_left():
    chosen = space(choices=["student"])
    study = Study(None, chosen, directions=2, seed=0)
    assert len(study.ask_several(50)) == chosen.size
    asked(study, chosen, 2)
    assert len(study.ask_several(50)) == chosen.size - 2


def test_another_seed_asks_otherwise():
    chosen = space()
    one, other = (asked(Study(None, chosen, directions=2, seed=s), chosen, 6) for s in (0, 1))
    assert one != other


def test_all_choices_are_asked_and_then_none():
    chosen = space(choices=["student", "epochs"])
    study = Study(None, chosen, directions=2, seed=0)
    assert len(asked(study, chosen, 10)) == chosen.size == 10
    assert study.ask() is None


def test_choices_that_were_left_out_are_not_asked_again(tmp_path):
    chosen = space(choices=["student"])
    study = Study(tmp_path / "a.journal", chosen, directions=2, seed=0)
    study.tell(study.ask(), [])
    assert study.ask() not in study.told
    again = Study(tmp_path / "a.journal", chosen, directions=2, seed=0)
    assert again.told == study.told


def test_a_journal_that_was_torn_is_set_aside_and_begun_again(tmp_path):
    chosen, path, told = space(), tmp_path / "a.journal", []
    asked(Study(path, chosen, directions=2, seed=0), chosen, 3)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:4], lines[4][:9], *lines[5:]]))
    study = Study(path, chosen, directions=2, seed=0, warn=told.append)
    assert study.told == []
    assert "set aside" in told[0]
    assert (tmp_path / ".bad-a.journal").exists()
    asked(study, chosen, 2)


def test_what_decides_a_figure_matters_and_training_does_not_change_a_size():
    chosen = space()
    study = Study(None, chosen, directions=2, seed=0)
    told = [
        (picks, file, {"score": -score, "size": size})
        for picks in asked(study, chosen, 24)
        for file, (score, size) in zip(("fp32", "int8-static"), worth(chosen, picks), strict=True)
    ]
    found = importance(chosen, told, 0)
    assert max(found["score"], key=found["score"].get) == "student.width"
    assert sum(found["score"].values()) == pytest.approx(1.0)
    assert set(found["size"]) == {"student.width", FILE}
    same = [(picks, file, {**figures, "size": 1.0}) for picks, file, figures in told]
    assert "size" not in importance(chosen, same, 0)


def test_without_optuna_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(HostError, match=r"pip install 'edgestill\[search\]'"):
        Study(None, space(), directions=2, seed=0)
