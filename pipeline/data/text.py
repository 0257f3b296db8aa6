"""Texts and their labels: a table whose input is one column of text.

``text:reviews.csv`` reads the columns ``text`` and ``label``. Ready splits come from a folder with
``train.csv``, ``dev.csv``, ``test.csv``, from a column ``split``, or from an npz with
``text_train``, ``label_train``, ….
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..progress import Progress
from ..recipe.data import Data
from ..records import SPLITS
from . import columns as files
from . import table
from .array_names import LABELS, meanings
from .column import Column, listed
from .column_roles import arrays_of_roles, gaps_of, roles_of
from .split_files import SplitArrays, assemble, read_files
from .text_store import Texts

fingerprint = table.fingerprint


def read(source: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """Texts as ``Texts`` and their targets. ``prepare`` tokenizes them after the split.

    Args:
        source: a csv, tsv, parquet or npz file, or a folder of split files.
        scratch: folder for the memory maps.
        data: the recipe's section: ``column``, ``target``, ``group``, ``id`` and ``task``.
        progress: advances with each file.

    Returns:
        x, y, group, id, or the same by split; labels, if the task or the source names them.

    Raises:
        DataError: a column that is missing; an empty text or label.
    """
    arrays = read_files(
        source, progress, lambda path, split: _arrays_of_file(path, split, scratch, data)
    )

    def copy_rows(texts: Texts, rows: NDArray[np.int64], split: str) -> Texts:
        chosen = (text for block in texts.blocks(rows) for text in block)
        return Texts.write(scratch / f"rows_of_{split}", chosen)

    return assemble(arrays, source, copy_rows)


def _arrays_of_file(path: Path, split: str, scratch: Path, data: Data) -> dict[str, SplitArrays]:
    """The arrays of a file: of its one split, or of several if its keys say so (``text_train``)."""
    described = files.describe(path)
    if path.suffix.lower() == ".npz":
        words = {**LABELS, data.column: (data.column,)}
        names = meanings(described, words, str(path), data=data, keep=True)
        described = {key: described[name]._replace(member=name) for key, name in names.items()}
    splits = [s for s in SPLITS if f"{data.column}_{s}" in described]
    if split == "" and data.column not in described and splits:
        return {s: _arrays(path, described, f"_{s}", s, scratch, data) for s in splits}
    return {split: _arrays(path, described, "", split or "all", scratch, data)}


def _arrays(
    path: Path, described: Mapping[str, Column], suffix: str, stem: str, scratch: Path, data: Data
) -> SplitArrays:
    where = str(path)
    name = f"{data.column}{suffix}"
    if name not in described:
        raise DataError(
            found=f"no column {name!r} among {listed(described)}",
            where=where,
            fix="name the column of the text in data.column",
        )
    roles = roles_of(described, data, where, suffix)
    if name in roles.names:
        raise DataError(
            f"column {name!r} is both text and target, group, id or split",
            where=where,
            fix="name another column in data.column",
        )
    texts = Texts.write(
        scratch / f"texts_{stem}", _not_empty(path, described[name].member or name, scratch)
    )
    extra = {"labels"} & set(described) if path.suffix.lower() == ".npz" else set()
    names = {*roles.names, *extra}
    columns = files.read(path, scratch, names, described, gaps_of(roles, described))
    arrays = arrays_of_roles(columns, roles, data, len(texts), where)
    if extra:
        arrays["labels"] = tuple(str(label) for label in np.atleast_1d(columns["labels"]))
    return arrays | {"x": texts}


def _not_empty(path: Path, name: str, scratch: Path) -> Iterator[str]:
    """The texts of a column; an empty text is an error, for it has no tokens."""
    row = 0
    for block in files.strings(path, name, scratch):
        for text in block:
            if not text.strip():
                raise DataError(
                    found=f"an empty text in row {row} (from 0), column {name!r}",
                    where=str(path),
                    fix="leave that row out",
                )
            yield text
            row += 1
