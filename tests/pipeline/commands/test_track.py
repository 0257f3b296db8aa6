"""``edgestill track`` and ``build --tensorboard`` on a real run."""

import json
from functools import partial

import command_line
import pytest
from edgestill.errors import HostError
from edgestill.pipeline.commands.track import record_built
from edgestill.pipeline.tracking import track as tracking
from edgestill.pipeline.tracking.places import Places


@pytest.fixture
def edgestill(own_build, tmp_path):
    return partial(command_line.edgestill, cwd=tmp_path)


def test_a_run_is_recorded_and_its_place_is_said(edgestill, tmp_path):
    done = edgestill("track", "tiny", "--tensorboard", "events", "--json")
    assert done.returncode == 0, done.stderr
    place = tmp_path / json.loads(done.stdout)["tensorboard"]
    assert len(list(place.glob("*tfevents*"))) == 1
    assert json.loads(done.stdout)["mlflow"] is None


def test_a_build_records_its_run_and_keeps_stdout_for_the_verdict(edgestill, tmp_path):
    done = edgestill("build", "recipe.toml", "--tensorboard", "events", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert len(list((tmp_path / "events").rglob("*tfevents*"))) == 1
    assert "event files: events" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("track", "tiny"), "expected --mlflow or --tensorboard"),
        (("track", "tiny", "--tensorboard", "e", "--experiment", "x"), "expected --mlflow with it"),
        (("track", "tiny", "--mlflow", "s3://b/x"), "expected a folder, http://"),
        (("build", "recipe.toml", "--experiment", "x"), "expected --mlflow with it"),
        (
            ("build", "recipe.toml", "--tensorboard", "e", "--until", "student"),
            "expected a whole build",
        ),
        (("build", "recipe.toml", "--tensorboard", "recipe.toml"), "expected a folder"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_a_place_is_refused_before_anything_is_done(edgestill, words, said):
    done = edgestill(*words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_a_build_that_cannot_be_recorded_keeps_its_verdict(tmp_path, monkeypatch, capsys):
    def refuses(run, places):
        raise HostError("MLflow: no answer", where="http://host")

    monkeypatch.setattr(tracking, "record", refuses)
    record_built(tmp_path, Places(mlflow="http://host"))
    said = capsys.readouterr()
    assert "warning: the run was not recorded: http://host: MLflow: no answer" in said.err
    assert said.out == ""
