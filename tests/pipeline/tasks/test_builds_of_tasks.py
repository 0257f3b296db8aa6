"""Every task but classification, from recipe to report, as small as it can be."""

import json

import numpy as np
import pytest
from edgestill.errors import ModelError, RecipeError
from edgestill.pipeline import tasks
from edgestill.pipeline.engine.store import file_sha256
from edgestill.pipeline.finished.verify_run import check
from small_builds import build, onnx_file, points, until

pytestmark = pytest.mark.slow


def test_a_regression_is_judged_by_r2_in_its_own_units_and_keeps_it_in_int8(here):
    random = np.random.default_rng(0)
    x = random.standard_normal((300, 3))
    y = 20_000 + 3_000 * x[:, 0] - 2_000 * np.abs(x[:, 1]) + 100 * random.standard_normal(300)
    rows = [f"{a:.4f},{b:.4f},{c:.4f},{z:.2f}" for (a, b, c), z in zip(x, y, strict=True)]
    (here / "houses.csv").write_text("\n".join(["a,b,c,price", *rows]))
    done = build(
        here,
        "data.source=table:houses.csv",
        "data.task=regression",
        "data.target=['price']",
        "distill.losses={mse=1.0}",
        "teacher.epochs=20",
        "distill.epochs=20",
        "student.width=16",
        "compress.variants=['int8-static']",
        "gate.min_score=0.8",
    )
    quality = done.report.quality
    assert quality.metric == "R²"
    assert done.report.data.labels == ("price",)
    assert done.report.data.counts == {}
    assert abs(done.report.data.answer_mean[0] - y.mean()) < 1_000
    fp32, int8 = quality.variants
    assert 100 < fp32.metrics["RMSE"].value < 3_000
    assert abs(int8.score.value - fp32.score.value) < 0.02
    # Numbers leave in float: int8's 256 levels would give far fewer than one a sample.
    answers = np.load(done.run / "records" / "answers" / "int8-static.npy")
    assert len(np.unique(answers)) > 0.9 * len(answers)
    assert quality.gain.difference.value is not None
    assert check(done.run).faults == ()
    (done.run / "records" / "golden.npz").rename(here / "golden.npz")
    golden = dict(np.load(here / "golden.npz"))
    golden["int8-static.onnx"] += 0.2 * np.ptp(golden["int8-static.onnx"])
    np.savez(done.run / "records" / "golden.npz", **golden)
    manifest = json.loads((done.run / "manifest.json").read_text())
    manifest["files"]["records/golden.npz"] = file_sha256(done.run / "records" / "golden.npz")
    (done.run / "manifest.json").write_text(json.dumps(manifest))
    (fault,) = check(done.run).faults
    assert fault.startswith("int8-static.onnx: outputs differ by")


def test_several_labels_a_sample_are_judged_by_map(here):
    random = np.random.default_rng(0)
    x = random.standard_normal((200, 6)).astype(np.float32)
    y = np.stack([x[:, 0] > 0.3, x[:, 1] + x[:, 2] > 0.0, x[:, 3] < -0.4], 1)
    np.savez(here / "data.npz", x=x, y=y.astype(np.uint8), labels=np.array(["wet", "hot", "far"]))
    done = build(
        here,
        "data.task=multi-label",
        "teacher.class_weights=true",
        "distill.losses={kd=1.0}",
        "gate.min_score=0.7",
        "gate.max_worst_class_drop=0.9",
    )
    quality = done.report.quality
    assert quality.metric == "mAP"
    assert done.report.data.labels == ("wet", "hot", "far")
    told = quality.variants[0].fidelity
    assert [one.name for one in told.classes] == ["wet", "hot", "far"]
    changed = np.load(done.run / "records" / "changed.npz")
    assert set(changed) == {"fp32/x", "fp32/rows"}
    assert len(changed["fp32/x"]) == len(told.changed.examples)


def test_vectors_of_an_onnx_file_are_learnt_without_any_label(here):
    x, _ = points()
    np.savez(here / "data.npz", x=x)
    random = np.random.default_rng(2)
    onnx_file(
        here / "encoder.onnx",
        random.standard_normal((6, 12)).astype(np.float32),
        random.standard_normal(12).astype(np.float32),
    )
    done = build(
        here,
        "data.task=embedding",
        "teacher.model=onnx:encoder.onnx",
        "student.width=16",
        "distill.losses={cosine=1.0}",
        "distill.epochs=20",
        "compress.variants=['int8-static']",
        "gate.min_score=0.6",
    )
    report = done.report
    assert report.plain_students == ()
    assert report.quality.gain is None
    assert report.quality.metric == "cosine"
    assert report.quality.teacher_score.value == pytest.approx(1.0)
    assert report.targets.outputs == report.students[0].outputs == 12
    assert report.data.labels == ()
    assert not (done.run / "models" / "labels.txt").exists()
    assert report.quality.variants[0].fidelity.figures["recall@1"].value > 0.5
    assert check(done.run).faults == ()


@pytest.mark.parametrize(
    ("task", "losses", "metric"),
    [
        ("class-logits", "{kd=1.0,dkd=0.5,dist=1.0}", "top-1 agreement"),
        ("label-logits", "{kd=1.0,mse=0.1}", "mAP to the teacher"),
    ],
)
@pytest.mark.parametrize("probabilities", [False, True])
def test_decisions_of_a_teacher_are_learnt_without_any_label(
    here, task, losses, metric, probabilities
):
    x, _ = points(400)
    random = np.random.default_rng(2)
    weights, bias = (random.standard_normal(of).astype(np.float32) for of in ((6, 12), 12))
    logits = 2.0 * (x @ weights + bias)
    ids = np.arange(len(x))
    np.savez(here / "data.npz", x=x, id=ids)
    answers = {"logits": logits}
    if probabilities:
        answers = {"probabilities": tasks.of(task).probabilities.of(logits)}
    np.savez(here / "v.npz", id=ids, **answers)
    done = build(
        here,
        f"data.task={task}",
        "teacher.model=logits:v.npz",
        "student.width=16",
        f"distill.losses={losses}",
        "distill.epochs=20",
        "compress.variants=['fp32','int8-static']",
        "gate.min_score=0.4",
        "gate.min_agreement=0.1",
    )
    report = done.report
    assert (report.plain_students, report.quality.gain) == ((), None)
    assert report.quality.metric == metric
    assert report.quality.teacher_score.value == pytest.approx(1.0)
    assert report.targets.outputs == report.students[0].outputs == 12
    told = report.quality.variants[0]
    assert told.score.low > 0.4
    assert told.confusion is None
    assert set(told.metrics) == {one.name for one in tasks.of(task).reported}
    assert told.fidelity.figures["KL(teacher‖student)"].value > 0.0
    assert told.fidelity.student_calibration is None
    if not probabilities:  # The student's own answers, against the teacher's, by hand.
        answers = np.load(done.run / "records" / "answers" / "fp32.npy")
        truth = np.load(done.run / "records" / "answers" / "teacher.npy")
        task = tasks.of(task)
        assert told.score.value == pytest.approx(task.selection(answers, truth))
        if task.exclusive:
            assert told.score.value == (answers.argmax(1) == truth.argmax(1)).mean()
    assert check(done.run).faults == ()


def test_a_family_has_no_outputs_without_labels(here):
    np.savez(here / "data.npz", x=points()[0])
    told = ("data.task=class-logits", "distill.losses={kd=1.0}")
    with pytest.raises(ModelError, match="a teacher that gives logits of its own"):
        until(here, "teacher", *told)
    with pytest.raises(RecipeError, match="'kd' or 'mse' for the task 'label-logits'"):
        until(here, "teacher", "data.task=label-logits", "distill.losses={dist=1.0}")
    with pytest.raises(RecipeError, match="'cosine' or 'mse' for the task 'embedding'"):
        until(here, "teacher", "data.task=embedding", "distill.losses={kd=1.0}")


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_recorded_vectors_must_be_there_for_every_split_that_judges(here, missing):
    x, _ = points()
    np.savez(here / "data.npz", x=x, id=np.arange(len(x)))
    told = ("data.task=embedding", "distill.losses={cosine=1.0}", "teacher.model=logits:v.npz")
    kept = np.ones(len(x), bool)
    np.savez(here / "v.npz", id=np.arange(len(x)), logits=x)
    data = until(here, "data", *told).path
    kept[np.load(data / f"id_{missing}.npy").astype(int)] = False
    np.savez(here / "v.npz", id=np.flatnonzero(kept), logits=x[kept])
    with pytest.raises(ModelError, match=f"no recorded vectors of {missing}"):
        until(here, "teacher", *told)
