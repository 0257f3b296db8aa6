"""``edgestill search`` as typed: what it hands on, and what it prints."""

import inspect
import json

import pytest
from click.testing import CliRunner
from edgestill.pipeline.api import search as api
from edgestill.pipeline.commands.search import search
from edgestill.pipeline.commands.shared import Invocation

PARAMETERS = set(inspect.signature(api.search).parameters)


class Found:
    def __repr__(self):
        return "one\ntwo"

    def to_dict(self):
        return {"search": "there"}


@pytest.fixture
def asked(monkeypatch):
    """What the function was called with."""
    calls = []

    def find(recipe, **given):
        calls.append((recipe, given))
        return Found()

    monkeypatch.setattr(api, "search", find)
    return calls


def test_options_are_those_of_the_function(asked):
    typed = ["r.toml", "--against", "memory", "--trials", "3", "--minutes", "2", "--set", "a=1"]
    done = CliRunner().invoke(search, typed, obj=Invocation())
    assert done.exit_code == 0, done.output
    ((recipe, given),) = asked
    assert str(recipe) == "r.toml"
    assert {key: given[key] for key in ("against", "trials", "minutes", "overrides", "seed")} == {
        "against": "memory",
        "trials": 3,
        "minutes": 2.0,
        "overrides": ("a=1",),
        "seed": None,
    }
    assert done.stdout == "one\ntwo\n"


def test_defaults_are_those_of_the_function(asked):
    from edgestill.pipeline.search.frontier import TRIALS
    from edgestill.pipeline.search.objectives import DEFAULT

    CliRunner().invoke(search, [], obj=Invocation())
    ((_, given),) = asked
    assert given["trials"] == TRIALS
    assert tuple(given["against"].split(",")) == DEFAULT
    assert set(given) <= PARAMETERS


def test_json_is_one_document(asked):
    done = CliRunner().invoke(search, ["--json"], obj=Invocation(json=True))
    assert json.loads(done.stdout) == {"search": "there"}
