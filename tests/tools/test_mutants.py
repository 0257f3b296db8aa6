"""What the mutation testing says of its results."""

import json

import pytest
from tools import mutants, mutants_page
from tools.mutants import KILLED, SURVIVED, TYPES, UNTESTED, Share, report, summary

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
    root = tmp_path / "root"
    for folder in ("devices", "docs"):
        (root / folder).mkdir(parents=True)
    (root / "devices" / "area.py").touch()
    monkeypatch.setattr(mutants_page, "ROOT", root)
    monkeypatch.setattr(mutants_page, "PAGE", root / "docs" / "mutants.md")
    monkeypatch.setattr(mutants_page, "RESULTS", root / "results.json")
    monkeypatch.setattr(mutants_page, "REASONS", root / "reasons.json")


@pytest.mark.usefixtures("_tried")
def test_each_mutant_has_its_outcome_its_change_and_whether_it_is_only_of_a_text():
    first, second, third = mutants.mutants("stats")
    assert (first.outcome, second.outcome, third.outcome) == (SURVIVED, UNTESTED, KILLED)
    assert [m.text_only for m in (first, second, third)] == [False, True, False]
    assert (first.module, first.function) == ("devices/area.py", "area")
    assert first.change == ("-     if side < 0:", "+     if side <= 0:")


@pytest.mark.usefixtures("_tried")
def test_the_report_keeps_the_figures_of_each_module_and_of_a_share_beside_them():
    assert report(["stats"], None, check=False) == 0
    module = mutants_page.kept()["modules"]["devices/area.py"]
    assert module == {"tried": 2, "noticed": 1, "of": 2, "day": module["day"]}
    assert len(module["day"]) == len("2026-11-29")
    assert report(["stats"], Share(1, 0), check=False) == 0
    assert mutants_page.kept()["unseen"] == {"stats": module | {"share": "1/0"}}


@pytest.mark.usefixtures("_tried")
def test_a_page_that_is_not_what_is_kept_is_refused(capsys):
    assert report([], None, check=True) == 1
    assert "not current" in capsys.readouterr().err
    report(["stats"], None, check=False)
    assert report([], None, check=True) == 0
    mutants_page.REASONS.write_text('{"devices/area.py:area": "a side of 0"}')
    assert report([], None, check=True) == 1


def _codes(tmp_path):
    meta = tmp_path / "stats" / "mutants" / "edgestill" / "devices" / "area.py.meta"
    codes = json.loads(meta.read_text())["exit_code_by_key"]
    return meta, {int(name.rpartition("_")[2]): code for name, code in codes.items()}


def _forget(meta):
    codes = json.loads(meta.read_text())["exit_code_by_key"]
    meta.write_text(json.dumps({"exit_code_by_key": dict.fromkeys(codes)}))


@pytest.mark.usefixtures("_tried")
def test_shares_part_the_changes_of_code_between_them():
    made = list(mutants.mutants("stats"))
    held = [[m.name for m in made if Share.parse(f"2/{k}").holds(m)] for k in (0, 1)]
    assert sorted(held[0] + held[1]) == [m.name for m in made if not m.text_only]


@pytest.mark.parametrize("text", ["4/4", "4/-1", "0/0"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(ValueError, match=text):
        Share.parse(text)


@pytest.mark.usefixtures("_tried")
def test_only_those_of_a_share_that_were_not_tried_are_left_to_try(tmp_path):
    meta, _ = _codes(tmp_path)
    _forget(meta)
    mutants._skip_all_but("stats", Share.parse("1/0"))
    assert _codes(tmp_path)[1] == {1: None, 2: 34, 3: None}
    mutants._skip_all_but("stats", Share(1, 1))
    assert _codes(tmp_path)[1] == {1: 34, 2: 34, 3: 34}
    mutants._skip_all_but("stats", None)
    assert _codes(tmp_path)[1] == {1: None, 2: None, 3: None}


@pytest.mark.usefixtures("_tried")
def test_what_was_skipped_counts_as_not_tried_also_where_types_refuse_it(tmp_path):
    meta, _ = _codes(tmp_path)
    codes = {
        f"edgestill.devices.area.x_area__mutmut_{k}": code for k, code in enumerate((34, 0), 2)
    }
    codes["edgestill.devices.area.x_area__mutmut_1"] = 34
    meta.write_text(json.dumps({"exit_code_by_key": codes}))
    refused = {"devices/area.py": ["x_area__mutmut_1", "x_area__mutmut_3"]}
    (tmp_path / "stats" / mutants.TYPE_ERRORS).write_text(json.dumps(refused))
    assert {m.name[-1]: m.outcome for m in mutants.mutants("stats")} == {
        "1": None,
        "2": None,
        "3": TYPES,
    }
    assert summary(["stats"]) == {"devices/area.py": {"tried": 1, "noticed": 1, "of": 2}}


def test_a_function_is_refused_where_mypy_finds_an_error_in_it(tmp_path):
    made = tmp_path / mutants.PACKAGE
    made.mkdir()
    (made / "area.py.meta").touch()
    (made / "area.py").write_text(
        "def good(a: int) -> int:\n    return a\n\n"
        "def bad(a: int) -> int:\n    b = a\n    return str(b)\n"
    )
    assert mutants._refused_by_types(tmp_path) == {"area.py": ["bad"]}


def test_a_copy_of_the_package_is_refreshed_where_it_differs_and_nowhere_else(
    tmp_path, monkeypatch
):
    root, copy = tmp_path / "root", tmp_path / "copy"
    for name in mutants.FOLDERS:
        (root / name / "inner").mkdir(parents=True)
    (root / "py.typed").touch()
    same, changed = root / "devices" / "same.py", root / "pipeline" / "inner" / "changed.py"
    same.write_text("a = 1")
    changed.write_text("b = 1")
    monkeypatch.setattr(mutants, "ROOT", root)
    mutants._refresh(copy)
    before = (copy / "devices" / "same.py").stat().st_mtime_ns
    (copy / "devices" / "gone.py").touch()
    changed.write_text("b = 2")
    mutants._refresh(copy)
    assert (copy / "pipeline" / "inner" / "changed.py").read_text() == "b = 2"
    assert (copy / "devices" / "same.py").stat().st_mtime_ns == before
    assert not (copy / "devices" / "gone.py").exists()
