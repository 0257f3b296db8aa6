"""A realistic ``Report`` and its raw samples, made from a seed, for the tests of the pages.

    report = report()                       # READY: fp32 ships
    measured_example.write_samples(run / "records" / "samples")
    write_changed(report, run / "records")

Latencies and answers are drawn, then judged like measured ones by
``devices.onboard.stats.processes`` and ``fidelity``, so that figures, intervals and samples agree
with each other.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import measured_example
import numpy as np
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.exporters.package import File, Package
from edgestill.pipeline.records import (
    BenchmarkRecord,
    Bytes,
    Check,
    DataRecord,
    Epoch,
    Gain,
    ModelRecord,
    Outcome,
    PackageQuality,
    PackageVerdict,
    Parity,
    Plan,
    Report,
    Steadiness,
    TargetsRecord,
    Variant,
    VariantQuality,
    VariantsRecord,
    VariantVerdict,
    Verdict,
    VerifyRecord,
)
from edgestill.pipeline.tasks import confusion, of
from edgestill.pipeline.tasks.constant import over_constant
from edgestill.pipeline.tasks.sampling import Sampling
from measured_example import (
    SIZES,
    VARIANTS,
)
from numpy.typing import NDArray

TEST = 450
RIGHT = {"teacher": 444, "fp32": 439, "int8-dynamic": 438, "int8-static": 437}
SAMPLING = Sampling(0.95)
NAMES = ("length", "width", "height")
"""Of the labels or numbers of tasks other than classification."""


@cache
def report(
    labels: tuple[str, ...] = tuple("0123456789"),
    outcome: Outcome = "ready",
    ship: str | None = "fp32",
) -> Report:
    """A build of the bundled digits recipe."""
    return Report(
        name="digits",
        created="2026-03-01T09:30:00Z",
        edgestill="0.1.0",
        libraries={"torch": "2.13.0", "onnx": "1.21.0", "onnxruntime": "1.29.0", "numpy": "2.4.6"},
        recipe={"name": "digits", "seed": 0, "data": {"source": "digits"}},
        data=_data(labels),
        teachers=(_model("resnet32", 16, 464_154, False, 20, 0.986),),
        targets=TargetsRecord(
            views=1,
            rows=988,
            outputs=len(labels),
            kept=len(labels),
            bytes=988 * 4 * len(labels),
            train_score=0.9989,
            answered=(),
        ),
        students=(_model("resnet8", 8, 19_962, True, 30, 0.975),),
        plain_students=(_model("resnet8", 8, 19_962, False, 30, 0.961),),
        variants=VariantsRecord(
            student=_model("resnet8", 8, 19_962, True, 30, 0.975),
            plan=Plan(
                target="host",
                device="Test CPU",
                kernels="avx2",
                activations="u8",
                weights="s8",
                weight_bits=8,
                pairs_fit=True,
                per_channel=True,
                precise=False,
                why=("8-bit weights, scaled so that no two neighbours saturate a 16-bit sum",),
            ),
            variants=tuple(_variant(name) for name in VARIANTS),
            teacher=_variant("teacher"),
        ),
        quality=VerifyRecord(
            task="classification",
            labels=labels,
            test_samples=TEST,
            metric="accuracy",
            teacher=_quality("teacher", labels),
            teacher_score=_quality("teacher", labels).score,
            variants=tuple(_quality(name, labels) for name in VARIANTS),
            gain=Gain(
                seeds=(0,),
                distilled_score=(0.9756,),
                plain_score=(0.9689,),
                difference=Estimate(
                    0.0067,
                    -0.0051,
                    0.0184,
                    "paired difference, 95 % interval",
                    TEST,
                    kind="measured",
                ),
            ),
        ),
        measured=BenchmarkRecord(
            benchmark=measured_example.benchmark(),
            measured_on="host",
            target="host",
            on_target=True,
        ),
        verdict=Verdict(
            outcome=outcome,
            ship=ship,
            nearest=ship or "fp32",
            why="Two of three variants meet every budget; of these fp32 has the lowest p50.",
            prefer="latency",
            variants=(
                _verdict("fp32", "ready"),
                _verdict("int8-dynamic", "undecided"),
                _verdict("int8-static", "ready"),
            ),
        ),
    )


def write_changed(whole: Report, records: Path) -> dict[str, NDArray[np.float32]]:
    """``changed.npz`` as the verify stage leaves it: of every variant what it changed."""
    rng = np.random.default_rng(0)
    arrays = {}
    for each in whole.quality.variants:
        rows = [one.sample for one in each.fidelity.changed.examples]
        shape = (len(rows), *whole.data.sample_shape)
        arrays[f"{each.name}/x"] = rng.integers(0, 17, shape).astype(np.float32)
        arrays[f"{each.name}/rows"] = np.array(rows)
    records.mkdir(parents=True, exist_ok=True)
    np.savez(records / "changed.npz", allow_pickle=False, **arrays)
    return arrays


def with_measured(whole: Report, **changes: object) -> Report:
    """The same report with other fields of what was measured."""
    return whole.model_copy(update={"measured": whole.measured.model_copy(update=changes)})


def with_black_box(whole: Report) -> Report:
    """The same report of a teacher that has no file."""
    teacher = whole.teachers[0].model_copy(
        update={"origin": "black box", "parameters": None, "curve": (), "best_epoch": None}
    )
    models = tuple(each for each in whole.measured.benchmark.models if each.name != "teacher")
    return whole.model_copy(
        update={
            "teachers": (teacher,),
            "variants": whole.variants.model_copy(update={"teacher": None}),
            "quality": whole.quality.model_copy(update={"teacher": None}),
            "measured": whole.measured.model_copy(
                update={"benchmark": replace(whole.measured.benchmark, models=models, ratios=())}
            ),
        }
    )


def with_task(whole: Report, task: str) -> Report:
    """The same report of another task, with three numbers or labels for what were classes."""
    judged = [each.model_copy(update=_judged(task, each.name)) for each in whole.quality.files]
    quality = {
        "task": task,
        "labels": NAMES if of(task).labels else (),
        "metric": of(task).metric.name,
        "teacher": judged[0],
        "teacher_score": judged[0].score,
        "variants": tuple(judged[1:]),
    }
    data = {"task": task, "labels": NAMES, "counts": {}, "layout": "table", "sample_shape": (6,)}
    plain = whole.plain_students
    if of(task).labels is None:
        plain, quality["gain"], data["labels"] = (), None, ()
    verdict = whole.verdict.model_dump_json().replace('"min_accuracy"', '"min_score"')
    return whole.model_copy(
        update={
            "data": whole.data.model_copy(update=data),
            "quality": whole.quality.model_copy(update=quality),
            "plain_students": plain,
            "verdict": Verdict.model_validate_json(verdict),
        }
    )


@cache
def _judged(task: str, name: str) -> dict[str, object]:
    judge, rng = of(task), np.random.default_rng(0)
    teacher = rng.normal(0.0, 2.0, (TEST, 3))
    told = teacher + rng.normal(0.0, 0.5, teacher.shape)
    told = teacher if judge.labels is None else {"multi-label": told > 0, "regression": told}[task]
    noise = 0.1 * (1 + sorted(RIGHT).index(name)) if name != "teacher" else 0.0
    found = teacher + rng.normal(0.0, noise, teacher.shape)
    held = None if name == "teacher" else judge.compare(found, teacher, told, NAMES, SAMPLING)
    metrics = judge.metrics(found, told, SAMPLING)
    return {
        "score": judge.score(found, told, SAMPLING),
        "metrics": metrics,
        "over_constant": over_constant(judge, found, told, NAMES, metrics, SAMPLING),
        "confusion": None,
        "drop_vs_teacher": judge.drop(teacher, found, told, SAMPLING),
        "fidelity": held,
    }


def without_energy(whole: Report, reason: str) -> Report:
    """The same report where no model's energy could be had."""
    bench = whole.measured.benchmark
    models = tuple(replace(each, energy_uj=Estimate.unknown(reason)) for each in bench.models)
    return with_measured(whole, benchmark=replace(bench, models=models))


def with_gain(whole: Report, difference: Estimate) -> Report:
    """The same report with another gain of distillation."""
    gain = whole.quality.gain.model_copy(update={"difference": difference})
    quality = whole.quality.model_copy(update={"gain": gain})
    return whole.model_copy(update={"quality": quality})


def with_name(whole: Report, old: str, new: str) -> Report:
    """The same report with one model called otherwise, everywhere."""
    text = whole.model_dump_json().replace(f'"{old}"', _quoted(new))
    return Report.model_validate_json(text)


def _quoted(text: str) -> str:
    return json.dumps(text)


def _data(labels: tuple[str, ...]) -> DataRecord:
    per_class = {"train": 99, "validation": 18, "calibration": 18, "test": 45}
    return DataRecord(
        source="digits",
        task="classification",
        labels=labels,
        sample_shape=(8, 8),
        layout="hw",
        dtype="float32",
        mean=(4.88,),
        std=(6.02,),
        rows={split: count * len(labels) for split, count in per_class.items()},
        counts={split: (count,) * len(labels) for split, count in per_class.items()},
        dropped=0,
        notes=("scikit-learn's copy of the UCI optical digits, test set only",),
        fingerprint="9b1c" * 16,
    )


def _model(
    model: str, width: int, parameters: int, distilled: bool, epochs: int, final: float
) -> ModelRecord:
    rng = np.random.default_rng(parameters + distilled)
    curve = []
    for epoch in range(1, epochs + 1):
        accuracy = final - 0.85 * float(np.exp(-epoch / 3)) + float(rng.normal(0, 0.004))
        loss = 2.2 * float(np.exp(-epoch / 4)) + 0.08 + float(rng.normal(0, 0.005))
        curve.append(
            Epoch(
                epoch=epoch,
                loss=loss * (4 if distilled else 1),
                validation_loss=loss * 1.1 + 0.02,
                validation_score=min(1.0, accuracy),
                seconds=0.71,
            )
        )
    return ModelRecord(
        model=model,
        width=width,
        outputs=10,
        parameters=parameters,
        seed=0,
        distilled=distilled,
        origin="trained",
        curve=tuple(curve),
        best_epoch=epochs - 2,
        validation_score=final,
        weights_sha256="ab" * 32,
    )


def packages(name: str) -> tuple[Package, ...]:
    """Both formats of a variant, as the exporters of this project describe them."""
    onnx = File(f"models/digits-{name}.onnx", SIZES[name], "c0ffee00" * 8)
    mobile = File(f"models/digits-{name}.ort", SIZES[name] + 9_312, "deadbeef" * 8)
    operators = File("models/operators.config", 412, "0b5e55ed" * 8)
    return (
        Package("onnx", "ONNX Runtime", ".onnx", onnx, (), "onnxruntime", answers_hold=True),
        Package(
            "ort",
            "ONNX Runtime Mobile",
            ".ort",
            mobile,
            (operators,),
            "onnxruntime",
            least_agreement=0.95,
            about="The .ort file is the same model in ONNX Runtime's mobile format. A reduced ONNX "
            f"Runtime Mobile build needs the operators that {operators.name} lists.",
        ),
    )


def _variant(name: str) -> Variant:
    return Variant(
        name=name,
        packages=packages(name),
        changed_nodes=0 if name in {"teacher", "fp32"} else 14,
        notes=("ranges of activations: least and greatest over 256 calibration samples",)
        if name == "int8-static"
        else (),
        parts=Bytes(
            weights={"float": SIZES[name] - 6_000}
            if name in {"teacher", "fp32"}
            else {"int8": SIZES[name] - 7_000, "float": 1_000},
            scales=0 if name in {"teacher", "fp32"} else 900,
            constants=100,
            graph=5_900 if name in {"teacher", "fp32"} else 5_000,
        ),
    )


def truth(classes: int) -> NDArray[np.int64]:
    """Labels of test."""
    return np.arange(TEST) % classes


def answers(name: str, classes: int) -> NDArray[np.float64]:
    """Logits of one model on test: right as often as ``RIGHT`` says, wrong at random."""
    rng = np.random.default_rng(sorted(RIGHT).index(name))
    answered = truth(classes)
    wrong = rng.permutation(TEST)[: TEST - RIGHT[name]]
    answered[wrong] = (answered[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return rng.normal(0.0, 0.5, (TEST, classes)) + 6.0 * np.eye(classes)[answered]


@cache
def _quality(name: str, labels: tuple[str, ...]) -> VariantQuality:
    exact = name in {"teacher", "fp32"}
    task, classes = of("classification"), len(labels)
    found, teacher, fp32 = (answers(each, classes) for each in (name, "teacher", "fp32"))
    told = truth(classes)
    metrics = task.metrics(found, told, SAMPLING)
    lost = task.compare(found, teacher, told, labels, SAMPLING)
    return VariantQuality(
        name=name,
        checker=None,
        parity=tuple(
            Parity(
                batch=batch,
                optimization=optimization,
                samples=128,
                max_abs_difference=2.4e-6,
                tolerance=1e-4,
            )
            for batch in (1, 16)
            for optimization in ("none", "all")
        )
        if exact
        else (),
        packages=(
            PackageQuality(
                format="ort",
                max_abs_difference=0.0 if exact else 1.2e-7,
                agreement=1.0,
                least_agreement=0.95,
                answers_hold=False,
            ),
        ),
        score=task.score(found, told, SAMPLING),
        metrics=metrics,
        over_constant=over_constant(task, found, told, labels, metrics, SAMPLING),
        agreement_with_teacher=lost.agreement,
        drop_vs_teacher=task.drop(teacher, found, told, SAMPLING),
        drop_vs_fp32=task.drop(fp32, found, told, SAMPLING),
        answers_changed_vs_fp32=int(task.answers_differ(found, fp32, told).sum()),
        fidelity=None if name == "teacher" else lost,
        confusion=confusion.counts(found, told, classes),
        made_from=None if exact else "fp32",
        steadiness=Steadiness(samples=64, again=0.0, session=0.0, alone=2e-7 if exact else None),
    )


def _verdict(name: str, outcome: Outcome) -> VariantVerdict:
    quality, figures = _quality(name, tuple("0123456789")), measured_example.figures(name)
    memory = figures.peak_memory_bytes
    in_mib = replace(
        memory,
        value=(memory.value or 0) / 2**20,
        low=(memory.low or 0) / 2**20,
        high=(memory.high or 0) / 2**20,
    )
    inside = "the whole interval lies inside the budget"
    rest: tuple[tuple[str, float, Estimate], ...] = (
        ("max_drop_vs_fp32", 0.03, quality.drop_vs_fp32),
        ("max_p90_ms", 2.0, figures.p90_ms),
        ("max_peak_memory_mib", 16.0, in_mib),
        ("max_size_kib", 128.0, Estimate.exact(SIZES[name] / 1024, "size of the file")),
    )
    drop_why = inside if outcome == "ready" else "the interval reaches past the budget"
    return VariantVerdict(
        name=name,
        outcome=outcome,
        packages=(
            PackageVerdict(format="onnx", outcome=outcome, why="measured and judged"),
            PackageVerdict(format="ort", outcome="undecided", why="compared with .onnx"),
        ),
        checks=(
            Check(
                key="min_accuracy",
                budget=0.94,
                figure=quality.score,
                outcome="ready",
                why=inside,
            ),
            Check(
                key="max_drop_vs_teacher",
                budget=0.04 if outcome == "ready" else 0.02,
                figure=quality.drop_vs_teacher,
                outcome=outcome,
                why=drop_why,
            ),
            *(
                Check(key=key, budget=budget, figure=figure, outcome="ready", why=inside)
                for key, budget, figure in rest
            ),
        ),
        faults=(),
    )
