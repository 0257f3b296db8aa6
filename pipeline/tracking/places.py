"""Where a run is to be recorded."""

from pathlib import Path
from typing import NamedTuple


class Places(NamedTuple):
    """Where a run is recorded; of no place nothing is imported.

    Attributes:
        mlflow: a folder, or the URI of a tracking server or a database; None: not in MLflow.
        experiment: of MLflow; None: ``edgestill/<name of the run>``.
        tensorboard: the folder of event files; None: no event files.
    """

    mlflow: str | None = None
    experiment: str | None = None
    tensorboard: Path | None = None

    @property
    def named(self) -> bool:
        """Whether there is a place."""
        return self.mlflow is not None or self.tensorboard is not None
