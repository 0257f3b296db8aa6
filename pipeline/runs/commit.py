"""The git commit of the folder that a recipe lies in.

    of_folder(Path("recipes"))      # Commit(sha='9efe359…', changed=False)

git is asked with a time limit and without hooks; where it is not installed, and outside of a
repository, there is no commit.
"""

import os
import shutil
import subprocess
from pathlib import Path

from ..records import Commit

_PACKAGE = Path(__file__).resolve().parents[2]
_SECONDS = 5.0


def of_recipe(path: Path) -> Commit | None:
    """Of a recipe's file; None of one that ships with edgestill."""
    folder = path.resolve().parent
    return None if folder.is_relative_to(_PACKAGE / "pipeline") else of_folder(folder)


def of_folder(folder: Path) -> Commit | None:
    """What is checked out there, and whether tracked files of that folder differ from it."""
    sha = _git(folder, "rev-parse", "--verify", "HEAD")
    if not sha:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return None if changes is None else Commit(sha=sha, changed=bool(changes))


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None where it fails."""
    git = shutil.which("git")
    if git is None:
        return None
    try:
        done = subprocess.run(
            [git, "-C", str(folder), "-c", "core.fsmonitor=false", *words],
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()
