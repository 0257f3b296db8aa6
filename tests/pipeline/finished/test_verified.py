"""What was checked of a run or a bundle: exit code, sentences, document."""

from pathlib import Path

import pytest
from edgestill.pipeline.finished.verified import Verified

SAME = Verified(Path("runs/a"), "run", "digits", 40, 3, (), (), {}, ready=True)


def changed(**fields):
    whole = {name: getattr(SAME, name) for name in SAME.__dataclass_fields__}
    return Verified(**{**whole, **fields})


def test_what_is_as_it_was_says_so_on_one_line():
    assert SAME.exit_code == 0
    assert list(SAME.lines()) == [
        "40 files match the manifest, 3 models give their recorded outputs"
    ]
    assert repr(SAME).splitlines()[0] == "run digits: as it was written"
    assert SAME.to_dict() == {
        "run": "runs/a", "files": 40, "models": 3, "faults": [], "wrong": {}, "exit_code": 0,
    }  # fmt: skip
    assert SAME.records() == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"faults": ("a changed",), "ready": False}, 3),
        ({"not_run": ("m: no litert",), "ready": False}, 4),
        ({"wrong": {"fp32": ("unsteady",)}, "ready": False}, 1),
        ({"wrong": {"fp32": ("unsteady",)}}, 0),
    ],
)
def test_the_exit_code_is_of_the_gravest(fields, code):
    found = changed(**fields)
    assert found.exit_code == code
    assert found.to_dict()["exit_code"] == code
    assert len(found.records()) == 1


def test_sentences_name_faults_in_their_order_and_a_screen_has_the_first():
    found = changed(faults=tuple(f"file {n} changed" for n in range(30)), ready=False)
    assert next(iter(found.lines())) == "file 0 changed"
    assert len(repr(found).splitlines()) <= 24
    assert "and 18 more" in repr(found)
    assert "changed" in repr(found).splitlines()[0]


def test_a_bundle_has_its_own_document_and_is_for_inspection_where_not_ready():
    found = changed(kind="bundle", path=Path("b.zip"), ready=False, not_run=("m: no litert",))
    assert list(found.lines())[1:] == [
        "not run: m: no litert",
        "for inspection only: not all of it is READY",
    ]
    assert found.to_dict() == {
        "bundle": "b.zip", "files": 40, "models": 3, "faults": [], "name": "digits",
        "not_run": ["m: no litert"], "ready": False, "exit_code": 4,
    }  # fmt: skip
