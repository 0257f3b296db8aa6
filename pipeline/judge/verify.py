"""The verify stage: is each file what it claims to be, and how good is it where it ships?

Accuracy is measured in ONNX Runtime on the whole test split, at the batch the benchmark uses: a
dynamically quantized file answers differently in another batch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from .. import tasks
from ..data.arrays import Arrays, draw, open_split
from ..distill.loop import outputs_of
from ..distill.targets import ANSWERS
from ..distill.teacher_answers import ensemble, restored
from ..engine.stage import Made
from ..progress import Progress
from ..records import (
    TEACHER,
    DataRecord,
    Fidelity,
    Gain,
    Here,
    ModelRecord,
    Parity,
    TunedRecord,
    Variant,
    VariantQuality,
    VariantsRecord,
    VerifyRecord,
)
from ..tasks.proportions import proportion
from ..tasks.seeds import mean_over_seeds
from .answers import GOLDEN, TWIN, Logits, logits
from .inputs import VerifyInputs

PARITY_SAMPLES = 64
PARITY_BATCHES = (1, 7, 64)
"""One, an odd few, many: a kernel may differ by its tail."""
RELATIVE_TOLERANCE = 1e-4
"""Of the largest logit (at least 1): about ten times what another order of summing changes."""
LEVELS = 255
"""Steps from the least to the greatest of uint8."""
GOLDEN_SAMPLES = 16
_UNKNOWN = Estimate.unknown("the teacher's answers on test are not known")
CHANGED = "changed.npz"
"""The few samples that each variant answers otherwise than the teacher, for the report."""


class Held(NamedTuple):
    """What every variant is held against, on test.

    Attributes:
        data: names and kind of what is learnt.
        task: what is measured, and how.
        truth: labels, or the teacher's vectors where those are what is learnt.
        teacher: the teacher's outputs; None where it has none for test.
        fp32: outputs of the fp32 student.
    """

    data: DataRecord
    task: tasks.Task
    truth: NDArray[Any]
    teacher: Logits | None
    fp32: Logits


def verify(out: Path, progress: Progress, inputs: VerifyInputs) -> VerifyRecord:
    """Check, compare and score the teacher and every variant.

    Args:
        out: ``answers/<variant>.npy`` (outputs on test), ``golden.npz`` and ``changed.npz`` go
            here.
        progress: gets each file.
        inputs: of the verify stage.

    Raises:
        ModelError: a file cannot be run or gives NaN.
    """
    variants, targets, data, batch = inputs.variants, inputs.targets, inputs.data, inputs.batch
    teachers, students = inputs.models.teachers, inputs.models.students
    made = variants.record
    test = open_split(data.path, "test")
    (out / "answers").mkdir()
    best = next(s for s in students if s.record == made.student)
    torches = {TEACHER: (teachers.models, teachers.shares), "fp32": ((best,), (1.0,))}
    twins = {made.record.method: made for made in inputs.models.tuned}
    files, workers = made.files, torch.get_num_threads()
    found: dict[str, Logits] = {}
    if "test" in targets.record.answered:
        found[TEACHER] = np.load(targets.path / ANSWERS.format(split="test"))
        np.save(out / "answers" / f"{TEACHER}.npy", found[TEACHER])
    with progress.steps("verify", 2 * len(files) + 1) as steps:
        for variant in files:
            path = variants.path / variant.file
            found[variant.name] = logits(
                path, test.x, batch=batch, workers=workers, precise=made.plan.precise
            )
            np.save(out / "answers" / f"{variant.name}.npy", found[variant.name])
            steps.advance(variant.name)
        task = tasks.of(data.record.task)
        truth = found[TEACHER] if task.labels is None else test.y
        held = Held(data.record, task, truth, found.get(TEACHER), found["fp32"])
        scored: list[VariantQuality] = []
        for variant in files:
            path = variants.path / variant.file
            parity: tuple[Parity, ...] = ()
            if variant.name in torches:
                model = ensemble(*torches[variant.name], data.record)
                parity = _parity(path, model, test)
            elif variant.name in twins:
                parity = _twin_parity(path, twins[variant.name], precise=made.plan.precise)
            ort = logits(
                variants.path / variant.ort_file,
                test.x,
                batch=batch,
                workers=workers,
                precise=made.plan.precise,
            )
            here = None
            if made.plan.precise and variant.changed_nodes:
                own = logits(path, test.x, batch=batch, workers=workers)
                here = Here(
                    score=_score(own, held),
                    answers_changed=int(task.answers_differ(own, found[variant.name], truth).sum()),
                )
            scored.append(_quality(variant, path, found[variant.name], ort, held, parity, here))
            steps.advance(f"{variant.name} {task.metric.name} {_said(scored[-1].score)}")
        plain = inputs.plain
        gain = _gain(students, plain, data, test, task) if plain else None
        steps.advance()
    _save_golden(out, draw(test, GOLDEN_SAMPLES).x, variants, batch)
    _save_changed(out, test, scored)
    first = int(made.teacher is not None)
    return VerifyRecord(
        test_samples=len(test.x),
        metric=task.metric.name,
        teacher=scored[0] if first else None,
        teacher_score=_score(found.get(TEACHER), held),
        variants=tuple(scored[first:]),
        gain=gain,
    )


def _said(score: Estimate) -> str:
    return "unknown" if score.value is None else f"{score.value:.4f}"


def _score(outputs: Logits | None, held: Held) -> Estimate:
    if outputs is None:
        return _UNKNOWN
    return held.task.score(outputs, held.truth)


def _parity(path: Path, model: torch.nn.Module, test: Arrays) -> tuple[Parity, ...]:
    """Largest difference from PyTorch at each batch size, optimizer off and on.

    A file right without the optimizer can be wrong with it (onnxruntime issue 24711).
    """
    samples = draw(test, PARITY_SAMPLES).x
    with torch.no_grad():
        expected = model(torch.from_numpy(samples)).numpy()
    return _differences(path, samples, expected, _tolerance(expected))


def _tolerance(expected: Logits) -> float:
    return RELATIVE_TOLERANCE * max(1.0, float(np.abs(expected).max()))


def _twin_parity(path: Path, twin: Made[TunedRecord], *, precise: bool) -> tuple[Parity, ...]:
    """The same of a student that was trained on; in int8 it may differ by one output step.

    A value that lies between two levels is rounded up here and down there, after another order of
    summing. A step is what one level of 256 spans over the outputs; a convolutional network is
    held to it. In a transformer one such value changes a softmax and the deviation that a token is
    divided by, hence others further on, and the torch model itself may move by more than a step
    when its arithmetic changes in the last digits. How far was measured, and is then let pass.
    """
    with np.load(twin.path / TWIN, allow_pickle=False) as kept:
        samples, expected = kept["x"], kept["logits"]
    tolerance = _tolerance(expected)
    if twin.record.rounds:
        tolerance = max(float(np.ptp(expected)) / LEVELS, twin.record.moves)
    return _differences(path, samples, expected, tolerance, precise=precise)


def _differences(
    path: Path,
    samples: NDArray[Any],
    expected: Logits,
    tolerance: float,
    *,
    precise: bool = False,
) -> tuple[Parity, ...]:
    return tuple(
        Parity(
            batch=batch,
            optimization=level,
            samples=len(samples),
            max_abs_difference=_distance(
                logits(path, samples, batch=batch, optimization=level, precise=precise), expected
            ),
            tolerance=tolerance,
        )
        for batch in PARITY_BATCHES
        for level in ("none", "all")
    )


def _quality(
    variant: Variant,
    path: Path,
    found: Logits,
    ort: Logits,
    held: Held,
    parity: tuple[Parity, ...],
    here: Here | None,
) -> VariantQuality:
    task, truth = held.task, held.truth
    changed = task.answers_differ(found, held.fp32, truth)
    return VariantQuality(
        name=variant.name,
        checker=_checker(path),
        parity=parity,
        ort_max_abs_difference=_distance(ort, found),
        ort_agreement=1.0 - float(task.answers_differ(ort, found, truth).mean()),
        score=task.score(found, truth),
        metrics=task.metrics(found, truth),
        agreement_with_teacher=_agreement(found, held),
        drop_vs_teacher=_drop(TEACHER, variant.name, found, held.teacher, held),
        drop_vs_fp32=_drop("fp32", variant.name, found, held.fp32, held),
        answers_changed_vs_fp32=int(changed.sum()),
        fidelity=_fidelity(found, held) if variant.name != TEACHER else None,
        here=here,
    )


def _agreement(found: Logits, held: Held) -> Estimate:
    if held.teacher is None:
        return _UNKNOWN
    agree = ~held.task.answers_differ(found, held.teacher, held.truth)
    return proportion(int(agree.sum()), len(agree))


def _fidelity(found: Logits, held: Held) -> Fidelity | None:
    if held.teacher is None:
        return None
    return held.task.compare(found, held.teacher, held.truth, held.data.labels)


def _drop(reference: str, name: str, found: Logits, before: Logits | None, held: Held) -> Estimate:
    """Score lost to a reference; to itself a file loses nothing, whatever the sample."""
    if name == reference:
        return Estimate.exact(0.0, f"{reference} is its own reference")
    if before is None:
        return _UNKNOWN
    return held.task.drop(before, found, held.truth)


def _checker(path: Path) -> str | None:
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        return str(error).splitlines()[0]
    return None


def _gain(
    students: Sequence[Made[ModelRecord]],
    plain: Sequence[Made[ModelRecord]],
    data: Made[DataRecord],
    test: Arrays,
    task: tasks.Task,
) -> Gain:
    """Distilled minus plain on test, in PyTorch: the plain students are never exported."""
    taught, alone = (
        [outputs_of(restored(made, data.record), test.x, data.record) for made in models]
        for models in (students, plain)
    )
    with_it = tuple(task.selection(outputs, test.y) for outputs in taught)
    without = tuple(task.selection(outputs, test.y) for outputs in alone)
    if len(taught) == 1:
        difference = task.drop(taught[0], alone[0], test.y)
    else:
        difference = mean_over_seeds([a - b for a, b in zip(with_it, without, strict=True)])
    return Gain(
        seeds=tuple(made.record.seed for made in students),
        distilled_score=with_it,
        plain_score=without,
        difference=difference,
    )


def _save_golden(out: Path, x: NDArray[Any], variants: Made[VariantsRecord], batch: int) -> None:
    """A few samples and what each file answered, for ``edgestill verify`` and users' tests."""
    made = variants.record
    golden: dict[str, Any] = {
        file: logits(variants.path / file, x, batch=batch)
        for variant in made.files
        for file in (variant.file, variant.ort_file)
    }
    np.savez(out / GOLDEN, allow_pickle=False, input=x, **golden)


def _save_changed(out: Path, test: Arrays, scored: Sequence[VariantQuality]) -> None:
    """Of each variant the samples [k, *sample_shape] that ``Fidelity.changed`` shows, as they are.

    Beside ``<variant>/x``: ``rows`` of test, and of classes ``truth``, ``teacher`` and ``student``.
    """
    arrays: dict[str, Any] = {}
    for quality in scored:
        told = quality.fidelity
        if told is None or told.changed is None:
            continue
        examples = told.changed.examples
        rows = np.array([example.sample for example in examples], np.int64)
        found = {"x": np.array(test.x[rows]), "rows": rows}
        if tasks.of(told.task).exclusive:
            answers = [(e.truth[0], e.reference[0], e.answer[0]) for e in examples]
            columns = np.array(answers, np.int64).reshape(-1, 3).T
            found |= dict(zip(("truth", "teacher", "student"), columns, strict=True))
        arrays |= {f"{quality.name}/{key}": array for key, array in found.items()}
    np.savez(out / CHANGED, allow_pickle=False, **arrays)


def _distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.abs(a - b).max())
