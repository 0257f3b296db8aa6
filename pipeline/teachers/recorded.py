"""Recorded answers of a teacher that ran elsewhere, matched with samples by their ids.

    >>> recorded = open(Path("logits.npz"), {"train": ids}, outputs=10)     # doctest: +SKIP
    >>> recorded.logits("train").shape                                      # doctest: +SKIP
    (50000, 10)

The order of rows has no meaning: a row belongs to the sample with its id. A file holds logits,
probabilities, or a class with the confidence in it; ``recorded_forms`` makes logits of them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, no_file
from .. import tasks
from ..data import archive
from ..records import Split
from . import recorded_csv, recorded_parquet
from .recorded_forms import Converter, Form, Read, are_probabilities, converter, spread
from .recorded_parquet import BLOCK, float32

Ids = NDArray[np.str_]
_FIX = "write it with numpy.savez(file, id=…, logits=…); ids as text, not as objects"
_FORMS: dict[str, Form] = {"logits": "logits", "probabilities": "probabilities"}
"""Arrays of an npz by name, and what their numbers are."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file's logits, and the row of each sample.

    Attributes:
        rows: by split, int64 [samples]; without the splits that have no logits in the file.
        outputs: numbers per sample.
        notes: sentences for the report.
    """

    rows: Mapping[Split, NDArray[np.int64]]
    outputs: int
    notes: tuple[str, ...]
    _stored: NDArray[Any]
    _ids: Ids
    _logits: Converter | None

    def logits(self, split: Split, part: slice = slice(None)) -> NDArray[np.float32] | None:
        """Logits of a split's samples, or of a part of them, in the order of their ids.

        Returns:
            float32 [samples, outputs]; None if the file has none of the split.
        """
        if split not in self.rows:
            return None
        rows = self.rows[split][part]
        answers = float32(self._stored[rows])
        return answers if self._logits is None else self._logits(answers, self._ids[rows])


def open(  # noqa: A001  # recorded.open(…) is what it reads as
    path: Path,
    ids: Mapping[Split, Ids],
    outputs: int | None,
    *,
    labels: Sequence[str] = (),
    task: str = "classification",
    scratch: Path | None = None,
) -> Recorded:
    """Read recorded answers and match them with the data set's samples.

    Args:
        path: an ``.npz`` with ``id`` [n] and either ``logits`` or ``probabilities`` [n, k], or
            ``label`` and ``confidence`` [n]; a ``.parquet`` with columns of these names or k
            columns of numbers; a ``.csv`` or ``.tsv`` with k columns of numbers, or with columns
            ``label`` and ``confidence``.
        ids: of each split's samples, in their order; train among them.
        outputs: numbers per sample; None: as many as the file has (an embedding).
        labels: class names; if the k columns have these names, they are put in this order.
        task: its name, which says what a probability is.
        scratch: folder to unpack the logits to, for the caller to remove after the result. None:
            one that is gone already while the result is read; Windows, which removes no file that
            is mapped, leaves it in the folder for temporary files.

    Raises:
        DataError: unreadable, another number of classes, an id that is missing or repeated, a
            number that is not finite, a split with some of its logits, or data without ids.
        HostError: parquet without pyarrow.
    """
    where = str(path)
    if "train" not in ids:
        raise DataError(
            found="a data set without ids",
            expected="an id for each sample, which says whose logits they are",
            where=where,
            fix="give the data set a column of ids (data.id); the order of rows identifies nothing",
        )
    if not path.is_file():
        raise no_file(path, DataError, "correct teacher.model")
    readers = {
        ".npz": _read_npz,
        ".parquet": recorded_parquet.read,
        ".pq": recorded_parquet.read,
        ".csv": recorded_csv.read,
        ".tsv": recorded_csv.read,
    }
    if path.suffix not in readers:
        raise DataError(
            found=f"a file named {path.suffix!r}", expected=f"{', '.join(readers)}", where=where
        )
    # A memory-mapped file stays readable after it was deleted.
    with archive.scratch() if scratch is None else nullcontext(scratch) as folder:
        names, stored, columns, form = readers[path.suffix](path, folder, tuple(labels))
    _check_shape(stored, names, outputs, columns, where)
    stored, of = stored.reshape(len(stored), -1), _text(names, where)
    rows = _matched(of, ids, where)
    likely = form != "probabilities"
    for split, rows_of_split in rows.items():
        for block in _blocks(stored, rows_of_split, ids[split], where):
            likely = likely and are_probabilities(block, form, task)
    notes = _notes(path, rows, len(stored), columns)
    if likely and (odds := tasks.of(task).probabilities):
        form = "probabilities"
        notes += (f"{path.name}: gives probabilities p; log({odds.odds}) is taken for its logits",)
    convert = converter(form, task, where)
    return Recorded(rows, stored.shape[1], notes, stored, of, convert)


def _read_npz(path: Path, folder: Path, labels: tuple[str, ...]) -> Read:
    confident = (recorded_csv.CLASS, recorded_csv.CONFIDENCE)

    def wanted(members: list[str]) -> dict[str, str]:
        given = [key for key in _FORMS if key in members][:1]
        if not given and set(confident) <= set(members):
            given = [*confident]
        if "id" not in members or not given:
            raise DataError(
                found=f"keys {sorted(members)[:8]}",
                expected="'id' and 'logits' (or 'probabilities', or 'label' and 'confidence')",
                where=str(path),
                fix="the order of rows identifies nothing: save the samples' ids with them",
            )
        return {key: key for key in ("id", *given)}

    arrays = archive.unpacked(path, folder, wanted, _FIX, absent="correct teacher.model")
    for name, form in _FORMS.items():
        if name in arrays:
            return Read(arrays["id"], arrays[name], (), form)
    classes, confidence = (arrays[key] for key in confident)
    return spread(classes, confidence, labels, arrays["id"], str(path))


def _check_shape(
    stored: NDArray[Any],
    names: NDArray[Any],
    outputs: int | None,
    columns: Sequence[str],
    where: str,
) -> None:
    if names.ndim != 1 or not stored.ndim or len(names) != len(stored):
        raise DataError(
            found=f"ids of shape {list(names.shape)} for logits of {list(stored.shape)}",
            expected="one id for each row",
            where=where,
        )
    single = stored.ndim == 1 and outputs == 1
    if (
        stored.dtype.kind not in "fiu"
        or not (single or stored.ndim == 2)
        or not math.prod(stored.shape)
    ):
        raise DataError(
            found=f"logits of shape {list(stored.shape)} and type {stored.dtype}",
            expected=f"numbers [n, {outputs or 'k'}]",
            where=where,
        )
    from_columns = f" (columns {_shown(columns)})" if columns else ""
    if outputs is not None and not single and stored.shape[1] != outputs:
        raise DataError(
            found=f"{stored.shape[1]} numbers per sample{from_columns}",
            expected=f"{outputs}, one for each class of the data set",
            where=where,
            fix="was it recorded for other classes?",
        )


def _text(names: NDArray[Any], where: str) -> Ids:
    """Ids as text, so that 12 in one file equals '12' in the other."""
    if names.dtype.kind == "S":
        try:
            return np.char.decode(names, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"ids that are not UTF-8 ({error.reason})", where=where) from None
    if names.dtype.kind not in "Uiu":
        raise DataError(
            found=f"ids of type {names.dtype}", expected="text or whole numbers", where=where
        )
    return np.asarray(names).astype(np.str_)


def _matched(names: Ids, ids: Mapping[Split, Ids], where: str) -> dict[Split, NDArray[np.int64]]:
    """The row of each sample in the file, by split."""
    order = np.argsort(names, kind="stable")
    ordered = names[order]
    doubled = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(doubled):
        raise DataError(
            found=f"{len(doubled)} ids more than once ({_shown(doubled)})",
            expected="each id once",
            where=where,
        )
    rows: dict[Split, NDArray[np.int64]] = {}
    for split, split_ids in ids.items():
        wanted = _text(split_ids, where)
        at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        missing = wanted[ordered[at] != wanted]
        if split != "train" and len(missing) == len(wanted):
            continue
        if len(missing):
            raise DataError(
                found=f"no logits for {len(missing)} of {len(wanted)} samples of {split} "
                f"({_shown(missing)})",
                expected="each sample's, or none of a split other than train",
                where=where,
                fix="record them for the same data set, with the same ids, or leave those samples "
                "out of it",
            )
        rows[split] = order[at]
    return rows


def _shown(ids: NDArray[Any] | Sequence[str]) -> str:
    first = ", ".join(repr(str(identifier)) for identifier in ids[:_SHOWN])
    return first + (", …" if len(ids) > _SHOWN else "")


def _blocks(
    stored: NDArray[Any], rows: NDArray[np.int64], ids: Ids, where: str
) -> Iterator[NDArray[np.float32]]:
    """The answers of a split, some at a time; refuses what is not finite."""
    for start in range(0, len(rows), BLOCK):
        block = float32(stored[rows[start : start + BLOCK]])
        wrong = np.flatnonzero(~np.isfinite(block).all(1))
        if len(wrong):
            raise DataError(
                found=f"NaN or infinity for {str(ids[start + wrong[0]])!r}",
                expected="finite logits",
                where=where,
            )
        yield block


def _notes(
    path: Path, rows: Mapping[Split, NDArray[np.int64]], total: int, columns: tuple[str, ...]
) -> tuple[str, ...]:
    notes = []
    used = len(np.unique(np.concatenate(list(rows.values()))))
    if used < total:
        notes.append(f"{path.name}: {total - used} of {total} recorded ids are not in the data set")
    if columns:
        notes.append(f"{path.name}: columns taken for the classes in this order: {_shown(columns)}")
    return tuple(notes)
