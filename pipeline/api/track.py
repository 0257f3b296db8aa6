"""``edgestill.track``: a finished run in MLflow or TensorBoard."""

from pathlib import Path

from ...errors import UsageError
from ..runs.locate import located
from ..tracking.places import Places
from ..tracking.track import Recorded, check, record
from .paths import OnDisk, path_of


def track(
    run: OnDisk | Path | str,
    *,
    mlflow: str | Path | None = None,
    experiment: str | None = None,
    tensorboard: Path | str | None = None,
) -> Recorded:
    """Record a finished run's parameters, figures, curves and files.

    Recorded again it is the same run there.

    Args:
        run: a run, its folder, or a name, whose last build is meant.
        mlflow: a folder, or the URI of a tracking server or a database.
        experiment: of MLflow; None: ``edgestill/<name of the run>``.
        tensorboard: the folder of event files; the run gets a folder of its own in it.

    Raises:
        UsageError: no place is named, or one that cannot be one.
        MaterialError: the folder is no run.
        HostError: a library is missing, or a server refuses or does not answer.

    Example:
        >>> import edgestill
        >>> edgestill.track(path, tensorboard="events").tensorboard.is_dir()
        True
    """
    folder = None if tensorboard is None else Path(tensorboard)
    places = Places(None if mlflow is None else str(mlflow), experiment, folder)
    if not places.named:
        raise UsageError("no place", expected="mlflow or tensorboard")
    check(places)
    return record(located(path_of(run, "run")).folder, places)
