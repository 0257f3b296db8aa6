"""The data stage: read once, check, split, lay down as memory-mappable arrays.

out/x_train.npy  the samples as the data set holds them (uint8, int16 or float32)
out/y_train.npy  int64 labels
… and the same for validation, calibration and test
"""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..progress import Progress
from ..recipe import Data
from ..records import SPLITS, DataRecord, Split
from . import checks, find, shown, splits
from .arrays import create


class Taken(NamedTuple):
    """Rows of one array that make a split."""

    x: NDArray[Any]
    y: NDArray[np.int64]
    rows: splits.Rows


def prepare(
    out: Path, progress: Progress, *, data: Data, fingerprint: str, seed: int
) -> DataRecord:
    """Read the source and lay down four checked splits.

    Args:
        out: an empty folder.
        progress: told what goes on.
        data: the recipe's part.
        fingerprint: of the source; part of the key only.
        seed: of the splits.

    Raises:
        DataError: the data set is unfit; says where and what to do.
    """
    del fingerprint
    source, told = find(data.source)
    where = f"data.source {shown(data.source)}"
    scratch = out / "scratch"
    scratch.mkdir()
    arrays = source.read(told, scratch)
    taken, labels = _split(arrays, data, seed, where)
    x = taken["train"].x
    layout = checks.layout(x, data.layout)
    taken, dropped = _without_duplicates(taken, data.duplicates, where)
    counts: dict[str, list[int]] = {
        split: np.bincount(part.y[part.rows], minlength=len(labels)).tolist()
        for split, part in taken.items()
    }
    checks.every_class_everywhere(counts, labels, where)
    dtype = checks.input_dtype(x, where)
    digest = hashlib.sha256(f"{layout} {labels}".encode())
    with progress.steps("laying down", len(SPLITS)) as steps:
        for split, part in taken.items():
            _lay_down(out, split, part, dtype, digest)
            steps.advance(f"{split} {len(part.rows)}")
    mean, std = _moments(out / "x_train.npy", layout, data)
    shutil.rmtree(scratch)
    return DataRecord(
        source=shown(data.source),
        labels=labels,
        sample_shape=tuple(int(n) for n in x.shape[1:]),
        layout=layout,
        dtype=dtype.name,
        mean=mean,
        std=std,
        counts={split: tuple(n) for split, n in counts.items()},
        dropped=dropped,
        notes=_notes(x, dtype, counts["train"], labels, dropped),
        fingerprint=digest.hexdigest(),
    )


def _split(
    arrays: Mapping[str, Any], data: Data, seed: int, where: str
) -> tuple[dict[Split, Taken], tuple[str, ...]]:
    """Ready splits where the source has them, else our own."""
    has_ready = "x_train" in arrays or "x_test" in arrays
    needed = ("x_train", "y_train", "x_test", "y_test") if has_ready else ("x", "y")
    missing = [key for key in needed if key not in arrays]
    if missing:
        raise DataError(
            found=f"keys {sorted(arrays)}",
            expected=f"{', '.join(missing)} too" if has_ready else "x and y, or ready splits",
            where=where,
        )
    ready: tuple[Split, ...] = tuple(s for s in SPLITS if f"x_{s}" in arrays) if has_ready else ()
    pairs: dict[str, tuple[Any, Any]] = {
        s: (arrays[f"x_{s}"], arrays.get(f"y_{s}")) for s in ready
    } or {"all": (arrays["x"], arrays["y"])}
    for name, (x, y) in pairs.items():
        place = where if name == "all" else f"{where}, {name}"
        if y is None:
            raise DataError(found=f"x_{name} without y_{name}", where=where)
        checks.samples(x, y, place)
        first = next(iter(pairs.values()))[0]
        if x.shape[1:] != first.shape[1:] or x.dtype != first.dtype:
            raise DataError(
                found=f"samples of {x.dtype} {list(x.shape[1:])} in {name}",
                expected=f"{first.dtype} {list(first.shape[1:])} as in the first split",
                where=where,
            )
    names = data.labels or tuple(str(name) for name in np.atleast_1d(arrays.get("labels", ())))
    coded, labels = checks.encode({n: np.asarray(y) for n, (_, y) in pairs.items()}, names, where)
    fractions: dict[Split, float] = {
        "test": data.test,
        "validation": data.validation,
        "calibration": data.calibration,
    }
    whole = "train" if has_ready else "all"
    group = arrays.get("group")
    if group is not None and (has_ready or np.shape(group) != np.shape(pairs[whole][1])):
        raise DataError(
            found=f"group of shape {list(np.shape(group))}",
            expected="one value a sample of x (ready splits take no group)",
            where=where,
        )
    to_cut: dict[Split, float] = {s: f for s, f in fractions.items() if s not in ready}
    rows: dict[Split, splits.Rows] = {"train": np.arange(len(coded[whole]))}
    if to_cut:
        rows = splits.cut(coded[whole], to_cut, seed, None if group is None else np.asarray(group))
    taken = {}
    for split in SPLITS:
        key = split if split in ready and split != "train" else whole
        where_from = rows.get(split, np.arange(len(coded[key])))
        taken[split] = Taken(np.asanyarray(pairs[key][0]), coded[key], where_from)
    return taken, labels


def _without_duplicates(
    taken: dict[Split, Taken], policy: str, where: str
) -> tuple[dict[Split, Taken], int]:
    """Make sure that no sample stands in two splits; test has the first claim on it."""
    if policy == "allow":
        return taken, 0
    seen = np.empty(0, dtype="S16")
    kept: dict[Split, Taken] = {}
    dropped = 0
    claims: tuple[Split, ...] = ("test", "validation", "calibration", "train")
    for split in claims:
        part = taken[split]
        found = splits.hashes(part.x, part.rows)
        twice = np.isin(found, seen)
        if twice.any() and policy == "refuse":
            row = int(part.rows[int(np.argmax(twice))])
            raise DataError(
                found=f"{int(twice.sum())} samples of {split} (first: row {row}) that stand in "
                "another split too",
                expected="disjoint splits",
                where=where,
                fix='say duplicates = "drop" in [data] to keep each in test only',
            )
        dropped += int(twice.sum())
        kept[split] = part._replace(rows=part.rows[~twice])
        seen = np.concatenate([seen, found])
    return {split: kept[split] for split in SPLITS}, dropped


def _lay_down(out: Path, split: str, part: Taken, dtype: np.dtype[Any], digest: Any) -> None:
    shape = (len(part.rows), *part.x.shape[1:])
    target = create(out / f"x_{split}.npy", dtype, shape)
    for rows in checks.chunks(len(part.rows), part.x[0].size):
        block = np.ascontiguousarray(part.x[part.rows[rows]], dtype=dtype)
        digest.update(block.tobytes())
        target[rows] = block
    labels = part.y[part.rows]
    digest.update(labels.tobytes())
    np.save(out / f"y_{split}.npy", labels, allow_pickle=False)


def _moments(path: Path, layout: str, data: Data) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of train: per channel of an image, per column of a float table.

    The columns of a whole-number table (pixels laid flat) share a unit and so share one pair.
    """
    x = np.load(path, mmap_mode="r")
    axis = {"hwc": 3, "chw": 1, "hw": None, "table": 1 if x.dtype.kind == "f" else None}[layout]
    channels = x.shape[axis] if axis is not None else 1
    if data.mean:
        if len(data.mean) not in (1, channels):
            raise DataError(
                found=f"{len(data.mean)} values",
                expected=f"1 or {channels}, one a channel",
                where="data.mean",
            )
        return data.mean, data.std
    total, squares, count = np.zeros(channels), np.zeros(channels), 0
    for rows in checks.chunks(len(x), x[0].size):
        block = np.asarray(x[rows], dtype=np.float64)
        flat = np.moveaxis(block, axis, -1).reshape(-1, channels) if axis else block.reshape(-1, 1)
        # Shifted by the first block's mean: the naive sum of squares loses digits for large means.
        if count == 0:
            shift = flat.mean(axis=0)
        total += (flat - shift).sum(axis=0)
        squares += ((flat - shift) ** 2).sum(axis=0)
        count += len(flat)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    # Against the mean alone: a column of picofarads is not constant.
    constant = std <= 1e-12 * np.abs(mean + shift)
    std[constant] = 1.0
    return tuple(float(v) for v in mean + shift), tuple(float(v) for v in std)


def _notes(
    x: NDArray[Any], dtype: np.dtype[Any], train: list[int], labels: tuple[str, ...], dropped: int
) -> tuple[str, ...]:
    notes = []
    if x.dtype != dtype:
        notes.append(f"samples are {x.dtype} in the source and {dtype} in the model's input")
    ratio = max(train) / min(train)
    if ratio > 3:
        rare, common = labels[train.index(min(train))], labels[train.index(max(train))]
        notes.append(
            f"classes are uneven: {common!r} has {ratio:.1f} times the samples of {rare!r}"
        )
    if dropped:
        notes.append(f"{dropped} samples dropped because they stand in two splits")
    return tuple(notes)
