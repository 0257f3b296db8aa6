"""What a measurement found: a row a model, its figures by name, and all of it as JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
import report_example
from edgestill.devices.bench.settings import Settings
from edgestill.devices.onboard.machine.host import describe
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.scenarios.result import Result
from edgestill.devices.scenarios.threads import ThreadFigures, ThreadsFigures
from edgestill.pipeline.finished.measured import Measured, spreads


@pytest.fixture
def measured(tmp_path):
    """A benchmark of the example, with raw samples of each model."""
    found = report_example.report().measured.benchmark
    listed = []
    for number, model in enumerate(found.models):
        np.save(tmp_path / f"{number}.npy", np.array([1e6, 3e6]))
        listed.append({"subject": model.name, "samples": f"{number}.npy"})
    (tmp_path / "processes.json").write_text(json.dumps(listed))
    return Measured(found, tmp_path)


def test_each_model_is_a_row_and_is_found_by_its_name(measured):
    shown = repr(measured).split("\n")
    names = [model.name for model in measured.models]
    assert [line.split()[0] for line in shown if line.split()[0] in names] == names
    assert "single-stream" in shown[0]
    assert measured[names[1]] is measured.models[1]
    with pytest.raises(KeyError):
        measured["nothing"]
    assert measured.records()[0]["p50_ms"] == measured.models[0].p50_ms.value


def test_its_document_is_json_with_the_spread_of_the_queries(measured):
    document = measured.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    name = measured.models[0].name
    assert document["spread"][name]["mean_ms"] == 2.0
    assert spreads(measured.folder)[name].max_ms == 3.0
    assert document["folder"] == str(measured.folder)


def test_a_scenario_has_its_own_table():
    exact = [Estimate.exact(value, "a test", "ms") for value in (1.0, 2.0)]
    rows = tuple(ThreadFigures(n, *[exact[n - 1]] * 3) for n in (1, 2))
    result = Result(describe(), Settings(processes=1), (ThreadsFigures("m", rows),), (), (), "r",
                    "now", scenario="threads", processes=1)  # fmt: skip
    shown = repr(Measured(result, Path("out"))).split("\n")
    assert shown[0] == "1 model, threads, 1 fresh process each"
    assert shown[1].split()[0] == "model"
    assert "2.00 ms" in "\n".join(shown) or "2 ms" in "\n".join(shown)
    assert "spread" not in Measured(result, Path("out")).to_dict()
