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
from . import columns as files
from . import table
from .columns import Column, listed
from .table import SPLIT_NAMES, Part
from .text_store import Texts

fingerprint = table.fingerprint


def read(told: str, scratch: Path, data: Data, progress: Progress) -> dict[str, Any]:
    """Texts as ``Texts`` and their answers; tokens come later, for a tokenizer sees train only.

    Args:
        told: a csv, tsv, parquet or npz file, or a folder of split files.
        scratch: where the memory maps go.
        data: the recipe's part: ``column``, ``target``, ``group``, ``id`` and ``task``.
        progress: told after each file.

    Returns:
        x, y, group, id, or the same by split; labels where the task or the source names them.

    Raises:
        DataError: a column that is missing; an empty text or label.
    """
    parts = table.read_files(told, progress, lambda path, split: _parts(path, split, scratch, data))

    def take(texts: Texts, rows: NDArray[np.int64], split: str) -> Texts:
        some = (text for block in texts.blocks(rows) for text in block)
        return Texts.write(scratch / f"taken_{split}", some)

    return table.assemble(parts, told, take)


def _parts(path: Path, split: str, scratch: Path, data: Data) -> dict[str, Part]:
    """What a file holds: one part, or one a split where its keys say so (``text_train``)."""
    seen = files.look(path)
    ends = [end for end in SPLIT_NAMES if f"{data.column}_{end}" in seen]
    if split == "" and data.column not in seen and ends:
        return {
            SPLIT_NAMES[end]: _part(path, seen, f"_{end}", SPLIT_NAMES[end], scratch, data)
            for end in ends
        }
    return {split: _part(path, seen, "", split or "all", scratch, data)}


def _part(
    path: Path, seen: Mapping[str, Column], suffix: str, stem: str, scratch: Path, data: Data
) -> Part:
    where = str(path)
    name = f"{data.column}{suffix}"
    if name not in seen:
        raise DataError(
            found=f"no column {name!r} among {listed(seen)}",
            where=where,
            fix="name the column of the text in data.column",
        )
    roles = table.roles(seen, data, where, suffix)
    if name in roles.names:
        raise DataError(f"column {name!r} is text and answer", where=where, fix="name another")
    texts = Texts.write(scratch / f"texts_{stem}", _filled(path, name, scratch))
    extra = {"labels"} & set(seen) if path.suffix.lower() == ".npz" else set()
    found = files.read(path, scratch, {*roles.names, *extra}, seen)
    part = table.role_arrays(found, roles, data, len(texts), where)
    if extra:
        part["labels"] = tuple(str(label) for label in np.atleast_1d(found["labels"]))
    return part | {"x": texts}


def _filled(path: Path, name: str, scratch: Path) -> Iterator[str]:
    """The texts, one by one; a model can say nothing of an empty one."""
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
