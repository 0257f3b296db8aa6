"""``edgestill.history``: the runs of a name over time."""

from pathlib import Path

from ...errors import MaterialError, UsageError
from ..finished.history import History
from ..finished.history import history as read
from ..runs.locate import names
from ..runs.run import folder_of


def history(
    name: str | None = None,
    *,
    variant: str | None = None,
    artifacts: Path | str = "artifacts",
) -> History:
    """Read the runs of a name: their figures, and since which run a figure is another one.

    Args:
        name: of the runs; None: the one name that all runs have.
        variant: whose figures; None: what the newest run ships, or is nearest to its budgets.
        artifacts: the folder that builds write to.

    Raises:
        MaterialError: there are no runs, none that can be read, or none with the variant.
        UsageError: runs of several names, and none is given.

    Example:
        >>> import edgestill
        >>> found = edgestill.history("tiny")
        >>> found.entries[-1].outcome, found.changes
        ('ready', ())
    """
    return read(folder_of(Path(artifacts), name or _only(Path(artifacts))), variant)


def _only(artifacts: Path) -> str:
    """The name of all runs, where there is one."""
    known = names(artifacts)
    if not known:
        raise MaterialError(
            "no runs", where=str(artifacts / "runs"), fix="build one: edgestill build RECIPE"
        )
    if len(known) > 1:
        raise UsageError(
            f"runs of {len(known)} names", expected=f"one of {', '.join(known)}", where="NAME"
        )
    return known[0]
