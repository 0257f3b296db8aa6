"""`edgestill toolchains`: what is listed, what a wrong name gets, what is removed."""

import json

import pytest
from click.testing import CliRunner
from edgestill.errors import UsageError
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.commands.toolchains import toolchains
from edgestill.toolchains import TOOLCHAINS, environment_of


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGESTILL_TOOLCHAINS", str(tmp_path))


def run(*words, as_json=False):
    return CliRunner().invoke(toolchains, words, obj=Invocation(json=as_json))


def test_all_are_listed_with_their_state():
    shown = run("list").output
    for name in TOOLCHAINS:
        assert name in shown
    assert "set up for" not in shown


def test_the_list_as_json():
    found = json.loads(run("list", as_json=True).output)
    assert [one["name"] for one in found] == list(TOOLCHAINS)
    assert {one["state"] for one in found} <= {"absent", "here"}


@pytest.mark.parametrize("verb", ["setup", "remove"])
def test_a_name_that_is_none_is_refused_with_those_there_are(verb):
    ended = run(verb, "tflite")
    assert isinstance(ended.exception, UsageError)
    assert "litert" in str(ended.exception)


def test_what_is_there_is_removed(tmp_path):
    environment_of(TOOLCHAINS["openvino"]).mkdir()
    assert run("remove", "openvino").output == "openvino: removed\n"
    assert not (tmp_path / "openvino").exists()
    assert run("remove", "openvino").output == "openvino: was not set up\n"
