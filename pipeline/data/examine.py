"""What is asked of a data set before a number of it is written: by a build, and by a plan.

>>> look(Data(source="npz:d.npz"), seed=0).rows                        # doctest: +SKIP
{'train': 60, 'validation': 10, 'calibration': 10, 'test': 20}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import tasks
from ..progress import Silent
from ..recipe.data import Data
from ..records import DataRecord, Layout, Split
from . import archive, arrays_of, checks, find, moments, shown
from .raw_table import RawTable
from .source_samples import SourceSamples, checked
from .split_samples import SplitSamples, split_samples, without_duplicates
from .table_encoding import encoded
from .text_store import Texts

MOST_BYTES = 256 << 20
"""Size up to which a plan reads a file of samples."""


class Examined(NamedTuple):
    """A data set that can be shared out.

    Attributes:
        source: checked samples and labels.
        by_split: the samples of each split, repeated ones among them.
        layout: of a sample.
    """

    source: SourceSamples
    by_split: dict[Split, SplitSamples]
    layout: Layout


def examined(arrays: Mapping[str, Any], data: Data, seed: int, where: str) -> Examined:
    """Check the arrays of a source and share them out.

    Args:
        arrays: as a source returns them.
        data: the recipe's section.
        seed: of the splits.
        where: the source, for a message.

    Raises:
        DataError: the data set is unfit; says where and what to do.
    """
    source = checked(arrays, data, where)
    x = next(iter(source.x.values()))
    layout: Layout = "tokens"
    if not isinstance(x, Texts):
        layout = checks.layout(x, str(arrays.get("layout", data.layout)))
    by_split = split_samples(source, data, seed)
    class_counts(source, by_split, data, where)
    return Examined(source, by_split, layout)


def class_counts(
    source: SourceSamples, by_split: Mapping[Split, SplitSamples], data: Data, where: str
) -> dict[str, tuple[int, ...]]:
    """Samples of each class, by split; empty without classes. Every class must be there."""
    rules = tasks.of(data.task).labels
    if rules is None or rules.counts is None:
        return {}
    names = source.labels.names
    counts: dict[str, tuple[int, ...]] = {
        split: rules.counts(
            source.labels.of[part.key][source.with_label(part.key, part.rows)], len(names)
        )
        for split, part in by_split.items()
    }
    if counts:
        checks.every_class_everywhere({s: counts[s] for s in rules.every_class_in}, names, where)
    return counts


def labelled_counts(
    source: SourceSamples, by_split: Mapping[Split, SplitSamples]
) -> dict[str, int]:
    """Samples of each split that have a label."""
    return {
        str(split): len(source.with_label(part.key, part.rows)) for split, part in by_split.items()
    }


def unlabelled_count(source: SourceSamples, by_split: Mapping[Split, SplitSamples]) -> int:
    """Samples of train that have none."""
    part = by_split["train"]
    return len(part.rows) - len(source.with_label(part.key, part.rows))


def look(data: Data, seed: int) -> DataRecord | None:
    """What a build would refuse about the data, refused now, and what it would find.

    Images and sound are listed and the first of each is decoded; texts are not tokenized.

    Args:
        data: the recipe's section.
        seed: of the splits.

    Returns:
        A record whose moments, notes and fingerprint are empty; None where the file is too large
        to be read for a plan.

    Raises:
        DataError: as ``prepare``.
        HostError: a library is missing.
    """
    named = {"data.source": data.source, "data.unlabelled": data.unlabelled}
    sources = [find(source, key) for key, source in named.items() if source is not None]
    for kind, argument in sources:
        if kind.outline is None and argument and _bytes(Path(argument)) > MOST_BYTES:
            return None
    with archive.scratch() as folder:
        return _outlined(folder, data, seed, whole=sources[0][0].outline is None)


def _outlined(scratch: Path, data: Data, seed: int, *, whole: bool) -> DataRecord:
    arrays = arrays_of(data, scratch, Silent(), outlined=True)
    where = f"data.source {shown(data.source)}"
    source, by_split, layout = examined(arrays, data, seed, where)
    dropped = 0
    if isinstance(by_split["train"].x, RawTable):
        by_split = encoded(scratch, by_split, data.table, Silent()).by_split
    x = by_split["train"].x
    if whole and not isinstance(x, Texts):
        by_split, dropped = without_duplicates(by_split, data.duplicates, where)
    is_text = isinstance(x, Texts)
    return DataRecord(
        source=shown(data.source),
        task=data.task,
        labels=source.labels.names,
        sample_shape=(data.text.max_length,) if is_text else tuple(map(int, x.shape[1:])),
        layout=layout,
        dtype="int32" if is_text else checks.input_dtype(x, where).name,
        mean=(),
        std=(),
        units=moments.units(data, source.labels.names),
        rows=labelled_counts(source, by_split),
        unlabelled=unlabelled_count(source, by_split),
        counts=class_counts(source, by_split, data, where),
        dropped=dropped,
        notes=(),
        fingerprint="",
    )


def _bytes(path: Path) -> int:
    """The size of a file, or of the files in a folder; 0 where there is none."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size if path.is_file() else 0
