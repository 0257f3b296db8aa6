"""A finished run for tracking tools, at whatever places the user names.

places = Places(mlflow="http://localhost:5000", tensorboard=Path("events"))
check(places)                       # before a build
record(run, places).lines()         # after it
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..finished.result import Result, plain
from ..finished.screen import Screen
from ..runs.run import open_report
from . import to_mlflow, to_tensorboard
from .places import Places


@dataclass(frozen=True, slots=True, repr=False)
class Recorded(Result):
    """Where a run was recorded.

    Attributes:
        run: its folder.
        mlflow: where it lies in MLflow; None: it was not recorded there.
        tensorboard: the folder of its event files; None: none were written.
    """

    run: Path
    mlflow: str | None
    tensorboard: Path | None

    def lines(self) -> tuple[str, ...]:
        """A sentence a place."""
        mlflow = (f"MLflow: {self.mlflow}",) if self.mlflow else ()
        events = (f"event files: {self.tensorboard}",) if self.tensorboard else ()
        return (*mlflow, *events)

    def screen(self) -> Screen:
        """What there is to show."""
        places = {"MLflow": self.mlflow, "event files": self.tensorboard}
        paths = tuple((what, str(where)) for what, where in places.items() if where is not None)
        return Screen("recorded", paths=paths)

    def records(self) -> list[dict[str, Any]]:
        """One row, the run."""
        return [self.to_dict()]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        document: dict[str, Any] = plain(asdict(self))
        return document


def check(places: Places) -> None:
    """Find out whether a run can be recorded at each place.

    Raises:
        UsageError: a place that cannot be one; an experiment without MLflow.
        HostError: a library is missing, or a server does not answer.
    """
    if places.experiment is not None and places.mlflow is None:
        raise UsageError("an experiment", expected="--mlflow with it", where="--experiment")
    if places.mlflow is not None:
        to_mlflow.check(places.mlflow)
    if places.tensorboard is not None:
        to_tensorboard.check(places.tensorboard)


def record(run: Path, places: Places) -> Recorded:
    """Record a finished run at each place.

    Raises:
        MaterialError: the folder is no run.
        UsageError: a place that cannot be one.
        HostError: a library is missing, or what is there refuses.
    """
    report = open_report(run)
    mlflow = events = None
    if places.mlflow is not None:
        mlflow = to_mlflow.record(run, report, places.mlflow, places.experiment)
    if places.tensorboard is not None:
        events = to_tensorboard.record(run, report, places.tensorboard)
    return Recorded(run, mlflow, events)
