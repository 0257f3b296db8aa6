"""The name of the run that the last build gave: ``artifacts/runs/NAME/latest``, a link to it.

    point(run)                       # after a build
    run_of(Path("runs/a/latest"))    # Path("runs/a/2026-11-30T06-00-00-000000Z")

Only builds move it: a run that was judged again by other budgets is not what was built last, and
the next ``edgestill gate …/latest`` would start from those budgets. Where a file system or a system
has no links, as Windows without the right to make them, there is none.
"""

import os
from contextlib import suppress
from pathlib import Path

LATEST = "latest"


def point(run: Path) -> None:
    """Let the link beside a run name it, in one step; nothing where there can be no link.

    A file or folder of that name that is no link is left as it is. A link that cannot be moved is
    removed: no link is better than one to another run.
    """
    link, draft = run.parent / LATEST, run.parent / f".{LATEST}.{os.getpid()}"
    if os.path.lexists(link) and not link.is_symlink():
        return
    try:
        draft.unlink(missing_ok=True)
        draft.symlink_to(run.name, target_is_directory=True)
        try:
            draft.replace(link)
        except OSError:  # Windows replaces no link to a folder.
            link.unlink(missing_ok=True)
            draft.rename(link)
    except (OSError, NotImplementedError):
        for one in (draft, link):
            with suppress(OSError):
                one.unlink(missing_ok=True)


def run_of(path: Path) -> Path:
    """The run that a link names; any other path as it is."""
    if path.name != LATEST or not path.is_symlink():
        return path
    return path.parent / path.readlink()
