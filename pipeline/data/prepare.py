"""The data stage: read a source once, check it, split it and write memory-mappable arrays.

out/x_train.npy   samples as the model takes them (uint8, int16 or float32; int32 token ids);
                  those without a label come last
out/y_train.npy   labels of the others
out/id_train.npy  what identifies them, if the source has ids
out/group_train.npy  the group of each, if the source has groups
… and the same for validation, calibration and test
"""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..printable import how_many
from ..progress import Progress
from ..recipe.data import Data
from ..records import SPLITS, DataRecord, Layout, Split
from . import arrays_of, checks, moments, shares, shown
from .arrays import create
from .examine import class_counts, examined, labelled_counts, unlabelled_count
from .inputs import DataInputs
from .raw_table import RawTable
from .source_samples import SourceSamples
from .split_samples import SplitSamples, without_duplicates
from .table_encoding import Encoded, encoded
from .text_store import Texts
from .tokenized import Tokenized, tokenized
from .tokenizer import FILE as TOKENIZER

_UNEVEN = 3
"""Ratio of the largest class to the smallest one from which the report has a note about it."""


def prepare(out: Path, progress: Progress, inputs: DataInputs) -> DataRecord:
    """Read the source and write four checked splits.

    Args:
        out: an empty folder.
        progress: gets each step.
        inputs: of the data stage.

    Raises:
        DataError: the data set is unfit; says where and what to do.
    """
    scratch = out / "scratch"
    scratch.mkdir()
    record = _prepared(out, scratch, progress, inputs)
    # Nothing holds its arrays any more: Windows removes no file that is mapped.
    shutil.rmtree(scratch)
    return record


def _prepared(out: Path, scratch: Path, progress: Progress, inputs: DataInputs) -> DataRecord:
    data = inputs.data
    where = f"data.source {shown(data.source)}"
    arrays = arrays_of(data, scratch, progress)
    source, by_split, layout = examined(arrays, data, inputs.seed, where)
    units = moments.units(data, source.labels.names)
    is_text = isinstance(by_split["train"].x, Texts)
    text = tokenized(out, scratch, by_split, data, progress) if is_text else None
    by_split = text.by_split if text else by_split
    cells = None
    if isinstance(by_split["train"].x, RawTable):
        cells = encoded(scratch, by_split, data.table, progress)
        by_split = cells.by_split
    asked = shares.asked(source, by_split, data)
    warnings = list(shares.warnings(source, by_split, data))
    by_split, dropped = without_duplicates(by_split, data.duplicates, where)
    counts = class_counts(source, by_split, data, where)
    x = by_split["train"].x
    dtype = x.dtype if layout == "tokens" else checks.input_dtype(x, where)
    digest = hashlib.sha256(f"{layout} {source.labels.names} {data.task}".encode())
    _write(out, by_split, source, dtype, digest, progress)
    notes = [
        *map(str, arrays.get("notes", ())),
        *(text.notes if text else ()),
        *(cells.notes if cells else ()),
    ]
    notes += _notes(x, dtype, counts.get("train", ()), source.labels.names, dropped)
    notes += _about_unlabelled(source, unlabelled_count(source, by_split))
    return DataRecord(
        source=shown(data.source),
        task=data.task,
        labels=source.labels.names,
        sample_shape=tuple(int(n) for n in x.shape[1:]),
        layout=layout,
        dtype=dtype.name,
        **_moments(out, layout, data),
        rows=labelled_counts(source, by_split),
        unlabelled=unlabelled_count(source, by_split),
        counts=counts,
        units=units,
        **_input_fields(text, cells, arrays),
        identified=bool(source.ids),
        groups=shares.groups(source, by_split),
        asked={str(split): fraction for split, fraction in asked.items()},
        dropped=dropped,
        notes=tuple(notes),
        warnings=(*warnings, *shares.unjudged(counts, source.labels.names, data)),
        fingerprint=digest.hexdigest(),
    )


def _moments(out: Path, layout: Layout, data: Data) -> dict[str, Any]:
    """The fields of the record about means and standard deviations."""
    mean, std = moments.of_samples(out / "x_train.npy", layout, data)
    label_mean, label_std = moments.of_labels(out / "y_train.npy", data)
    return {"mean": mean, "std": std, "answer_mean": label_mean, "answer_std": label_std}


def _input_fields(
    text: Tokenized | None, cells: Encoded | None, arrays: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of the record about token ids and the front end."""
    if cells is not None:
        return {"front_end": {**arrays["front_end"], **cells.front_end}}
    if text is None:
        return {"front_end": arrays.get("front_end")}
    return {
        "front_end": text.front_end,
        "vocabulary": text.vocabulary,
        "pad": text.pad,
        "unknown": text.mask,
        "files": (TOKENIZER,),
    }


def _write(
    out: Path,
    by_split: Mapping[Split, SplitSamples],
    source: SourceSamples,
    dtype: np.dtype[Any],
    digest: Any,
    progress: Progress,
) -> None:
    """Write samples, labels, ids and groups of all splits, and add them to a digest."""
    with progress.steps("writing", len(SPLITS)) as steps:
        for split, part in by_split.items():
            _write_samples(out / f"x_{split}.npy", part, dtype, digest)
            y = source.labels.of[part.key][source.with_label(part.key, part.rows)]
            digest.update(y.tobytes())
            np.save(out / f"y_{split}.npy", y, allow_pickle=False)
            if source.ids:
                ids = source.ids[part.key][part.rows]
                digest.update("\0".join(ids.tolist()).encode())
                np.save(out / f"id_{split}.npy", ids, allow_pickle=False)
            if part.key in source.groups:
                groups = source.groups[part.key][part.rows]
                digest.update("\0".join(groups.tolist()).encode())
                np.save(out / f"group_{split}.npy", groups, allow_pickle=False)
            steps.advance(f"{split} {len(part.rows)}")


def _write_samples(path: Path, part: SplitSamples, dtype: np.dtype[Any], digest: Any) -> None:
    target = create(path, dtype, (len(part.x_rows), *part.x.shape[1:]))
    for rows in checks.chunks(len(part.x_rows), part.x[0].size):
        block = np.ascontiguousarray(part.x[part.x_rows[rows]], dtype=dtype)
        digest.update(block.tobytes())
        target[rows] = block


def _about_unlabelled(source: SourceSamples, used: int) -> list[str]:
    """What became of the samples without a label."""
    found = sum(int((~labelled).sum()) for labelled in source.labelled.values())
    if not found:
        return []
    notes = [
        f"of train {how_many(used, 'sample')} without a label: the student learns the teacher's "
        "answers to them, and nothing else does; if -1 is a class, name the classes in data.labels"
    ]
    if found > used:
        notes.append(
            f"left out without a label: {how_many(found - used, 'sample')} of test or validation, "
            "or of a group there"
        )
    return notes


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
            "class_weights = true in [teacher] and [distill] would give rare classes more weight"
        )
    if dropped:
        notes.append(f"{how_many(dropped, 'sample')} dropped for being in two splits")
    return notes
