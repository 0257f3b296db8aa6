"""The runs of a name, from Python: what it takes, refuses and shows."""

import json
import shutil

import edgestill
import pytest
from edgestill.errors import MaterialError, UsageError
from edgestill.pipeline.api.history import history
from edgestill.pipeline.finished.history import HEAD, History
from edgestill.pipeline.finished.screen import COLUMNS, LINES


@pytest.fixture
def artifacts(built, tmp_path):
    folder = tmp_path / "artifacts"
    shutil.copytree(built[0].run, folder / "runs" / "tiny" / "2026-01-02T00-00-00-000000Z")
    return folder


def older(artifacts, number):
    """Earlier builds, a day apart: the report is all that a history reads."""
    first = next((artifacts / "runs" / "tiny").glob("2026-01-02*"))
    for day in range(1, number + 1):
        run = first.with_name(f"2025-02-{day:02d}T00-00-00-000000Z")
        run.mkdir()
        shutil.copyfile(first / "report.json", run / "report.json")


def test_the_public_names_are_these():
    assert edgestill.history.__wrapped__ is history
    assert edgestill.History is History


def test_the_one_name_needs_not_be_said_and_two_do(artifacts):
    found = history(artifacts=artifacts)
    assert (found.name, len(found.entries)) == ("tiny", 1)
    assert history("tiny", artifacts=artifacts) == found
    shutil.copytree(artifacts / "runs" / "tiny", artifacts / "runs" / "other")
    with pytest.raises(UsageError, match="one of other, tiny"):
        history(artifacts=artifacts)


def test_no_runs_and_no_such_variant_are_refused(artifacts, tmp_path):
    with pytest.raises(MaterialError, match="no runs"):
        history(artifacts=tmp_path / "empty")
    with pytest.raises(MaterialError, match="int8-static"):
        history("tiny", variant="int4", artifacts=artifacts)


def test_a_long_history_fits_on_a_screen_the_newest_last_and_all_is_data(artifacts):
    older(artifacts, 20)
    found = history("tiny", variant="fp32", artifacts=artifacts)
    lines = repr(found).split("\n")
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert lines[0] == "tiny: fp32, 21 runs"
    assert lines[1] == "the newest 12; to_dataframe() has all"
    assert lines[2].split()[:2] == list(HEAD[:2])
    shown = [line for line in lines if line.startswith(found.entries[0].created[:4])]
    assert len(shown) == 12
    assert "no change of any figure was found" in lines
    assert len(found.records()) == len(found.to_dict()["entries"]) == 21
    document = found.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert found._repr_html_().count("<tr>") == 13
