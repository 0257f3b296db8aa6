"""``edgestill.load_run``: a run that was built before."""

from pathlib import Path

from ..runs.locate import run_folder
from ..runs.run import open_report
from .paths import path_of
from .run import Run


def load_run(path: Path | str) -> Run:
    """Read a run on disk: its verdict, figures, variants and files. Nothing is built or measured.

    Args:
        path: the run's folder, such as ``artifacts/runs/digits/2026-11-30T06-00-00-000000Z``, or a
            name, whose last build is meant.

    Raises:
        MaterialError: the folder is no run, or one of a version that cannot be read.

    Example:
        >>> import edgestill
        >>> run = edgestill.load_run(path)
        >>> run.outcome
        'ready'
        >>> run["fp32"].score.value > 0.5
        True
        >>> run.gate({"max_size_kib": 0.1}).outcome
        'not ready'
    """
    folder = run_folder(path_of(path, "path"))
    return Run(folder, open_report(folder))
