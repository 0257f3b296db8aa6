"""The page of promises: which tests hold them, and what the last run said."""

import pytest
from tools import promises
from tools.promises import Promise, Recorder, page

TEST = """
import pytest

@pytest.mark.promise("it never lies")
@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2])
def test_truth(n, figure):
    figure(f"{n} of 9")

def test_other():
    pass
"""


@pytest.fixture
def _tests(tmp_path, monkeypatch):
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(TEST)
    monkeypatch.setattr(promises, "ROOT", tmp_path)
    monkeypatch.setattr(promises, "TESTS", folder)


@pytest.mark.usefixtures("_tests")
def test_promises_are_found_in_the_text_of_the_tests():
    assert promises.promises() == [Promise("it never lies", "tests/test_it.py::test_truth")]


class Report:
    def __init__(self, test, outcome="passed", when="call", figures=()):
        self.nodeid, self.outcome, self.when = test, outcome, when
        self.user_properties = [("figure", told) for told in figures]


def test_the_figures_of_all_cases_of_a_test_are_kept_and_one_failure_fails_it():
    recorder = Recorder()
    recorder.pytest_runtest_logreport(Report("a::b[1]", figures=["1 of 9"]))
    recorder.pytest_runtest_logreport(Report("a::b[2]", "failed", figures=["2 of 9"]))
    recorder.pytest_runtest_logreport(Report("a::c", when="setup"))
    assert recorder.figures.keys() == {"a::b"}
    assert recorder.figures["a::b"]["outcome"] == "failed"
    assert recorder.figures["a::b"]["figures"] == ["1 of 9", "2 of 9"]


def test_the_page_says_what_was_not_run_and_what_failed():
    found = [Promise("x holds", "tests/a::b"), Promise("y holds", "tests/a::c")]
    drawn = page(
        found, {"tests/a::b": {"outcome": "failed", "figures": ["3 of 9"], "day": "2026-01-02"}}
    )
    assert "| x holds | `tests/a::b` | **failed** 3 of 9 | 2026-01-02 |" in drawn
    assert "| y holds | `tests/a::c` | not run yet |  |" in drawn
