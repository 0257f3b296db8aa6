"""The data stage: read once, check, split, lay down as memory-mappable arrays.

out/x_train.npy   samples as the model takes them (uint8, int16 or float32; int32 token ids)
out/y_train.npy   their answers
out/id_train.npy  what names them, where the source says
… and the same for validation, calibration and test
"""

import hashlib
import shutil
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..progress import Progress
from ..recipe.data import Data
from ..records import SPLITS, DataRecord, Layout, Split
from ..tasks.labels import ReadLabels
from . import checks, find, shown, splits
from . import labels as answers
from .arrays import create
from .inputs import DataInputs
from .text_store import Texts


class Taken(NamedTuple):
    """Rows of one array that make a split.

    Attributes:
        x: the array.
        places: rows of ``x``.
        key: the source's name of the split, by which answers and ids are found.
        rows: their rows.
    """

    x: Any
    places: splits.Rows
    key: str
    rows: splits.Rows


class Found(NamedTuple):
    """A source, read and checked."""

    pairs: dict[str, tuple[Any, Any]]
    """Samples and answers, by split or as ``all``."""
    answers: ReadLabels
    ids: dict[str, NDArray[np.str_]]
    groups: dict[str, NDArray[Any]]


class Tokens(NamedTuple):
    """What is known of token ids."""

    vocabulary: int = 0
    pad: int = 0
    unknown: int = 0
    files: tuple[str, ...] = ()
    front_end: dict[str, object] | None = None


def prepare(out: Path, progress: Progress, inputs: DataInputs) -> DataRecord:
    """Read the source and lay down four checked splits.

    Args:
        out: an empty folder.
        progress: gets each step.
        inputs: of the data stage.

    Raises:
        DataError: the data set is unfit; says where and what to do.
    """
    data = inputs.data
    source, told = find(data.source)
    where = f"data.source {shown(data.source)}"
    scratch = out / "scratch"
    scratch.mkdir()
    arrays = source.read(told, scratch, data, progress)
    found = _checked(arrays, data, where)
    taken = _split(found, data, inputs.seed)
    notes = [str(note) for note in arrays.get("notes", ())]
    tokens = Tokens(front_end=arrays.get("front_end"))
    layout: Layout = "tokens"
    if isinstance(taken["train"].x, Texts):
        taken, tokens, said = _encoded(out, scratch, taken, data, progress)
        notes += said
    else:
        layout = checks.layout(taken["train"].x, str(arrays.get("layout", data.layout)))
    taken, dropped = _without_duplicates(taken, data.duplicates, where)
    _none_empty(taken, where)
    x = taken["train"].x
    labels = found.answers.names
    counts = _counts(found, taken, data)
    rules = tasks.of(data.task).labels
    if counts and rules:
        checks.every_class_everywhere({s: counts[s] for s in rules.every_class_in}, labels, where)
    dtype = x.dtype if layout == "tokens" else checks.input_dtype(x, where)
    digest = hashlib.sha256(f"{layout} {labels} {data.task}".encode())
    with progress.steps("laying down", len(SPLITS)) as steps:
        for split, part in taken.items():
            _lay_down(out, split, part, dtype, digest)
            _lay_down_answers(out, split, part, found, digest)
            steps.advance(f"{split} {len(part.rows)}")
    mean, std = _moments(out / "x_train.npy", layout, data)
    shutil.rmtree(scratch)
    notes += _notes(x, dtype, counts.get("train", ()), labels, dropped)
    return DataRecord(
        source=shown(data.source),
        task=data.task,
        labels=labels,
        sample_shape=tuple(int(n) for n in x.shape[1:]),
        layout=layout,
        dtype=dtype.name,
        mean=mean,
        std=std,
        **_answer_moments(out, data),
        rows={str(split): len(part.rows) for split, part in taken.items()},
        counts=counts,
        vocabulary=tokens.vocabulary,
        pad=tokens.pad,
        unknown=tokens.unknown,
        front_end=tokens.front_end,
        files=tokens.files,
        identified=bool(found.ids),
        dropped=dropped,
        notes=tuple(notes),
        fingerprint=digest.hexdigest(),
    )


def _counts(found: Found, taken: Mapping[Split, Taken], data: Data) -> dict[str, tuple[int, ...]]:
    """Samples of each class, by split; empty without classes."""
    rules = tasks.of(data.task).labels
    if rules is None or rules.counts is None:
        return {}
    classes = len(found.answers.names)
    return {
        split: rules.counts(found.answers.of[part.key][part.rows], classes)
        for split, part in taken.items()
    }


def _checked(arrays: Mapping[str, Any], data: Data, where: str) -> Found:
    """What the source gave, as pairs of samples and answers that fit together."""
    has_ready = "x_train" in arrays or "x_test" in arrays
    needed = ["x_train", "x_test"] if has_ready else ["x"]
    if tasks.of(data.task).labels:
        needed += [key.replace("x", "y") for key in needed]
    missing = sorted(key for key in needed if key not in arrays)
    if missing:
        raise DataError(
            found=f"keys {sorted(arrays)}",
            expected=f"{', '.join(missing)} too" if has_ready else "x and y, or ready splits",
            where=where,
        )
    ready = [s for s in SPLITS if f"x_{s}" in arrays] if has_ready else []
    pairs: dict[str, tuple[Any, Any]] = {
        s: (arrays[f"x_{s}"], arrays.get(f"y_{s}")) for s in ready
    } or {"all": (arrays["x"], arrays.get("y"))}
    first = next(iter(pairs.values()))[0]
    for name, (x, _) in pairs.items():
        if isinstance(x, Texts):
            continue
        checks.samples(x, where if name == "all" else f"{where}, {name}")
        if x.shape[1:] != first.shape[1:] or x.dtype != first.dtype:
            raise DataError(
                found=f"samples of {x.dtype} {list(x.shape[1:])} in {name}",
                expected=f"{first.dtype} {list(first.shape[1:])} as in the first split",
                where=where,
            )
    names = data.labels or tuple(str(name) for name in np.atleast_1d(arrays.get("labels", ())))
    rows = {name: len(x) for name, (x, _) in pairs.items()}
    known = answers.read({n: y for n, (_, y) in pairs.items()}, rows, data.task, names, where)
    groups = _column("group", arrays, rows, where)
    _keeps_groups_whole(groups, where)
    ids = _column("id", arrays, rows, where)
    named = len(ids) == len(rows)  # A sample without an id leaves all without.
    return Found(pairs, known, {n: v.astype(np.str_) for n, v in ids.items() if named}, groups)


def _column(
    kind: str, arrays: Mapping[str, Any], rows: Mapping[str, int], where: str
) -> dict[str, NDArray[Any]]:
    """``group`` or ``id``, one value a sample, of the splits that have it."""
    keys = {name: kind if name == "all" else f"{kind}_{name}" for name in rows}
    if kind in arrays and kind not in keys.values():
        raise DataError(
            found=f"{kind} for all samples, and ready splits",
            expected=", ".join(keys.values()),
            where=where,
        )
    found = {name: np.asarray(arrays[key]) for name, key in keys.items() if key in arrays}
    for name, values in found.items():
        if values.shape != (rows[name],):
            raise DataError(
                found=f"{keys[name]} of shape {list(values.shape)}",
                expected=f"one value for each of {rows[name]} samples",
                where=where,
            )
    return found


def _keeps_groups_whole(groups: Mapping[str, NDArray[Any]], where: str) -> None:
    """Refuse ready splits that judge by a group which stands in another of them too."""
    for judge, other in permutations(groups, 2):
        if judge not in ("test", "validation"):
            continue
        both = np.intersect1d(groups[judge], groups[other])
        if len(both):
            raise DataError(
                found=f"the group {both[0].item()!r} in {other} and in {judge}",
                expected="all samples of a group in one split",
                where=where,
                fix="leave the ready splits out to have them cut by group, or the groups",
            )


def _split(found: Found, data: Data, seed: int) -> dict[Split, Taken]:
    """Ready splits where the source has them, else our own."""
    fractions: dict[Split, float] = {
        "test": data.test,
        "validation": data.validation,
        "calibration": data.calibration,
    }
    whole = "train" if "train" in found.pairs else "all"
    to_cut = {s: f for s, f in fractions.items() if s not in found.pairs}
    count = len(found.pairs[whole][0])
    rows: dict[Split, splits.Rows] = {"train": np.arange(count)}
    if to_cut:
        rules = tasks.of(data.task).labels
        strata = found.answers.of[whole] if rules and rules.stratified else None
        rows = splits.cut(count, strata, to_cut, seed, found.groups.get(whole))
    taken = {}
    for split in SPLITS:
        key = split if split in found.pairs and split != "train" else whole
        x = found.pairs[key][0]
        own = rows.get(split, np.arange(len(x)))
        taken[split] = Taken(x if isinstance(x, Texts) else np.asanyarray(x), own, key, own)
    return taken


def _encoded(
    out: Path, scratch: Path, taken: dict[Split, Taken], data: Data, progress: Progress
) -> tuple[dict[Split, Taken], Tokens, list[str]]:
    """Texts as token ids, by a tokenizer that saw train alone."""
    from . import tokens

    train = taken["train"]
    path = out / tokens.FILE
    if data.text.tokenizer is None:
        tokens.train(train.x, train.rows, data.text, path)
        tokenizer = tokens.load(path)
    else:
        tokenizer = tokens.load(data.text.tokenizer)
        shutil.copyfile(data.text.tokenizer, path)
    told = tokens.describe(tokenizer, data.text)
    pad = tokens.pad_id(tokenizer)
    found, cut = {}, 0
    blocks = sum(tokens.blocks(len(part.rows)) for part in taken.values())
    with progress.steps("tokens", blocks) as steps:
        for split, part in taken.items():
            shape = (len(part.rows), data.text.max_length)
            ids = create(scratch / f"ids_{split}.npy", np.int32, shape)
            cut += tokens.encode(
                tokenizer, part.x, part.rows, data.text.max_length, pad, ids, steps.advance
            ).cut
            found[split] = part._replace(x=ids, places=np.arange(len(ids)))
    every = sum(len(part.rows) for part in taken.values())
    longer = f"{cut} of {every} texts are longer than {data.text.max_length} tokens and cut"
    hides = tokens.mask_id(tokenizer)
    known = Tokens(tokens.vocabulary(tokenizer), pad, hides, (tokens.FILE,), told)
    return found, known, [longer] if cut else []


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
        found = splits.hashes(part.x, part.places)
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
        kept[split] = part._replace(rows=part.rows[~twice], places=part.places[~twice])
        seen = np.concatenate([seen, found])
    return {split: kept[split] for split in SPLITS}, dropped


def _none_empty(taken: Mapping[Split, Taken], where: str) -> None:
    """Refuse a split whose samples all stand in others too."""
    for split, part in taken.items():
        if not len(part.rows):
            raise DataError(
                found=f"no sample of {split} that does not stand in another split too",
                expected="samples of its own",
                where=where,
                fix="bring other samples; a repeated one tells nothing new",
            )


def _lay_down(out: Path, split: str, part: Taken, dtype: np.dtype[Any], digest: Any) -> None:
    shape = (len(part.places), *part.x.shape[1:])
    target = create(out / f"x_{split}.npy", dtype, shape)
    for rows in checks.chunks(len(part.places), part.x[0].size):
        block = np.ascontiguousarray(part.x[part.places[rows]], dtype=dtype)
        digest.update(block.tobytes())
        target[rows] = block


def _lay_down_answers(out: Path, split: str, part: Taken, found: Found, digest: Any) -> None:
    own = found.answers.of[part.key][part.rows]
    digest.update(own.tobytes())
    np.save(out / f"y_{split}.npy", own, allow_pickle=False)
    if found.ids:
        ids = found.ids[part.key][part.rows]
        digest.update("\0".join(ids.tolist()).encode())
        np.save(out / f"id_{split}.npy", ids, allow_pickle=False)


_CHANNELS: dict[Layout, int | None] = {"hwc": 3, "chw": 1, "hw": None, "tc": 2}
"""The axis of channels, each of which has a unit of its own."""


def _moments(path: Path, layout: Layout, data: Data) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of train: per channel of an image, per column of a float table.

    The columns of a whole-number table (pixels laid flat) share a unit and so share one pair.
    """
    x = np.load(path, mmap_mode="r")
    if layout == "tokens":
        return (), ()
    axis = (1 if x.dtype.kind == "f" else None) if layout == "table" else _CHANNELS[layout]
    channels = x.shape[axis] if axis is not None else 1
    if data.mean:
        if len(data.mean) not in (1, channels):
            raise DataError(
                found=f"{len(data.mean)} values",
                expected=f"1 or {channels}, one a channel",
                where="data.mean",
            )
        return data.mean, data.std
    return _mean_and_deviation(x, axis, channels)


def _mean_and_deviation(
    x: NDArray[Any], axis: int | None, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
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


def _answer_moments(out: Path, data: Data) -> dict[str, tuple[float, ...]]:
    """Mean and deviation of each number of a regression, whose units the model need not learn."""
    if not tasks.of(data.task).label_units:
        return {}
    y = np.load(out / "y_train.npy")
    mean, std = _mean_and_deviation(y, 1, y.shape[1])
    return {"answer_mean": mean, "answer_std": std}


def _notes(
    x: NDArray[Any],
    dtype: np.dtype[Any],
    train: tuple[int, ...],
    labels: tuple[str, ...],
    dropped: int,
) -> list[str]:
    notes = []
    if x.dtype != dtype:
        notes.append(f"samples are {x.dtype} in the source and {dtype} in the model's input")
    if train and (ratio := max(train) / max(1, min(train))) > _UNEVEN:
        rare, common = labels[train.index(min(train))], labels[train.index(max(train))]
        notes.append(
            f"classes are uneven: {common!r} has {ratio:.1f} times the samples of {rare!r}; "
            "class_weights = true in [teacher] and [distill] would weigh the rare ones up"
        )
    if dropped:
        notes.append(f"{dropped} samples dropped because they stand in two splits")
    return notes


_UNEVEN = 3
"""Times the samples of the rarest class from which a report speaks of it."""
