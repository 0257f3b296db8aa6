"""Names are shown on one line and obeyed by nothing."""

import sys
import unicodedata

import pytest
from edgestill.pipeline.printable import printable


@pytest.mark.parametrize(
    "text",
    ["plain", "größe", "日本語", "📦", "\u0645\u06cc\u200c\u062e", "👩\u200d🔬", "a×b … µs", ""],
)
def test_text_of_any_script_stays_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    "character",
    ["\x1b", "\x00", "\x07", "\x9b", "\u200e", "\u202e", "\u2066", "\u061c", "\ufeff", "\udcff"],
)
def test_what_a_terminal_would_obey_is_replaced(character):
    assert printable(f"a{character}b") == "a\ufffdb"


@pytest.mark.parametrize("end", ["\n", "\r", "\t", "\u2028", "\u2029", "\x85", "\v"])
def test_a_name_stays_on_one_line(end):
    assert printable(f"a{end}b") == "a b"


def test_no_character_at_all_ends_a_line_or_controls_anything():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    shown = printable(every)
    assert len(shown) == len(every)
    assert len(shown.splitlines()) == 1
    categories = {unicodedata.category(c) for c in shown if c not in "\u200c\u200d"}
    assert categories.isdisjoint({"Cc", "Cs", "Cf", "Zl", "Zp"})
