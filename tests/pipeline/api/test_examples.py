"""The examples in the docstrings of the functions that users call: each of them runs."""

import doctest
import importlib

import edgestill
import pytest

QUICK = ("build", "quantize", "bench", "bundle", "load_run")
FUNCTIONS = (
    *QUICK,
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("compare", "export")),
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PURE = ("settings", "queries")


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
def test_the_example_of_each_function_runs(name, workplace, samples, built):
    del workplace
    folder = built[0].run
    names = {"x": samples, "path": folder, "run": edgestill.load_run(folder)}
    assert run(getattr(edgestill, name).__doc__, name, names) >= 2


@pytest.mark.parametrize("name", PURE)
def test_the_example_of_a_module_runs(name):
    module = importlib.import_module(f"edgestill.pipeline.api.{name}")
    assert run(module.__doc__, name, vars(module)) >= 1
