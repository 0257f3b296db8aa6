"""A search on disk, whole and immutable, in a folder of its own.

searches/<name>/<time>/search.json     every point, the frontier, what mattered
                       search.html     the same as a page
                       recipe.toml     that was searched around
                       recipes/NN.toml a point of the frontier, to be built
searches/<name>/studies/               Optuna's journals, from which a further call goes on
"""

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ..engine.store import disk_errors, move_whole, write_atomic
from ..records import FrontierRecord

RECORD, PAGE, RECIPE = "search.json", "search.html", "recipe.toml"


def folder_of(artifacts: Path, name: str) -> Path:
    """The folder of the searches of a recipe's name."""
    return artifacts / "searches" / name


def prepare(artifacts: Path, name: str) -> Path:
    """Fail in the first second if the search cannot be written.

    Returns:
        The folder of Optuna's journals.
    """
    folder = folder_of(artifacts, name)
    with disk_errors(artifacts, opening=True):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}"
        write_atomic(probe, b"")
        probe.unlink()
    return folder / "studies"


def write(artifacts: Path, record: FrontierRecord, recipe: str, recipes: Mapping[str, str]) -> Path:
    """Write a search to a draft and rename it, so that it is never incomplete.

    Args:
        artifacts: where searches lie.
        record: of the search.
        recipe: that was searched around, as TOML.
        recipes: of the points of the frontier, by path below the folder.

    Returns:
        The folder.
    """
    from ..report.search_page import page

    folder = folder_of(artifacts, record.name)
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%fZ")
    draft = folder / f".draft-{stamp}"
    with disk_errors(artifacts):
        draft.mkdir(parents=True)
        try:
            (draft / RECORD).write_text(record.model_dump_json(indent=1), encoding="utf-8")
            (draft / PAGE).write_text(page(record), encoding="utf-8")
            (draft / RECIPE).write_text(recipe, encoding="utf-8")
            for path, text in recipes.items():
                (draft / path).parent.mkdir(exist_ok=True)
                (draft / path).write_text(text, encoding="utf-8")
            move_whole(draft, folder / stamp)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return folder / stamp
