"""The table of foreign graphs counts what commands did, and tells a bug from a refusal."""

from pathlib import Path

import pytest
from tools import foreign_graphs_table as table


@pytest.fixture
def case(tmp_path):
    return table.Case("net", tmp_path / "net.onnx", tmp_path / "net.npz")


@pytest.mark.parametrize(
    ("code", "text", "shown"),
    [
        (0, "", "ok"),
        (5, "", "ok"),
        (1, "", "said: an output is destroyed"),
        (3, "warning: x\nerror: {model}: found opset 0, expected 13", "said (3): found opset 0"),
        (70, "error: it broke", "BUG: exit 70"),
        (3, "Traceback (most recent call last):\nKeyError: 1", "BUG: exit 3"),
        (None, "", "HANG"),
    ],
)
def test_every_end_of_a_command_has_its_word(case, tmp_path, code, text, shown):
    assert table._shown(code, text.format(model=case.model), case, tmp_path / "out").startswith(
        shown
    )


def test_the_page_counts_cells_and_lists_each_reason_once(case):
    said = {"bench": "said (3): no", "fp16": "said (3): no", "explain": "no int8 file"}
    row = dict.fromkeys(table.COMMANDS, "ok") | said
    text = table.page({"net": row, "other": {"bench": "BUG: exit 70: x"}})
    assert (
        "2 graphs, 10 commands: 6 ok, 2 refused or warned with a reason, "
        "1 without an int8 file to take, 1 tracebacks"
    ) in text
    assert text.count("1. said (3): no") == 1
    assert "| **BUG: exit 70: x** | not run |" in text


def test_commands_name_the_axes_of_states(case, tmp_path):
    state = table.Case("net", case.model, case.samples, ("--batch-axis", "state=1"))
    for command in table.COMMANDS:
        words = table.words_of(command, state, tmp_path)
        assert words[0] in ("bench", "quantize", "explain")
        assert words[words.index("--batch-axis") + 1] == "state=1"


def test_graphs_are_written_with_their_axes(tmp_path):
    (case,) = table.own(tmp_path, ["voice_detector"])
    assert case.options == ("--batch-axis", "state=1", "--batch-axis", "sr=none")
    assert Path(case.model).is_file()
