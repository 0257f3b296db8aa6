"""The verify stage: is each file what it claims to be, and how good is it where it ships?

Accuracy is measured in ONNX Runtime on the whole test split, at the batch the benchmark uses: a
dynamically quantized file answers differently in another batch. A search has it measured on
validation, for test is looked at once, by the verdict.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...devices.onboard.settings import Session
from ...devices.onboard.stats.estimate import Estimate
from ...exporters.interface import INPUT
from .. import tasks
from ..data.arrays import Arrays, draw, open_groups, open_split
from ..distill.targets import ANSWERS
from ..distill.teacher_answers import ensemble
from ..engine.stage import Made
from ..models.activated import activated
from ..progress import Progress, Steps
from ..records import (
    TEACHER,
    DataRecord,
    Parity,
    Steadiness,
    Variant,
    VariantQuality,
    VariantsRecord,
    VerifyRecord,
)
from ..tasks.sampling import Sampling
from . import parity
from .answers import GOLDEN, Logits, logits
from .gain import gain_of
from .group_scores import by_group, validation_remark
from .inputs import VerifyInputs
from .int8_drops import int8_drops
from .promise import confidence
from .quality import FP32, NO_TEACHER, UNKNOWN, Reference, Running, quality_of
from .steadiness import SAMPLES, steadiness

GOLDEN_SAMPLES = 16
CHANGED = "changed.npz"
"""The few samples that each variant answers otherwise than the teacher, for the report."""


def verify(out: Path, progress: Progress, inputs: VerifyInputs) -> VerifyRecord:
    """Check, compare and score the teacher and every variant.

    Args:
        out: ``answers/<variant>.npy`` (outputs on the split), ``golden.npz`` and ``changed.npz`` go
            here.
        progress: gets each file.
        inputs: of the verify stage.

    Raises:
        ModelError: a file cannot be run or gives NaN.
    """
    record, data = inputs.variants.record, inputs.data
    test = open_split(data.path, inputs.split)
    (out / "answers").mkdir()
    running = Running(
        inputs.variants.path,
        test.x,
        inputs.batch,
        torch.get_num_threads(),
        record.plan.precise,
        data.record.pad if data.record.layout == "tokens" else None,
        tasks.of(data.record.task).probabilities if record.activation else None,
    )
    with progress.steps("verify", 2 * len(record.files) + 2) as steps:
        answers = _answers(out, inputs, running, steps)
        task = tasks.of(data.record.task)
        truth = answers[TEACHER] if task.labels is None else test.y
        groups = open_groups(data.path, inputs.split)
        sampling = Sampling(confidence(len(record.variants)), groups)
        reference = Reference(
            data.record,
            task,
            truth,
            answers.get(TEACHER),
            answers[FP32],
            sampling,
            UNKNOWN if inputs.targets else NO_TEACHER,
        )
        asked = draw(test, SAMPLES).x
        qualities: list[VariantQuality] = []
        for variant in record.files:
            parities = _parity(variant, inputs, test)
            outputs = answers[variant.name]
            quality = quality_of(variant, outputs, reference, running, parities)
            steady = _steadiness(variant, running, asked, exported=bool(parities))
            qualities.append(
                quality.model_copy(update={"steadiness": steady, "made_from": variant.made_from})
            )
            score = _text(qualities[-1].score)
            steps.advance(f"{variant.name} {task.metric.name} {score}")
        gain = gain_of(inputs, test, task, sampling) if inputs.plain else None
        steps.advance()
        drops = int8_drops(inputs, running, answers, truth, task, sampling)
        steps.advance()
    _save_golden(out, draw(test, GOLDEN_SAMPLES).x, inputs.variants, inputs.batch)
    _save_changed(out, test, qualities)
    first = int(record.teacher is not None)
    return VerifyRecord(
        task=task.name,
        split=inputs.split,
        labels=data.record.labels,
        test_samples=len(test.x),
        metric=task.metric.name,
        label_unit=data.record.unit,
        left_out=_left_out(task, truth, data.record),
        teacher=qualities[0] if first else None,
        teacher_score=reference.score(answers.get(TEACHER)),
        variants=tuple(qualities[first:]),
        gain=gain,
        int8_drops=drops,
        groups=by_group(answers, truth, groups, task),
        remarks=_remarks(inputs, answers[FP32], truth, task),
    )


def _remarks(
    inputs: VerifyInputs, outputs: Logits, truth: NDArray[Any], task: tasks.Task
) -> tuple[str, ...]:
    """What a reader of the scores has to know."""
    if inputs.split != "test":
        return ()
    student = inputs.variants.record.student
    remark = validation_remark(student, inputs.data.record, outputs, truth, task)
    return (remark,) if remark else ()


def _left_out(task: tasks.Task, truth: Any, data: DataRecord) -> tuple[str, ...]:
    """Classes, labels or numbers that test has nothing to judge by."""
    at = np.flatnonzero(task.left_out(truth, len(data.labels)))
    return tuple(data.labels[i] for i in at)


def _answers(
    out: Path, inputs: VerifyInputs, running: Running, steps: Steps
) -> Mapping[str, Logits]:
    """What every ``.onnx`` file answers on test, and the teacher where only answers are known."""
    answers: dict[str, Logits] = {}
    targets = inputs.targets
    if targets is not None and inputs.split in targets.record.answered:
        answers[TEACHER] = np.load(targets.path / ANSWERS.format(split=inputs.split))
        np.save(out / "answers" / f"{TEACHER}.npy", answers[TEACHER])
    for variant in inputs.variants.record.files:
        answers[variant.name] = running.outputs(variant.file, precise=running.precise)
        np.save(out / "answers" / f"{variant.name}.npy", answers[variant.name])
        steps.advance(variant.name)
    return answers


def _parity(variant: Variant, inputs: VerifyInputs, test: Arrays) -> tuple[Parity, ...]:
    """Against the torch model that a file was made of; empty where a method wrote the file."""
    path, models, data = inputs.variants.path / variant.file, inputs.models, inputs.data.record
    behind = inputs.variants.record.activation
    if variant.name == TEACHER:
        teachers = models.teachers
        module = activated(ensemble(teachers.models, teachers.shares, data), behind)
        return parity.with_module(path, module, test)
    if variant.method == FP32:
        student = inputs.variants.record.student
        best = next(made for made in models.students if made.record == student)
        module = activated(ensemble((best,), (1.0,), data), behind)
        if variant.in_onnx:
            return parity.with_module(path, module, test)
        return parity.in_other_runtime(path, module, test, inputs.batch)
    gives = tasks.of(data.task).probabilities if behind else None
    for tuned in models.tuned:
        if tuned.record.method != variant.method:
            continue
        if variant.in_onnx:
            precise = inputs.variants.record.plan.precise
            return parity.with_tuned(path, tuned, precise=precise, gives=gives)
        if not tuned.record.rounds:
            return parity.with_tuned_elsewhere(path, tuned, inputs.batch, gives=gives)
    return ()


def _steadiness(
    variant: Variant, running: Running, samples: NDArray[Any], *, exported: bool
) -> Steadiness:
    """Whether a file answers samples in one way.

    A file with int8 in it does not claim to answer a sample alone as it does among others.
    """
    return steadiness(
        running.folder / variant.file,
        {INPUT: samples},
        Session(precise=running.precise),
        alone=exported and not variant.changed_nodes,
        batch=running.batch,
    )


def _text(score: Estimate) -> str:
    return "unknown" if score.value is None else f"{score.value:.4f}"


def _save_golden(out: Path, x: NDArray[Any], variants: Made[VariantsRecord], batch: int) -> None:
    """A few samples and what each file answered, for ``edgestill verify`` and users' tests."""
    golden: dict[str, Any] = {
        package.model.name: logits(variants.path / package.model.name, x, batch=batch)
        for variant in variants.record.files
        for package in variant.packages
        if package.runtime is not None
    }
    np.savez(out / GOLDEN, allow_pickle=False, input=x, **golden)


def _save_changed(out: Path, test: Arrays, qualities: Sequence[VariantQuality]) -> None:
    """Of each variant the samples [k, *sample_shape] that ``Fidelity.changed`` shows, as they are.

    Beside ``<variant>/x``: ``rows`` of test, and of classes ``truth``, ``teacher`` and ``student``.
    """
    arrays: dict[str, Any] = {}
    for quality in qualities:
        fidelity = quality.fidelity
        if fidelity is None or fidelity.changed is None:
            continue
        examples = fidelity.changed.examples
        rows = np.array([example.sample for example in examples], np.int64)
        columns: dict[str, Any] = {"x": np.array(test.x[rows]), "rows": rows}
        if tasks.of(fidelity.task).exclusive:
            answers = [(e.truth[0], e.reference[0], e.answer[0]) for e in examples]
            classes = np.array(answers, np.int64).reshape(len(answers), 3).T
            columns |= dict(zip(("truth", "teacher", "student"), classes, strict=True))
        arrays |= {f"{quality.name}/{key}": array for key, array in columns.items()}
    np.savez(out / CHANGED, allow_pickle=False, **arrays)
