"""The page of mutation testing: totals, intervals and reasons."""

import json

import pytest
from tools import mutants_page
from tools.mutants_page import keep, kept, page

ALL = {"tried": 40, "noticed": 39, "of": 40, "day": "2026-01-02"}
SOME = {"tried": 50, "noticed": 48, "of": 400, "day": "2026-01-03"}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    for name in ("all.py", "some.py"):
        (tmp_path / name).touch()
    monkeypatch.setattr(mutants_page, "ROOT", tmp_path)
    monkeypatch.setattr(mutants_page, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(mutants_page, "REASONS", tmp_path / "reasons.json")
    return tmp_path


def test_modules_that_were_sampled_are_counted_apart_and_with_an_interval():
    keep({"all.py": ALL, "some.py": SOME}, {"judge": SOME | {"share": "8/1"}})
    drawn = page()
    assert "all changes were tried: 39 of 40 noticed (97.5 %).\n" in drawn
    # Clopper and Pearson's interval of 48 of 50
    sampled = "48 of 50 noticed (96.0 %) of the 400 that there are; 95 % interval 86.3 to 99.5 %."
    assert sampled in drawn
    assert (
        "share of `judge` that no test was written for (8/1, 2026-01-03): 48 of 50 noticed "
        "(96.0 %); 95 % interval 86.3 to 99.5 %.\n"
    ) in drawn
    assert "| `some.py` | 400 | 50 | 48 | 96.0 % | 2026-01-03 |" in drawn


def test_what_was_tried_earlier_is_kept_until_it_is_tried_again_or_gone(root):
    keep({"all.py": ALL, "some.py": SOME}, {})
    keep({"some.py": ALL, "all.py": ALL | {"tried": 0}}, {})
    assert kept() == {"modules": {"all.py": ALL, "some.py": ALL}, "unseen": {}}
    (root / "all.py").unlink()
    keep({}, {"judge": SOME})
    assert kept() == {"modules": {"some.py": ALL}, "unseen": {"judge": SOME}}


def test_reasons_are_listed(root):
    (root / "reasons.json").write_text(json.dumps({"all.py:area": "A side of 0 has no area."}))
    assert "- `all.py:area`: A side of 0 has no area.\n" in page()
