"""The examples in the docstrings of the functions that users call: each of them runs."""

import doctest
import importlib
import re
from pathlib import Path

import edgestill
import pytest

QUICK = (
    "build",
    "plan",
    "quantize",
    "bench",
    "bench_arena",
    "bundle",
    "gate",
    "history",
    "load_run",
    "verify",
)
FUNCTIONS = (
    *QUICK,
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in (
            "compare",
            "explain",
            "export",
            "bench_operators",
            "bench_instructions",
            "search",
        )
    ),
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PURE = ("settings", "queries", "paths")


def run(text, name, names):
    """How many examples of a docstring ran; every one of them holds."""
    test = doctest.DocTestParser().get_doctest(text, dict(names), name, None, 0)
    told = []
    found = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append)
    assert found.failed == 0, "".join(told)
    return found.attempted


def test_the_example_of_the_package_runs(workplace):
    del workplace
    assert run(edgestill.__doc__, "edgestill", {}) == 3


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_each_function_runs(name, workplace, samples, own_build):
    del workplace
    folder = own_build[0].run
    names = {"x": samples, "path": folder, "run": edgestill.load_run(folder)}
    assert run(getattr(edgestill, name).__doc__, name, names) >= 2


def test_the_code_of_the_page_on_python_runs(workplace, capsys):
    del workplace
    page = (Path(edgestill.__file__).parent / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert len(blocks) == 2
    assert names["run"].ready
    names["follow"](edgestill.Event("begin", "student", 4, 9))
    assert "student: 4 of 9" in capsys.readouterr().out


@pytest.mark.parametrize("name", PURE)
def test_the_example_of_a_module_runs(name):
    module = importlib.import_module(f"edgestill.pipeline.api.{name}")
    assert run(module.__doc__, name, vars(module)) >= 1
