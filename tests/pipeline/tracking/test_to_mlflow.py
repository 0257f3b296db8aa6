"""A run in MLflow: in a folder, and on a real server that the test starts."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from edgestill.errors import HostError, UsageError
from edgestill.pipeline.tracking import to_mlflow
from edgestill.pipeline.tracking.figures import tracked_of

QUIET = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


@pytest.fixture
def run(built):
    """The folder and the report of a real run."""
    return built[0].run, built[0].report


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of MLflow's own server."""
    folder = tmp_path_factory.mktemp("mlflow-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    stores = (
        "--backend-store-uri",
        f"sqlite:///{folder}/m.db",
        "--artifacts-destination",
        f"{folder}/files",
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *words, *stores], stdout=log, stderr=log, env=QUIET, cwd=folder
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/health", process, folder / "log")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(address, process, log):
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(log.read_text())


def found_in(address, report):
    """The one run of MLflow there, its client and id."""
    from mlflow import MlflowClient

    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(f"edgestill/{report.name}")
    (one,) = client.search_runs([experiment.experiment_id])
    return client, one


@pytest.mark.slow
def test_a_folder_has_the_parameters_figures_curves_and_files_of_a_run(run, tmp_path, capsys):
    folder, report = run
    to_mlflow.record(folder, report, str(tmp_path / "tracked"))
    assert capsys.readouterr().out == ""
    client, one = found_in(f"sqlite:///{tmp_path}/tracked/mlflow.db", report)
    tracked = tracked_of(report)
    assert one.data.params == dict(tracked.parameters)
    assert tracked.metrics.items() <= one.data.metrics.items()
    assert tracked.tags.items() <= one.data.tags.items()
    assert one.info.status == "FINISHED"
    points = client.get_metric_history(one.info.run_id, "student/loss")
    assert [(p.step, p.value) for p in sorted(points, key=lambda p: p.step)] == [
        (p.epoch, p.value) for p in tracked.curves["student/loss"]
    ]
    names = {file.path for file in client.list_artifacts(one.info.run_id)}
    assert {"report.html", "report.json", "report.md", "junit.xml"} <= names
    assert (tmp_path / "tracked/artifacts").is_dir()


@pytest.mark.slow
def test_a_server_has_a_run_once_however_often_it_is_recorded(run, server):
    folder, report = run
    where = [to_mlflow.record(folder, report, server) for _ in range(2)]
    client, one = found_in(server, report)
    assert where == [f"{server}/#/experiments/{one.info.experiment_id}/runs/{one.info.run_id}"] * 2
    points = client.get_metric_history(one.info.run_id, "student/loss")
    assert len(points) == len(tracked_of(report).curves["student/loss"])
    ships = {f"model/{path.name}": path.stat().st_size for path in (folder / "models").iterdir()}
    assert ships, folder
    files = client.list_artifacts(one.info.run_id, "model")
    there = {file.path: file.file_size for file in files}
    assert there.pop("model/MLmodel") > 0
    assert there == ships


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of mlflow about itself
def test_what_ships_is_a_model_that_mlflow_loads(run, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    folder, report = run
    to_mlflow.record(folder, report, str(tmp_path / "tracked"), "models")
    tracked = f"sqlite:///{tmp_path}/tracked/mlflow.db"
    client = mlflow.MlflowClient(tracked)
    experiment = client.get_experiment_by_name("models")
    (one,) = client.search_runs([experiment.experiment_id])
    mlflow.set_tracking_uri(tracked)
    model = mlflow.pyfunc.load_model(f"runs:/{one.info.run_id}/model")
    import onnxruntime

    (path,) = (folder / "models").glob("*.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    shape = [size if isinstance(size, int) else 2 for size in session.get_inputs()[0].shape]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    ours = session.run(None, {session.get_inputs()[0].name: x})[0]
    theirs = model.predict({session.get_inputs()[0].name: x})
    np.testing.assert_array_equal(next(iter(theirs.values())), ours)


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_said_in_a_line_and_without_its_password(run):
    folder, report = run
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HostError) as caught:
        to_mlflow.record(folder, report, f"http://me:secret@127.0.0.1:{port}")
    assert "secret" not in str(caught.value)
    assert "edgestill track RUN --mlflow http://127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("place", ["s3://bucket/x", "ftp://host", "gopher:x"])
def test_what_is_neither_a_folder_nor_a_server_is_refused(place):
    with pytest.raises(UsageError, match="--mlflow"):
        to_mlflow.check(place)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="expected a folder"):
        to_mlflow.check(str(tmp_path / "file"))


def test_without_mlflow_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(HostError, match=r"edgestill\[mlflow\]"):
        to_mlflow.check(str(tmp_path))
