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

from ..devices import stats
from ..devices.stats import Estimate
from .answers import GOLDEN, Logits, logits
from .data.arrays import Arrays, draw, open_split
from .distill.loop import logits_of
from .flow import Made
from .models import deployed
from .models.deployed import Deployed
from .models.weights import WEIGHTS, restore
from .progress import Progress
from .records import (
    TEACHER,
    DataRecord,
    Gain,
    ModelRecord,
    Parity,
    Variant,
    VariantQuality,
    VariantsRecord,
    VerifyRecord,
)

PARITY_SAMPLES = 64
PARITY_BATCHES = (1, 7, 64)
"""One, an odd few, many: a kernel may differ by its tail."""
RELATIVE_TOLERANCE = 1e-4
"""Of the largest logit (at least 1): about ten times what another order of summing changes."""
GOLDEN_SAMPLES = 16


class Answers(NamedTuple):
    """Test logits of the teacher and of fp32, which every variant is held against."""

    teacher: Logits
    fp32: Logits


def verify(
    out: Path,
    progress: Progress,
    *,
    variants: Made[VariantsRecord],
    teacher: Made[ModelRecord],
    students: tuple[Made[ModelRecord], ...],
    plain: tuple[Made[ModelRecord], ...],
    data: Made[DataRecord],
    batch: int,
) -> VerifyRecord:
    """Check, compare and score the teacher and every variant.

    Args:
        out: ``answers/<variant>.npy`` (test logits) and ``golden.npz`` go here.
        progress: told of each file.
        variants: the variants stage's output.
        teacher: the teacher, in PyTorch.
        students: the distilled students, one a seed.
        plain: the same students without the teacher.
        data: the data stage's output.
        batch: samples a run.

    Raises:
        ModelError: a file cannot be run or gives NaN.
    """
    made = variants.record
    test = open_split(data.path, "test")
    (out / "answers").mkdir()
    best = next(s for s in students if s.record == made.student)
    torches = {TEACHER: teacher, "fp32": best}
    files = (made.teacher, *made.variants)
    found: dict[str, Logits] = {}
    scored: list[VariantQuality] = []
    with progress.steps("verify", len(files) + 1) as steps:
        for variant in files:
            path = variants.path / variant.file
            found[variant.name] = logits(path, test.x, batch=batch)
            np.save(out / "answers" / f"{variant.name}.npy", found[variant.name])
            parity: tuple[Parity, ...] = ()
            if variant.name in torches:
                parity = _parity(path, torches[variant.name], data.record, test)
            held = Answers(found[TEACHER], found.get("fp32", found[TEACHER]))
            ort = logits(variants.path / variant.ort_file, test.x, batch=batch)
            scored.append(_quality(variant, path, found[variant.name], ort, held, parity, test))
            steps.advance(f"{variant.name} {scored[-1].accuracy.value:.4f}")
        gain = _gain(students, plain, data, test)
        steps.advance()
    _save_golden(out, draw(test, GOLDEN_SAMPLES), variants, batch)
    return VerifyRecord(
        test_samples=len(test.y), teacher=scored[0], variants=tuple(scored[1:]), gain=gain
    )


def _parity(
    path: Path, made: Made[ModelRecord], data: DataRecord, test: Arrays
) -> tuple[Parity, ...]:
    """Largest difference from PyTorch at each batch size, optimizer off and on.

    A file right without the optimizer can be wrong with it (onnxruntime issue 24711).
    """
    samples = draw(test, PARITY_SAMPLES)
    model = _torch_model(made, data)
    with torch.no_grad():
        expected = model(torch.from_numpy(samples)).numpy()
    tolerance = RELATIVE_TOLERANCE * max(1.0, float(np.abs(expected).max()))
    return tuple(
        Parity(
            batch=batch,
            optimization=level,
            samples=len(samples),
            max_abs_difference=_distance(
                logits(path, samples, batch=batch, optimization=level), expected
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
    held: Answers,
    parity: tuple[Parity, ...],
    test: Arrays,
) -> VariantQuality:
    answers = found.argmax(1)
    right = answers == test.y
    agree = answers == held.teacher.argmax(1)
    return VariantQuality(
        name=variant.name,
        checker=_checker(path),
        parity=parity,
        ort_max_abs_difference=_distance(ort, found),
        ort_agreement=float((ort.argmax(1) == answers).mean()),
        accuracy=stats.proportion(int(right.sum()), len(right)),
        agreement_with_teacher=stats.proportion(int(agree.sum()), len(agree)),
        drop_vs_teacher=_drop(TEACHER, variant.name, held.teacher.argmax(1) == test.y, right),
        drop_vs_fp32=_drop("fp32", variant.name, held.fp32.argmax(1) == test.y, right),
        answers_changed_vs_fp32=int((answers != held.fp32.argmax(1)).sum()),
    )


def _drop(
    reference: str, name: str, before: NDArray[np.bool_], after: NDArray[np.bool_]
) -> Estimate:
    """Accuracy lost to a reference; to itself a file loses nothing, whatever the sample."""
    if name == reference:
        return Estimate.exact(0.0, f"{reference} is its own reference")
    return stats.paired_difference(before, after)


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
) -> Gain:
    """Distilled minus plain on test, in PyTorch: the plain students are never exported."""
    taught = [_right(made, data.record, test) for made in students]
    alone = [_right(made, data.record, test) for made in plain]
    if len(taught) == 1:
        difference = stats.paired_difference(taught[0], alone[0])
    else:
        pairs = zip(taught, alone, strict=True)
        difference = stats.mean_over_seeds([float(a.mean() - b.mean()) for a, b in pairs])
    return Gain(
        seeds=tuple(made.record.seed for made in students),
        distilled_accuracy=tuple(float(right.mean()) for right in taught),
        plain_accuracy=tuple(float(right.mean()) for right in alone),
        difference=difference,
    )


def _right(made: Made[ModelRecord], data: DataRecord, test: Arrays) -> NDArray[np.bool_]:
    model = _torch_model(made, data)
    blocks = [block.argmax(1).numpy() for block, _ in logits_of(model, test.x)]
    right: NDArray[np.bool_] = np.concatenate(blocks) == test.y
    return right


def _torch_model(made: Made[ModelRecord], data: DataRecord) -> Deployed:
    model = deployed(made.record.model, made.record.width, data)
    restore(model, made.path / WEIGHTS)
    model.eval()
    return model


def _save_golden(out: Path, x: NDArray[Any], variants: Made[VariantsRecord], batch: int) -> None:
    """A few samples and what each file answered, for ``edgestill verify`` and users' tests."""
    made = variants.record
    golden: dict[str, Any] = {
        file: logits(variants.path / file, x, batch=batch)
        for variant in (made.teacher, *made.variants)
        for file in (variant.file, variant.ort_file)
    }
    np.savez(out / GOLDEN, allow_pickle=False, input=x, **golden)


def _distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.abs(a - b).max())
