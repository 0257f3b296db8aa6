"""The page with every function and result, made of docstrings."""

import inspect
import re

import edgestill
import pytest
import tool_scripts

docs_python = tool_scripts.load("docs_python")

GOOGLE = """First line.

More.

Args:
    one: a text
        that goes on.
    two, three: others.

Raises:
    KeyError: never.

Example:
    >>> 1
    1
"""


def test_sections_of_a_docstring():
    found = docs_python.sections(GOOGLE)
    assert list(found) == ["", "Args", "Raises", "Example"]
    assert list(docs_python.items(found["Args"])) == [
        ("one", "a text that goes on."),
        ("two, three", "others."),
    ]
    assert found["Example"][:2] == [">>> 1", "1"]


@pytest.fixture(scope="module")
def parts():
    page = docs_python.python_page()
    return dict(re.findall(r"^## ([^\n]+)$\n(.*?)(?=^## |\Z)", page, re.M | re.S))


def test_every_function_has_its_signature_parameters_and_example(parts):
    for name in edgestill._FUNCTIONS:
        text = parts[f"edgestill.{name}"]
        for parameter in inspect.signature(getattr(edgestill, name)).parameters:
            assert f"| `{parameter}` |" in text
        assert "edgestill.pipeline" not in text
        assert ">>> " in text


def test_every_class_and_error_is_described(parts):
    classes = {name for name in edgestill._CLASSES if not name.endswith("Error")}
    assert {f"edgestill.{name}" for name in classes - {"Recipe"}} <= set(parts)
    for name in edgestill._CLASSES:
        if name.endswith("Error"):
            assert f"| `edgestill.{name}` |" in parts["Errors"]
    for name in ("gate()", "bundle()", "open_report()", "to_dataframe()", "ready"):
        assert f"| `{name}` |" in parts["edgestill.Run"]
