"""A teacher: trained here, loaded from weights, run as a black box, or recorded.

It is checked before hours are spent on it: it takes a batch, gives as many finite numbers as the
task has, and scores better than chance.
"""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import ModelError
from .. import tasks, teachers
from ..data.arrays import Arrays, create, open_ids, open_split
from ..data.checks import chunks
from ..engine.stage import Made
from ..engine.store import digest_of, file_sha256, folder_digests
from ..models import deployed, example, parameters
from ..models.deployed import Deployed
from ..models.factory import blamed_if_users
from ..models.weights import WEIGHTS, load_foreign, save
from ..progress import Progress
from ..recipe.architecture import Teacher
from ..recipe.model_names import MODULE_KINDS, PATH_KINDS
from ..records import SPLITS, DataRecord, Epoch, ModelRecord, Split
from .batches import Batches
from .hard_labels import hard_labels
from .inputs import Samples, TeacherInputs
from .loop import TrainingSetup, fit, new_view_each_epoch, outputs_of
from .shards import BLOCK
from .teacher_answers import BLACK_BOX, FOLDER, RECORDED, foreign
from .teacher_checks import (
    answers_of_module,
    as_it_comes,
    check_one_batch,
    doubt_of,
    no_teacher,
    score_of,
    taken_for_vectors,
)

_JUDGING: tuple[Split, ...] = ("validation", "test")
"""Splits whose vectors choose and score a student that learns vectors."""


class KnownAnswers(NamedTuple):
    """Answers that score a teacher of which only the answers are available."""

    answers: NDArray[np.float32]
    split: Arrays
    notes: tuple[str, ...]


def make_teacher(out: Path, progress: Progress, inputs: TeacherInputs, work: Path) -> ModelRecord:
    """Train the teacher, or copy it, and check that a student can learn from it.

    Args:
        out: its weights, its file or its answers go here.
        progress: gets each epoch.
        inputs: of the teacher stage.
        work: the folder of a training that can be resumed.

    Raises:
        ModelError: it does not fit; or its score is no better than chance, and it is not a model
            of the user's that is taken as it is.
    """
    teacher, data, seed = inputs.teacher, inputs.samples.data, inputs.samples.seed
    kind = teachers.kind(teacher.model)
    if kind in ("logits", "onnx"):
        answered = (_recorded if kind == "logits" else _black_box)(out, teacher, data, seed)
        for warning in answered.warnings:
            progress.warn(warning)
        return answered
    torch.manual_seed(seed)
    model = _module(kind, out, teacher, data.record)
    validation = open_split(data.path, "validation")
    curve: tuple[Epoch, ...] = ()
    best = chosen_by = None
    # Without labels there is nothing to train by: what a function makes is taken as it is.
    has_labels = tasks.of(data.record.task).labels is not None
    can_learn = kind in ("family", "factory") and teacher.weights is None and has_labels
    trained = can_learn and teacher.is_trained
    if trained:
        setup, what = _training_setup(teacher, inputs.samples), f"teacher {teacher.model}"
        with blamed_if_users(teacher.model, "teacher.model"):
            fitted = fit(model, setup, progress=progress, what=what, work=work)
        curve, best, score = fitted.curve, fitted.best.epoch, fitted.best.validation_score
        answers, chosen_by = outputs_of(model, validation.x, data.record), setup.chosen_by.name
    else:
        check_one_batch(model, data.record)
        answers = answers_of_module(model, validation, data.record)
        score = score_of(answers, validation.y, data.record)
    doubt = doubt_of(answers, validation.y, data.record)
    warnings = _warnings(answers, data.record)
    if doubt and can_learn and not trained:
        warnings += (as_it_comes(doubt),)
    elif doubt:
        raise no_teacher(doubt, teacher)
    for warning in warnings:
        progress.warn(warning)
    return ModelRecord(
        model=_name_in_report(teacher.model),
        width=teacher.width,
        arguments=teacher.arguments,
        outputs=_outputs(model, data.record),
        parameters=parameters(model),
        seed=seed,
        distilled=False,
        origin="trained" if trained else "loaded",
        curve=curve,
        best_epoch=best,
        validation_score=score,
        selected_by=chosen_by,
        weights_sha256=_save(model, out),
        warnings=warnings,
        normalized=teacher.normalize,
        standardized=_standardized(kind, teacher),
    )


def _standardized(kind: str, teacher: Teacher) -> bool:
    """Whether a model gives standardized numbers: not one that was trained elsewhere, on labels."""
    return kind == "family" or (kind == "factory" and teacher.is_trained)


def _training_setup(teacher: Teacher, samples: Samples) -> TrainingSetup:
    record, path = samples.data.record, samples.data.path
    return TrainingSetup(
        Batches(record, open_split(path, "train"), samples.augment, samples.seed),
        open_split(path, "validation"),
        record,
        teacher,
        hard_labels(record, teacher),
        new_view_each_epoch,
        samples.seed,
        select_by=samples.select_by,
    )


def _save(model: Deployed, out: Path) -> str:
    """Save the weights, unless the copied source has them; return their hash."""
    if (out / FOLDER).exists():
        return digest_of(folder_digests(out / FOLDER))
    save(model, out / WEIGHTS)
    return file_sha256(out / WEIGHTS)


def _copy_source(out: Path, teacher: Teacher) -> Path:
    """Copy the source of a model of another library, so that the user may move theirs."""
    source = teacher.weights or Path(teachers.address(teacher.model))
    if teacher.weights is None and teachers.kind(teacher.model) == "timm":
        raise ModelError(
            found=f"{teacher.model!r} without weights",
            expected="a checkpoint, as nothing is downloaded",
            where="teacher.weights",
        )
    if source.is_dir():
        shutil.copytree(source, out / FOLDER, ignore=shutil.ignore_patterns(".*"))
    else:
        (out / FOLDER).mkdir()
        shutil.copyfile(source, out / FOLDER / source.name)
    return out / FOLDER


def _module(kind: str, out: Path, teacher: Teacher, data: DataRecord) -> Deployed:
    """The teacher as a module that takes samples of the data set, with its weights loaded."""
    _check_gives_vectors(kind, teacher, data)
    if kind in MODULE_KINDS:
        folder = _copy_source(out, teacher)
        return foreign(teacher.model, folder, data, normalized=teacher.normalize)
    model = deployed(
        teacher,
        data,
        normalized=teacher.normalize,
        standardized=_standardized(kind, teacher),
    )
    if teacher.weights is not None:
        load_foreign(model.backbone, teacher.weights, teacher.model)
    return model


def _black_box(out: Path, teacher: Teacher, data: Made[DataRecord], seed: int) -> ModelRecord:
    """Copy an ONNX file and run it on validation, in a separate process."""
    from ..teachers import black_box

    path = Path(teachers.address(teacher.model))
    for beside in black_box.external_files(path):
        (out / beside.relative_to(path.parent)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(beside, out / beside.relative_to(path.parent))
    shutil.copyfile(path, out / BLACK_BOX)
    validation = open_split(data.path, "validation")
    x = validation.x
    with black_box.BlackBox(out / BLACK_BOX, black_box.Signature.of(data.record)) as box:
        blocks = [box.ask(np.asarray(x[i : i + BLOCK])) for i in range(0, len(x), BLOCK)]
        answers, notes = np.concatenate(blocks), box.notes
    known = KnownAnswers(answers, validation, notes)
    return _record_of_answers(out / BLACK_BOX, "black box", known, teacher, data.record, seed)


def _recorded(out: Path, teacher: Teacher, data: Made[DataRecord], seed: int) -> ModelRecord:
    """Put recorded answers into the order of each split, by the ids of the samples."""
    from ..teachers import recorded

    path = Path(teachers.address(teacher.model))
    ids = {split: open_ids(data.path, split) for split in SPLITS} if data.record.identified else {}
    task, labels = tasks.of(data.record.task), data.record.labels
    outputs = task.outputs(data.record)
    scratch = out / "scratch"
    scratch.mkdir()

    def sort() -> tuple[Split, tuple[str, ...]]:
        name = data.record.task
        read = recorded.open(path, ids, outputs, labels=labels, task=name, scratch=scratch)
        if task.labels is None:
            _check_recorded_splits(path, read.rows)
        for split, rows in read.rows.items():
            shape = (len(rows), read.outputs)
            stored = create(out / RECORDED.format(split=split), np.float32, shape)
            for part in chunks(*shape):
                stored[part] = read.logits(split, part)
        return "validation" if "validation" in read.rows else "train", read.notes

    of, notes = sort()
    # Nothing holds its arrays any more: Windows removes no file that is mapped.
    shutil.rmtree(scratch)
    answers = np.load(out / RECORDED.format(split=of), mmap_mode="r")
    labelled = open_split(data.path, of)
    known = KnownAnswers(answers[: len(labelled.y)], labelled, notes)
    file = out / RECORDED.format(split="train")
    return _record_of_answers(file, "recorded", known, teacher, data.record, seed)


def _check_recorded_splits(path: Path, splits: Collection[Split]) -> None:
    """Refuse recorded vectors that lack a split: a student of vectors has no other labels."""
    for split in _JUDGING:
        if split not in splits:
            raise ModelError(
                found=f"no recorded vectors of {split}",
                expected="those of train, validation and test",
                where=str(path),
                fix="record them for the whole data set",
            )


def _record_of_answers(
    file: Path,
    origin: Literal["black box", "recorded"],
    known: KnownAnswers,
    teacher: Teacher,
    data: DataRecord,
    seed: int,
) -> ModelRecord:
    """The record of a teacher of which only the answers are available."""
    score = score_of(known.answers, known.split.y, data)
    if doubt := doubt_of(known.answers, known.split.y, data):
        raise no_teacher(doubt, teacher)
    return ModelRecord(
        model=_name_in_report(teacher.model),
        width=0,
        outputs=known.answers.shape[1],
        parameters=None,
        seed=seed,
        distilled=False,
        origin=origin,
        curve=(),
        best_epoch=None,
        validation_score=score,
        weights_sha256=file_sha256(file),
        notes=known.notes,
        warnings=_warnings(known.answers, data),
    )


def _warnings(answers: NDArray[np.float32], data: DataRecord) -> tuple[str, ...]:
    """What a reader should know of a teacher's answers."""
    warning = taken_for_vectors(answers, data)
    return () if warning is None else (warning,)


def _outputs(model: Deployed, data: DataRecord) -> int:
    outputs = tasks.of(data.task).outputs(data)
    if outputs is not None:
        return outputs
    with torch.no_grad():
        return int(model.eval()(example(data)).shape[1])


def _check_gives_vectors(kind: str, teacher: Teacher, data: DataRecord) -> None:
    """Refuse a teacher that is made with as many outputs as there are labels, where none are."""
    if tasks.of(data.task).labels is None and kind in ("family", "hf"):
        given = "vectors" if tasks.of(data.task).probabilities is None else "logits"
        raise ModelError(
            found=f"{teacher.model!r}, whose outputs are the classes of the data",
            expected=f"a teacher that gives {given} of its own for the task {data.task}",
            where="teacher.model",
            fix="give it as 'module:function', 'onnx:FILE' or 'logits:FILE'",
        )


def _name_in_report(model: str) -> str:
    """A model as the report names it: a file without its folders."""
    kind, mark, rest = model.partition(":")
    return f"{kind}:{Path(rest).name}" if mark and kind in PATH_KINDS else model
