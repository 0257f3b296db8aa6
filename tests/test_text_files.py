"""Every text file is UTF-8, whatever the locale says."""

import ast
from pathlib import Path

import edgestill
import pytest

ROOT = Path(edgestill.__file__).parent
FOLDERS = ("devices", "exporters", "pipeline")
FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))


def without_encoding(source):
    """Lines of calls that read or write text by the encoding of the locale."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        values = [value.value for value in node.args if isinstance(value, ast.Constant)]
        mode = keywords.get("mode")
        modes = [*values, *([mode.value] if isinstance(mode, ast.Constant) else [])]
        binary = any("b" in str(value) for value in modes)
        opens = name == "open" and any(set(str(v)) <= set("rwax+t") for v in modes)
        text = name in ("write_text", "read_text") and isinstance(node.func, ast.Attribute)
        if (text or (opens and not binary)) and "encoding" not in keywords:
            yield node.lineno
        as_text = getattr(keywords.get("text"), "value", None) is True
        if as_text and "encoding" not in keywords:
            yield node.lineno


@pytest.mark.parametrize(
    "source",
    ["p.write_text(x)", "p.read_text()", "p.open('w')", "open(p, mode='a')", "run(a, text=True)"],
)
def test_a_call_that_leaves_the_encoding_to_the_locale_is_found(source):
    assert list(without_encoding(source)) == [1]


def test_no_file_is_read_or_written_by_the_encoding_of_the_locale():
    assert len(FILES) > 200
    found = {
        f"{file.relative_to(ROOT)}:{line}"
        for file in FILES
        for line in without_encoding(file.read_text(encoding="utf-8"))
    }
    assert found == set()
