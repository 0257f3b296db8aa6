"""Ready splits of a source of columns: a file for each split, or a column ``split``.

>>> split_files(Path("reviews"))
{'train': PosixPath('reviews/train.csv'), 'test': PosixPath('reviews/test.csv')}
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..progress import Progress
from ..records import SPLITS
from . import columns as files
from .split_names import EXPECTED, SPLIT_NAMES

SPLIT_COLUMN = "split"
KEYS = ("x", "y", "group", "id")
"""The arrays of a source; row i of each belongs to sample i."""
SplitArrays = dict[str, Any]
"""The arrays of one split (or of all samples) by ``KEYS``; ``split`` if a column names it."""


def split_files(path: Path) -> dict[str, Path]:
    """The files of a source by split; a single file with all samples has the key ``""``.

    Raises:
        DataError: a folder without train and test, or with two files for one split.
    """
    if not path.is_dir():
        return {"": path}
    by_split: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        if file.suffix.lower() not in files.READERS or not file.is_file():
            continue
        split = SPLIT_NAMES.get(file.stem.lower())
        if split is None:
            if near := get_close_matches(file.stem.lower(), SPLIT_NAMES, n=1):
                raise DataError(
                    found=f"the file {file.name!r}, which names no split",
                    expected=EXPECTED,
                    where=str(path),
                    fix=f"did you mean {near[0] + file.suffix!r}? If not, move it elsewhere",
                )
            continue
        if split in by_split:
            raise DataError(
                found=f"{by_split[split].name!r} and {file.name!r}",
                expected=f"one file for {split}",
                where=str(path),
                fix="remove one of them",
            )
        by_split[split] = file
    missing = [split for split in ("train", "test") if split not in by_split]
    if missing:
        raise DataError(
            found=f"no {' and no '.join(f'{split}.csv' for split in missing)} in the folder",
            expected="train.csv, test.csv and optionally validation.csv, calibration.csv",
            where=str(path),
            fix=f"the suffix may be any of {', '.join(files.READERS)}; "
            "for a single file, name the file in data.source",
        )
    return {split: by_split[split] for split in SPLITS if split in by_split}


def read_files(
    source: str, progress: Progress, arrays_of: Callable[[Path, str], dict[str, SplitArrays]]
) -> dict[str, SplitArrays]:
    """The arrays of every file of a source, which ``arrays_of(path, split)`` reads."""
    by_split = split_files(Path(source))
    arrays: dict[str, SplitArrays] = {}
    with progress.steps("reading", len(by_split)) as steps:
        for split, path in by_split.items():
            arrays |= arrays_of(path, split)
            steps.advance(path.name)
    return arrays


def split_of_rows(column: NDArray[Any], where: str) -> NDArray[np.str_]:
    """The split of each row from a column ``split``, under the names of ``SPLITS``.

    Raises:
        DataError: a value that is no split.
    """
    values, index = np.unique(column, return_inverse=True)
    names = [SPLIT_NAMES.get(str(value).strip().lower()) for value in values]
    if None in names:
        row = int(np.argmax(index == names.index(None)))
        raise DataError(
            found=f"{str(column[row])!r} in row {row} (from 0), column {SPLIT_COLUMN!r}",
            expected=EXPECTED,
            where=where,
            fix=f"correct it, or rename the column {SPLIT_COLUMN!r} if it means something else",
        )
    return np.array(names, dtype=np.str_)[index]


CopyRows = Callable[[Any, NDArray[np.int64], str], Any]
"""``copy_rows(x, rows, split)`` copies rows of x to a file of that split, in constant memory."""


def assemble(arrays: Mapping[str, SplitArrays], where: str, copy_rows: CopyRows) -> dict[str, Any]:
    """What a source returns: x, y, group, id, or the same by split.

    Args:
        arrays: by split; or of all samples, with the key ``""`` and optionally ``split`` per row.
        where: the source, for a message.
        copy_rows: copies the rows of a split.

    Raises:
        DataError: a column ``split`` in a file that is one split already.
    """
    labels = next(iter(arrays.values()))["labels"]
    result: dict[str, Any] = {"labels": labels} if labels else {}
    if "" in arrays and "split" not in arrays[""]:
        result.update((k, arrays[""][k]) for k in KEYS if k in arrays[""])
        return result
    if "" in arrays:
        whole, ready = arrays[""], dict[str, SplitArrays]()
        for split in SPLITS:
            rows = np.flatnonzero(whole["split"] == split)
            if len(rows):
                ready[split] = {k: whole[k][rows] for k in ("y", "group", "id") if k in whole}
                ready[split]["x"] = copy_rows(whole["x"], rows, split)
        arrays = ready
    elif any("split" in of_split for of_split in arrays.values()):
        raise DataError(
            f"a column {SPLIT_COLUMN!r} in a file that is one split already",
            where=where,
            fix="leave that column out",
        )
    for name, of_split in arrays.items():
        result.update((f"{key}_{name}", of_split[key]) for key in KEYS if key in of_split)
    return result
