"""What the mutation testing says of its results."""

import json

import pytest
from tools import mutants
from tools.mutants import KILLED, SURVIVED, UNTESTED, report

MUTATED = """
def x_area__mutmut_orig(side):
    if side < 0:
        raise ValueError("negative")
    return side * side

def x_area__mutmut_1(side):
    if side <= 0:
        raise ValueError("negative")
    return side * side

def x_area__mutmut_2(side):
    if side < 0:
        raise ValueError("XXnegativeXX")
    return side * side

def x_area__mutmut_3(side):
    if side < 0:
        raise ValueError("negative")
    return side / side
"""


@pytest.fixture
def _tried(tmp_path, monkeypatch):
    made = tmp_path / "stats" / "mutants" / "edgestill" / "devices"
    made.mkdir(parents=True)
    (made / "area.py").write_text(MUTATED)
    name = "edgestill.devices.area.x_area__mutmut_{}"
    codes = {name.format(1): 0, name.format(2): 33, name.format(3): 1}
    (made / "area.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    monkeypatch.setattr(mutants, "WORK", tmp_path)
    monkeypatch.setattr(mutants, "REASONS", tmp_path / "none.json")


@pytest.mark.usefixtures("_tried")
def test_each_mutant_has_its_outcome_its_change_and_whether_it_is_only_of_a_text():
    first, second, third = mutants.mutants("stats")
    assert (first.outcome, second.outcome, third.outcome) == (SURVIVED, UNTESTED, KILLED)
    assert [m.text_only for m in (first, second, third)] == [False, True, False]
    assert (first.module, first.function) == ("devices/area.py", "area")
    assert first.change == ("-     if side < 0:", "+     if side <= 0:")


@pytest.mark.usefixtures("_tried")
def test_the_page_counts_changes_of_code_and_lists_those_that_survived(tmp_path):
    (tmp_path / "none.json").write_text('{"devices/area.py:area": "a side of 0 has an area of 0"}')
    drawn = report(["stats"])
    assert "1 of 2 changes were noticed" in drawn
    assert "| `devices/area.py` | 2 | 1 | 50.0 % | 0 of 1 |" in drawn
    assert "`if side < 0: → if side <= 0:` a side of 0 has an area of 0" in drawn
