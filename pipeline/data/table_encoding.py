"""Categories and missing numbers of a table as numbers, by encoders that saw train alone.

>>> encoded(folder, by_split, names, form, progress).front_end["encoding"][0]
{'column': 'age', 'kind': 'number', 'missing': 37.0, 'indicator': True}

``encoding`` is all that is needed to encode a row outside edgestill; it travels in the metadata of
every model file. For each column in turn it gives the numbers of the model's input:

    number           the value; where it is missing, ``missing``. With ``indicator`` a second number
                     follows: 1 where it was missing, else 0.
    category         one-hot: a number for each of ``categories``, 1 for the value's own, else 0.
                     ordinal: the value's place in ``categories``, from 0; -1 if it is not there.
                     A value that is missing is the category ``null``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..progress import Progress
from ..recipe.data import TableForm
from ..records import Split
from .arrays import create
from .checks import chunks
from .raw_table import RawTable
from .split_samples import SplitSamples


class Encoded(NamedTuple):
    """Splits of numbers, and how they came about.

    Attributes:
        by_split: samples whose x is float32 [n, inputs] or [n, window, inputs].
        front_end: ``columns``, ``inputs`` and ``encoding``, as JSON.
        notes: sentences for the report.
    """

    by_split: dict[Split, SplitSamples]
    front_end: dict[str, object]
    notes: tuple[str, ...]


def encoded(
    folder: Path, by_split: Mapping[Split, SplitSamples], form: TableForm, progress: Progress
) -> Encoded:
    """Encode all splits; every encoder is fitted on train.

    Raises:
        DataError: a column without any value in train.
    """
    train = by_split["train"]
    raw: RawTable = train.x
    steps = [_fitted(raw, place, train.x_rows, form) for place in range(len(raw.columns))]
    names = [name for step in steps for name in step.names]
    result: dict[Split, SplitSamples] = {}
    with progress.steps("encoding", len(by_split)) as said:
        for split, part in by_split.items():
            cells = part.x.cells
            shape = (len(part.x_rows), *cells.shape[1:-1], len(names))
            x = create(folder / f"encoded_{split}.npy", np.float32, shape)
            for rows in chunks(len(x), int(np.prod(shape[1:]))):
                block = np.asarray(cells[part.x_rows[rows]], np.float64)
                columns = [step(block[..., place]) for place, step in enumerate(steps)]
                x[rows] = np.concatenate(columns, axis=-1)
            result[split] = part._replace(x=x, x_rows=np.arange(len(x)))
            said.advance(split)
    front_end = {
        "columns": list(raw.columns),
        "inputs": names,
        "encoding": [step.described for step in steps],
    }
    return Encoded(result, front_end, tuple(_notes(steps)))


class _Step(NamedTuple):
    """A fitted encoder of one column.

    Attributes:
        encoder: of scikit-learn; None: the column passes as it is.
        names: of the numbers that it gives.
        described: for the metadata.
    """

    encoder: Any
    names: tuple[str, ...]
    described: dict[str, object]

    def __call__(self, cells: NDArray[np.float64]) -> NDArray[Any]:
        """Numbers [n, …, k] of cells [n, …]."""
        if self.encoder is None:
            return cells[..., None]
        flat = self.encoder.transform(cells.reshape(-1, 1))
        return np.asarray(flat).reshape(*cells.shape, -1)


def _fitted(raw: RawTable, place: int, rows: NDArray[np.int64], form: TableForm) -> _Step:
    name = raw.columns[place]
    cells = np.asarray(raw.cells[..., place][rows], np.float64).reshape(-1, 1)
    if np.isnan(cells).all():
        raise DataError(
            found=f"column {name!r} without a value in train",
            expected="some",
            where="data.table.columns",
            fix="leave it out with data.ignore",
        )
    if place in raw.categories:
        return _categories(name, cells, raw.categories[place], form)
    return _numbers(name, cells, form)


def _numbers(name: str, cells: NDArray[np.float64], form: TableForm) -> _Step:
    if form.missing == "refuse":
        return _Step(None, (name,), {"column": name, "kind": "number"})
    from sklearn.impute import SimpleImputer

    indicates = form.indicator and bool(np.isnan(cells).any())
    strategy = form.missing.replace("-", "_")
    imputer = SimpleImputer(strategy=strategy, add_indicator=indicates).fit(cells)
    described = {
        "column": name,
        "kind": "number",
        "missing": float(imputer.statistics_[0]),
        "indicator": indicates,
    }
    names = (name, f"{name} is missing") if indicates else (name,)
    return _Step(imputer, names, described)


def _categories(
    name: str, cells: NDArray[np.float64], values: Sequence[str], form: TableForm
) -> _Step:
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    known = np.unique(cells[~np.isnan(cells)])
    codes = np.append(known, np.nan) if np.isnan(cells).any() else known
    kept = [None if np.isnan(code) else values[int(code)] for code in codes]
    if form.encoding == "one-hot":
        encoder = OneHotEncoder(categories=[codes], handle_unknown="ignore", sparse_output=False)
        names = tuple(f"{name}={'missing' if value is None else value}" for value in kept)
    else:
        encoder = OrdinalEncoder(
            categories=[codes],
            handle_unknown="use_encoded_value",
            unknown_value=-1,
            encoded_missing_value=len(codes) - 1 if kept[-1] is None else -1,
        )
        names = (name,)
    described: dict[str, object] = {
        "column": name,
        "kind": "category",
        "encoding": form.encoding,
        "categories": kept,
    }
    return _Step(encoder.fit(cells), names, described)


def _notes(steps: Sequence[_Step]) -> list[str]:
    """What was encoded, for the report."""
    notes = []
    kinds = [step.described for step in steps]
    if categories := [d for d in kinds if d["kind"] == "category"]:
        of_each = ", ".join(f"{d['column']} ({len(d['categories'])})" for d in categories)  # type: ignore[arg-type]
        how = categories[0]["encoding"]
        notes.append(
            f"columns of categories, {how} by the categories of train: {of_each}; other categories "
            f"are {'all zeros' if how == 'one-hot' else '-1'}"
        )
    if filled := [d for d in kinds if d.get("indicator")]:
        of_each = ", ".join(f"{d['column']} ({d['missing']:g})" for d in filled)
        notes.append(
            f"missing numbers are filled in from train, and a further input says where: {of_each}"
        )
    return notes
