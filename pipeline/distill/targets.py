"""Soft targets: the teacher's answers to every view of train, stored in train order.

Logits are stored, not probabilities, so that the temperature can change without another run of the
teacher. Half precision keeps three digits of them. Beyond 256 classes only the largest are stored,
and the logarithm of the sum of the others' exponentials.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from ...errors import DataError, ModelError, RecipeError
from .. import tasks
from ..data.arrays import create, open_split, open_with_unlabelled
from ..data.checks import chunks
from ..engine.stage import Made
from ..engine.store import write_atomic
from ..progress import Progress
from ..records import DataRecord, ModelRecord, ShardRecord, Split, TargetsRecord
from . import top_logits
from .batches import Batches
from .inputs import TargetsInputs
from .shards import BLOCK, BLOCKS_A_NOTE, ShardInputs
from .teacher_answers import TeacherAnswers, exportable
from .views import nth

LOGITS, PLACES, REST, ROWS = "logits.npy", "places.npy", "rest.npy", "rows.npy"
ANSWERS = "answers_{split}.npy"
ALL_CLASSES, MOST_LIKELY = 256, 64
"""Of up to 256 classes all logits are stored, of more only the 64 largest."""
_DONE = "done.json"
_PLACES = 0x9E3779B97F4A7C15
"""Seed of what tells the places of a sample apart."""
_IN_CACHE = 32
"""Part of a chunk that is hashed at once, for the cache to hold it: 256 KiB."""


def make_targets(out: Path, progress: Progress, inputs: TargetsInputs, work: Path) -> TargetsRecord:
    """Store the teacher's answers to every view of train, and those that verification needs.

    Args:
        out: the files that ``TargetsRecord`` names go here.
        progress: gets each block.
        inputs: of the targets stage.
        work: the folder with what was stored before a kill.

    Raises:
        ModelError: an answer that is not finite, or beyond what half precision holds.
        RecipeError: more than one view of a teacher whose answers were recorded.
    """
    _check_recorded(inputs)
    made = _Making(inputs)
    with made.teacher() as teacher:
        kept = kept_of(teacher.outputs, inputs.options.top_k, made.record)
        files = _files(work, made.record, made.shape, teacher.outputs, kept)
        blocks = _blocks(*made.shape)
        done = min(_done(work), len(blocks))
        with progress.steps("soft targets", len(blocks) - done) as steps:
            for number, (view, part) in enumerate(blocks[done:], done + 1):
                _answer(teacher, made.batches, view, part, files, kept, at=(view, part))
                if number % BLOCKS_A_NOTE == 0 or number == len(blocks):
                    _note(work, files, number)
                steps.advance()
        answered = made.others(out, teacher, progress)
    _move(work, out, files)
    return made.recorded(out, teacher.outputs, kept, answered)


def make_shard(out: Path, progress: Progress, inputs: ShardInputs) -> ShardRecord:
    """Store the teacher's answers to some blocks of the views of train, one after the other.

    Args:
        out: the same files as of the whole, [rows, kept], go here.
        progress: gets each block.
        inputs: of the shard.

    Raises:
        ModelError: as ``make_targets``.
    """
    made = _Making(inputs.targets)
    blocks = _blocks(*made.shape)[inputs.first : inputs.last]
    rows = sum(part.stop - part.start for _, part in blocks)
    with made.teacher() as teacher:
        kept = kept_of(teacher.outputs, inputs.targets.options.top_k, made.record)
        files = _files(out, made.record, (rows,), teacher.outputs, kept)
        with progress.steps("soft targets", len(blocks)) as steps:
            start = 0
            for view, part in blocks:
                at = slice(start, start + part.stop - part.start)
                _answer(teacher, made.batches, view, part, files, kept, at=(at,))
                start = at.stop
                steps.advance()
    for array in files.values():
        array.flush()
    return ShardRecord(rows=rows, outputs=teacher.outputs)


def merge_targets(
    out: Path, progress: Progress, inputs: TargetsInputs, parts: Sequence[Made[ShardRecord]]
) -> TargetsRecord:
    """Put shards together: the record and the files, byte for byte, that ``make_targets`` gives.

    Args:
        out: the files go here.
        progress: gets each shard.
        inputs: of the targets stage.
        parts: its shards, in their order.
    """
    _check_recorded(inputs)
    made = _Making(inputs)
    outputs = parts[0].record.outputs
    kept = kept_of(outputs, inputs.options.top_k, made.record)
    files = _files(out, made.record, made.shape, outputs, kept)
    # Rows of the views, one view after the other, as the blocks were numbered.
    flat = {name: array.reshape(-1, *array.shape[2:]) for name, array in files.items()}
    start = 0
    with progress.steps("soft targets, merged", len(parts)) as steps:
        for shard in parts:
            stop = start + shard.record.rows
            for name, array in flat.items():
                array[start:stop] = np.load(shard.path / name, mmap_mode="r")
            start = stop
            steps.advance()
    for array in files.values():
        array.flush()
    answered: tuple[Split, ...] = ()
    if any(_needed(inputs.teachers.models, made.record)):
        with made.teacher() as teacher:
            answered = made.others(out, teacher, progress)
    return made.recorded(out, outputs, kept, answered)


class _Making:
    """What all of the answers have in common.

    Attributes:
        record: of the data.
        batches: of train, with its unlabelled samples.
        shape: views and rows.
    """

    def __init__(self, inputs: TargetsInputs) -> None:
        data = inputs.samples.data
        self._inputs, self._data, self.record = inputs, data, data.record
        self._train = open_with_unlabelled(data.path)
        self.batches = Batches(
            self.record, self._train, inputs.samples.augment, inputs.samples.seed
        )
        self.shape = (inputs.options.views, len(self.batches))

    def teacher(self) -> TeacherAnswers:
        """All teachers as one."""
        return TeacherAnswers(
            self._inputs.teachers.models, self._inputs.teachers.shares, self.record
        )

    def others(self, out: Path, teacher: TeacherAnswers, progress: Progress) -> tuple[Split, ...]:
        """Store the answers on the other splits that need some; those that have them."""
        needed = _needed(self._inputs.teachers.models, self.record)
        return tuple(s for s in needed if _others(out, teacher, self._data, s, progress))

    def recorded(
        self, out: Path, outputs: int, kept: int, answered: tuple[Split, ...]
    ) -> TargetsRecord:
        """What belongs to the answers as a whole, and the record."""
        views, rows = self.shape
        if views:
            np.save(out / ROWS, identities(self._train.x), allow_pickle=False)
        return TargetsRecord(
            views=views,
            rows=rows,
            outputs=outputs,
            kept=kept,
            bytes=sum(path.stat().st_size for path in out.iterdir()),
            train_score=_train_score(out, self.record, self._train.y) if views else None,
            answered=answered,
        )


def _blocks(views: int, rows: int) -> list[tuple[int, slice]]:
    """View and rows of each block, in the order in which they are answered."""
    return [
        (view, slice(start, min(start + BLOCK, rows)))
        for view in range(views)
        for start in range(0, rows, BLOCK)
    ]


def _move(work: Path, out: Path, files: dict[str, Any]) -> None:
    names = tuple(files)
    files.clear()  # Windows renames no file that is mapped.
    for name in names:
        (work / name).rename(out / name)


def _check_recorded(inputs: TargetsInputs) -> None:
    """Refuse views of samples for a teacher that has answered the samples only."""
    varied = inputs.options.views > 1 or inputs.samples.augment.varies
    if varied and any(model.record.origin == "recorded" for model in inputs.teachers.models):
        raise RecipeError(
            found="recorded answers, and augmented views of the samples",
            expected="views = 1 and no [augment], as only the samples themselves were answered",
            where="distill.views",
        )


def kept_of(outputs: int, top_k: int, data: DataRecord) -> int:
    """How many outputs of each answer are stored.

    Raises:
        RecipeError: fewer than all are asked for where the task has no classes.
    """
    if not tasks.of(data.task).exclusive:
        if top_k:
            raise RecipeError(
                found=f"top_k = {top_k} for {data.task}",
                expected="0, as only classes have a rest to be summed up",
                where="distill.top_k",
            )
        return outputs
    return min(outputs, top_k or (outputs if outputs <= ALL_CLASSES else MOST_LIKELY))


def _files(
    work: Path, data: DataRecord, shape: tuple[int, ...], outputs: int, kept: int
) -> dict[str, Any]:
    """The arrays to fill, as a killed run left them or new; none where nothing is stored."""
    if not shape[0]:
        return {}
    # Half precision has no room for the units of the labels.
    exact = tasks.of(data.task).label_units
    kinds: dict[str, tuple[Any, tuple[int, ...]]] = {
        LOGITS: (np.float32 if exact else np.float16, (*shape, kept))
    }
    if kept < outputs:
        kinds[PLACES] = (np.uint16 if outputs <= 2**16 else np.uint32, (*shape, kept))
        kinds[REST] = (np.float16, shape)
    return {name: _file(work / name, *kind) for name, kind in kinds.items()}


def _file(path: Path, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        # Opened to be written to, a file that was cut short would be filled up with zeros.
        stored: NDArray[Any] = np.load(path, mmap_mode="r")
        if stored.dtype == dtype and stored.shape == shape:
            return open_memmap(path, mode="r+")
    except (OSError, ValueError):
        pass
    (path.parent / _DONE).unlink(missing_ok=True)
    return create(path, dtype, shape)


def _done(work: Path) -> int:
    """Blocks that a killed run has answered and noted."""
    try:
        return int(json.loads((work / _DONE).read_text(encoding="utf-8"))["blocks"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _note(work: Path, files: Mapping[str, Any], blocks: int) -> None:
    for array in files.values():
        array.flush()
    write_atomic(work / _DONE, json.dumps({"blocks": blocks}).encode())


def _answer(
    teacher: TeacherAnswers,
    batches: Batches,
    view: int,
    part: slice,
    files: Mapping[str, Any],
    kept: int,
    *,
    at: tuple[Any, ...],
) -> None:
    """Answer a block and store it at a place of the arrays."""
    rows = np.arange(part.start, part.stop)
    answers = teacher(batches.views(rows, view).x, "train", rows)
    assert answers is not None  # noqa: S101 - every teacher answers train
    stored = files[LOGITS]
    limit = np.finfo(stored.dtype).max
    if np.abs(answers).max() > limit:
        raise ModelError(
            found=f"an answer of {np.abs(answers).max():.3g} by the teacher",
            expected=f"numbers up to {limit:.3g}",
            where="targets",
        )
    if kept == answers.shape[1]:
        stored[at] = answers
        return
    places, top, rest = top_logits.top(torch.from_numpy(answers), kept)
    stored[at], files[PLACES][at] = top.numpy(), places.numpy()
    files[REST][at] = rest.numpy()


def _needed(teachers: tuple[Made[ModelRecord], ...], data: DataRecord) -> Iterator[Split]:
    """Splits besides train whose answers are stored here."""
    without_file = not exportable(teachers)
    if without_file or tasks.of(data.task).labels is None:
        yield "validation"  # its vectors are the truth where there are no labels
    if without_file:
        yield "test"  # else its file is asked, later


def _others(
    out: Path, teacher: TeacherAnswers, data: Made[DataRecord], split: Split, progress: Progress
) -> bool:
    """Store the teacher's answers on a whole split, where it has any."""
    x, path = open_split(data.path, split).x, out / ANSWERS.format(split=split)
    stored = create(path, np.float32, (len(x), teacher.outputs))
    starts = range(0, len(x), BLOCK)
    with progress.steps(f"answers on {split}", len(starts)) as steps:
        for start in starts:
            rows = np.arange(start, min(start + BLOCK, len(x)))
            answers = teacher(np.asarray(x[rows]), split, rows)
            if answers is None:
                path.unlink()
                return False
            stored[rows] = answers
            steps.advance()
    return True


def _train_score(out: Path, data: DataRecord, y: NDArray[Any]) -> float:
    """The teacher's score on train's labelled samples, from its answers to the first view."""
    task = tasks.of(data.task)
    if task.labels is None:
        return 1.0  # its vectors are the truth
    if (out / PLACES).exists():  # the likeliest class comes first
        return float((np.load(out / PLACES, mmap_mode="r")[0, : len(y), 0] == y).mean())
    return task.selection(np.load(out / LOGITS, mmap_mode="r")[0, : len(y)], y)


class Target(NamedTuple):
    """Stored targets, opened: ``target(rows, view)`` gives the teacher's outputs as float32."""

    outputs: int
    logits: NDArray[Any]
    places: NDArray[Any] | None
    rest: NDArray[Any] | None

    def __call__(self, rows: NDArray[np.int64], view: int) -> torch.Tensor:
        """The teacher's answers [n, outputs] to one view of some rows of train."""
        top = torch.from_numpy(self.logits[view][rows].astype(np.float32))
        if self.places is None or self.rest is None:
            return top
        places = torch.from_numpy(self.places[view][rows].astype(np.int64))
        rest = torch.from_numpy(self.rest[view][rows].astype(np.float32))
        return top_logits.expand(places, top, rest, self.outputs)


def open_targets(targets: Made[TargetsRecord], x: NDArray[Any]) -> Target:
    """Memory-map stored targets, and check that each row belongs to its sample.

    Args:
        targets: the targets stage's output.
        x: train, in whose order they should be.

    Raises:
        DataError: they are of other samples, or of another order.
    """
    claimed, actual = np.load(targets.path / ROWS), identities(x)
    both = min(len(claimed), len(actual))
    wrong = np.flatnonzero(claimed[:both] != actual[:both])
    if len(wrong) or len(claimed) != len(actual):
        row = int(wrong[0]) if len(wrong) else both
        raise DataError(
            found=f"soft targets that belong to other samples (first: row {row} of train)",
            expected=f"one for each of the {len(actual)} samples, in their order",
            where=str(targets.path),
            fix="remove that folder and build again",
        )
    opened = [
        np.load(targets.path / name, mmap_mode="r") if (targets.path / name).exists() else None
        for name in (LOGITS, PLACES, REST)
    ]
    assert opened[0] is not None  # noqa: S101 - the digests of the store say that it is there
    return Target(targets.record.outputs, opened[0], opened[1], opened[2])


def identities(x: NDArray[Any]) -> NDArray[np.uint64]:
    """A 64-bit hash of each sample's bytes, uint64 [n]: the sum of one of each word in its place.

    Each place has a generator of its own, of which the word picks a number. Samples that differ in
    one word never collide, others by chance: two of a million samples in 1 of 40 million data sets.
    """
    width = x[0].nbytes
    words = -(-width // 8)
    places = np.random.default_rng(_PLACES).integers(0, 2**64, words, np.uint64)
    hashes = np.empty(len(x), np.uint64)
    for part in chunks(len(x), _IN_CACHE * words):
        block = np.ascontiguousarray(x[part]).reshape(part.stop - part.start, -1).view(np.uint8)
        if width % 8:
            block = np.pad(block, ((0, 0), (0, words * 8 - width)))
        hashes[part] = nth(places, block.view(np.uint64)).sum(1, dtype=np.uint64)
    return hashes
