"""The table beside other tools: each cell says how it was checked, and our own by what is here."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
NOTES = dict(re.findall(r"^\[\^([\w-]+)\]: (.+)$", PAGE, re.MULTILINE))
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| |")
]
CELL = re.compile(r"(yes|no|in part|not found|[\w. -]+)\[\^([\w-]+)\]")
ANSWERS = {"yes", "no", "in part", "not found"}


def test_every_cell_has_an_answer_and_a_note():
    assert len(ROWS) > 40
    for label, *cells in ROWS:
        found = [CELL.fullmatch(cell) for cell in cells]
        assert all(found), label
        assert len(cells) == 6
        assert {match[1] for match in found} <= ANSWERS or label == "License", label
        assert {match[2] for match in found} <= set(NOTES), label


def test_every_note_is_used():
    assert set(re.findall(r"\[\^([\w-]+)\](?!:)", PAGE)) == set(NOTES)


def test_every_note_of_another_tool_names_a_version_or_a_commit():
    others = {key: text for key, text in NOTES.items() if not key.startswith("e-")}
    packages = {"p-license", "l-license"}  # those that the notes above them name
    unversioned = {k for k, text in others.items() if not re.search(r"\d+\.\d+|[0-9a-f]{7}", text)}
    assert unversioned == packages


def test_our_own_column_rests_on_commands_tests_and_files_that_are_here():
    ours = {match[2] for row in ROWS for match in [CELL.fullmatch(row[1])]}
    assert ours == {key for key in NOTES if key.startswith("e-")}
    for key in ours:
        named = re.findall(r"`(tests/[\w/.]+)`", NOTES[key])
        assert all((ROOT / name).exists() for name in named), key
        answers = {CELL.fullmatch(row[1])[1] for row in ROWS if f"[^{key}]" in row[1]}
        measured = named or "make test-runtimes" in NOTES[key]
        assert measured or answers <= {"no", "Apache-2.0"}, key


def test_what_edgestill_does_not_do_stands_there():
    assert {label for label, own, *_ in ROWS if own.startswith("no[")} >= {
        "Detection, segmentation, pose",
        "Language models, generation",
        "Devices that somebody hosts",
    }
