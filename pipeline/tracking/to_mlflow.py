"""A run in MLflow: on a tracking server, or in a folder.

    >>> record(run, "http://localhost:5000")                                  # doctest: +SKIP
    'http://localhost:5000/#/experiments/1/runs/4f2c…'

A folder holds ``mlflow.db`` and the files of the runs below ``artifacts``: MLflow's own store of
plain files is in maintenance mode since February 2026. A run that is recorded again is the same run
of MLflow, found by its tag.
"""

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import HostError, UsageError, reason
from ..engine.extras import missing
from ..records import Report
from .figures import Tracked, tracked_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

RUN_TAG = "edgestill.run"
"""Which run of edgestill a run of MLflow is: name and time."""
_SERVERS = ("http", "https", "databricks")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_LONGEST_VALUE = 6000
"""Characters of a parameter's value that MLflow takes; a tag's value may have 8000."""
_AT_ONCE = 100
"""Parameters and tags that a server takes in one request."""
_METRICS_AT_ONCE = 900
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""MLflow's own settings make a wrong address wait for minutes."""
_SILENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def check(place: str) -> None:
    """Find out, before an hour is spent, whether a run can be recorded there.

    Raises:
        UsageError: it is neither a folder nor the address of a server or a database.
        HostError: MLflow is not installed, or the server does not answer.
    """
    with _speaking_to(place) as client:
        client.search_experiments(max_results=1)


def record(run: Path, report: Report, place: str, experiment: str | None = None) -> str:
    """Record a run: parameters, metrics, curves, report and, if one ships, the model.

    Args:
        run: its folder.
        report: its records.
        place: a folder, or the URI of a tracking server or a database.
        experiment: its name; None: ``edgestill/<name of the run>``.

    Returns:
        Where it lies, for a person to open.

    Raises:
        UsageError: ``place`` is neither a folder nor such an address.
        HostError: MLflow is not installed, or what is there refuses.
    """
    tracked = tracked_of(report)
    with _speaking_to(place) as client:
        name = experiment or f"edgestill/{tracked.name}"
        number = _experiment(client, name, place)
        known = f"{tracked.name}/{run.resolve().name}"
        entry = _entry(client, number, known, tracked)
        _write(client, entry.info.run_id, tracked)
        _copy(client, entry.info.run_id, run)
        client.set_terminated(entry.info.run_id, "FINISHED", _milliseconds(tracked.created))
        return _shown(place, number, entry.info.run_id)


@contextlib.contextmanager
def _speaking_to(place: str) -> Iterator["MlflowClient"]:
    """A client of what lies there; its errors become ours."""
    address = _address(place)
    for key, value in {**_PATIENCE, **_SILENT}.items():
        os.environ.setdefault(key, value)
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise missing("mlflow") from None
    # It tells of each table that it makes.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            # It prints where a run lies; stdout is for our own results.
            warnings.simplefilter("ignore")  # of its libraries about each other
            yield MlflowClient(address)
    except (HostError, UsageError):
        raise
    except Exception as error:  # of its many libraries: requests, sqlalchemy, its own
        said = reason(error).replace(place.rstrip("/"), _without_password(place).rstrip("/"))
        raise HostError(
            f"MLflow: {said}",
            where=_without_password(place),
            fix="nothing of the run is lost; record it later: edgestill track RUN --mlflow "
            f"{_without_password(place)}",
        ) from error


def _address(place: str) -> str:
    """The URI that MLflow is given.

    Raises:
        UsageError: a scheme that it does not know, or a file where a folder is expected.
    """
    scheme = _scheme(place)
    if scheme in (*_SERVERS, *_DATABASES) or place == "databricks":
        return place
    if scheme not in ("", "file"):
        raise UsageError(
            repr(_without_password(place)),
            expected="a folder, http://…, https://…, databricks://… or sqlite:///FILE",
            where="--mlflow",
        )
    folder = _folder(place)
    if folder.exists() and not folder.is_dir():
        raise UsageError("a file", expected="a folder", where=f"--mlflow {folder}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"cannot make the folder ({error.strerror})", where=str(folder)) from error
    return f"sqlite:///{(folder / 'mlflow.db').resolve().as_posix()}"


def _scheme(place: str) -> str:
    scheme = urlsplit(place).scheme.partition("+")[0].lower()
    return "" if len(scheme) == 1 else scheme  # a drive of Windows


def _folder(place: str) -> Path:
    return Path(urlsplit(place).path) if _scheme(place) == "file" else Path(place)


def _without_password(place: str) -> str:
    parts = urlsplit(place)
    if not parts.password and not parts.username:
        return place
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _experiment(client: "MlflowClient", name: str, place: str) -> str:
    known = client.get_experiment_by_name(name)
    if known is None:
        files = None
        if _scheme(place) in ("", "file") and place != "databricks":
            files = (_folder(place) / "artifacts").resolve().as_uri()
        return client.create_experiment(name, artifact_location=files)
    if known.lifecycle_stage != "active":
        raise HostError(
            f"the experiment {name!r} was deleted there",
            where=_without_password(place),
            fix="restore it, or name another one with --experiment",
        )
    return known.experiment_id


def _entry(client: "MlflowClient", experiment: str, known: str, tracked: Tracked) -> "MlflowRun":
    """The run of MLflow that this run is; made where there is none."""
    safe = known.replace("'", "")
    found = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{safe}'", max_results=1)
    if found:
        return found[0]
    took = max((points[-1].seconds for points in tracked.curves.values()), default=0.0)
    return client.create_run(
        experiment,
        start_time=_milliseconds(tracked.created, -took),
        tags={RUN_TAG: safe},
        run_name=known.rpartition("/")[2],
    )


def _write(client: "MlflowClient", entry: str, tracked: Tracked) -> None:
    from mlflow.entities import Metric, Param, RunTag

    parameters = [Param(key, _cut(value)) for key, value in tracked.parameters.items()]
    tags = [RunTag(key, _cut(value)) for key, value in tracked.tags.items()]
    ends = _milliseconds(tracked.created)
    metrics = [Metric(key, value, ends, 0) for key, value in tracked.metrics.items()]
    for key, points in tracked.curves.items():
        # Its durations are right, its date is not: a training may be older than the report.
        metrics += [
            Metric(
                key,
                point.value,
                _milliseconds(tracked.created, point.seconds - points[-1].seconds),
                point.epoch,
            )
            for point in points
        ]
    for some in _parts(parameters, _AT_ONCE):
        client.log_batch(entry, params=some)
    for some in _parts(tags, _AT_ONCE):
        client.log_batch(entry, tags=some)
    for some in _parts(metrics, _METRICS_AT_ONCE):
        client.log_batch(entry, metrics=some)


def _copy(client: "MlflowClient", entry: str, run: Path) -> None:
    """The pages of the run, and what ships as a model of MLflow."""
    for path in [*sorted(run.glob("report.*")), run / "junit.xml"]:
        if path.is_file():
            client.log_artifact(entry, str(path))
    files = sorted((run / "models").glob("*"))
    if not files:
        return
    with TemporaryDirectory(prefix="edgestill-") as folder:
        description = Path(folder) / "MLmodel"
        # A run has one file of what ships in each format.
        in_onnx = next((path.name for path in files if path.suffix == ".onnx"), None)
        text = _description(entry, in_onnx)
        description.write_text(text, encoding="utf-8")
        for path in (*files, description):
            client.log_artifact(entry, str(path), "model")


def _description(entry: str, file: str | None) -> str:
    """The file ``MLmodel``: what ``mlflow.onnx.load_model`` and ``mlflow models serve`` read."""
    from mlflow.models import Model

    described = Model(artifact_path="model", run_id=entry)
    if file is not None:
        from onnx import __version__ as version

        providers = ["CPUExecutionProvider"]
        described.add_flavor("onnx", onnx_version=version, data=file, providers=providers)
        described.add_flavor("python_function", loader_module="mlflow.onnx", data=file)
    return str(described.to_yaml())


def _parts(things: list[Any], most: int) -> Iterator[list[Any]]:
    for start in range(0, len(things), most):
        yield things[start : start + most]


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST_VALUE else f"{value[: _LONGEST_VALUE - 1]}…"


def _milliseconds(when: datetime, seconds: float = 0.0) -> int:
    return round((when.timestamp() + seconds) * 1000)


def _shown(place: str, experiment: str, entry: str) -> str:
    if _scheme(place) in ("http", "https"):
        base = _without_password(place).rstrip("/")
        return f"{base}/#/experiments/{experiment}/runs/{entry}"
    return f"{_without_password(place)} (run {entry})"
