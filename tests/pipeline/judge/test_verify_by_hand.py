"""The verify stage on small files by hand: what is scored, against what, and what it leaves."""

from types import SimpleNamespace

import numpy as np
import pytest
import report_example
import torch
from edgestill.exporters.interface import INPUT, OUTPUT
from edgestill.exporters.package import File, Package
from edgestill.pipeline.distill.targets import ANSWERS
from edgestill.pipeline.judge import quality, students, verify
from edgestill.pipeline.judge.answers import GOLDEN, REFERENCE, logits
from edgestill.pipeline.judge.inputs import VerifyInputs
from noted import Noted
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT
ROWS, BATCH = 90, 8
LABELS = ("a", "b", "c", "d")
X = np.random.default_rng(0).normal(size=(ROWS, 4)).astype(np.float32)
TRUTH = X.argmax(1)
TURNED = np.eye(4, dtype=np.float32)[[1, 0, 2, 3]]
WEIGHTS = {
    "teacher": np.eye(4, dtype=np.float32),
    "fp32": np.eye(4, dtype=np.float32),
    "int8-static": np.diag([1.0, 1.0, 4.0, 1.0]).astype(np.float32),
    "qat": TURNED,
}
"""Of the product that each file answers with: the first two are always right."""
GROUPS = np.array([f"g{row // 9}" for row in range(ROWS)])


def product(weight):
    return lambda x: x @ torch.from_numpy(weight)


def saved(path, weight):
    nodes = [helper.make_node("MatMul", [INPUT, "w"], [OUTPUT])]
    ends = [(INPUT, FLOAT, ["n", 4])], [(OUTPUT, FLOAT, ["n", 4])]
    save(path, nodes, *ends, [("w", weight)])


def variant(name, runtime="onnxruntime"):
    """A variant with its file, and the same file as another format."""
    files = [
        Package(
            kind,
            kind,
            f".{kind}",
            File(f"{name}.onnx", 1, ""),
            (),
            one,
            least_agreement=0.9,
            answers_hold=True,
        )
        for kind, one in (("onnx", "onnxruntime"), ("ort", runtime))
    ]
    exported = name in ("teacher", "fp32")
    return report_example._variant("fp32").model_copy(
        update={
            "name": name,
            "packages": tuple(files),
            "changed_nodes": 0 if exported else 3,
            "made_from": "fp32" if name == "int8-static" else None,
        }
    )


def made(record, path=None):
    return SimpleNamespace(record=record, path=path)


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """Inputs of the stage, with a teacher's file or only with its answers."""
    report = report_example.report()
    for folder in ("files", "data", "tuned", "targets", "out"):
        (tmp_path / folder).mkdir()
    for name, weight in WEIGHTS.items():
        saved(tmp_path / "files" / f"{name}.onnx", weight)
    np.save(tmp_path / "data" / "x_test.npy", X)
    np.save(tmp_path / "data" / "y_test.npy", TRUTH)
    np.save(tmp_path / "data" / "group_test.npy", GROUPS)
    np.save(tmp_path / "targets" / ANSWERS.format(split="test"), X @ TURNED)
    np.savez(tmp_path / "tuned" / REFERENCE, x=X[:5], logits=X[:5] @ TURNED)
    weights = {"students": "fp32", "teachers": "teacher"}

    def ensemble(models, shares, data):
        assert (shares, data.rows["validation"]) == ((1.0,), 60)
        (one,) = models
        return product(WEIGHTS[weights[one.path]])

    monkeypatch.setattr(verify, "ensemble", ensemble)
    student = report.variants.student.model_copy(update={"validation_score": 1.0})
    other = student.model_copy(update={"seed": 7})

    def of(*, teacher_file=True, labels=LABELS, **changes):
        record = report.variants.model_copy(
            update={
                "student": student,
                "variants": tuple(variant(name) for name in list(WEIGHTS)[1:]),
                "teacher": variant("teacher") if teacher_file else None,
            }
        )
        answered = () if teacher_file else ("test",)
        rows = report.data.rows | {"validation": 60}
        given = {
            "variants": made(record, tmp_path / "files"),
            "models": SimpleNamespace(
                students=(made(other, "not this"), made(student, "students")),
                teachers=SimpleNamespace(models=(made(None, "teachers"),), shares=(1.0,)),
                tuned=(made(SimpleNamespace(method="qat", rounds=False), tmp_path / "tuned"),),
            ),
            "plain": (),
            "targets": made(SimpleNamespace(answered=answered), tmp_path / "targets"),
            "data": made(
                report.data.model_copy(update={"labels": labels, "rows": rows}), tmp_path / "data"
            ),
            "batch": BATCH,
        }
        return VerifyInputs(**{**given, **changes})

    return of


def verified(tmp_path, inputs):
    progress = Noted()
    return verify.verify(tmp_path / "out", progress, inputs), progress


def test_every_file_is_scored_and_compared_with_its_own_reference(tmp_path, inputs):
    record, progress = verified(tmp_path, inputs())
    right = {name: (X @ w).argmax(1) == TRUTH for name, w in WEIGHTS.items()}
    assert [one.name for one in record.files] == list(WEIGHTS)
    for one in record.files:
        assert one.score.value == pytest.approx(right[one.name].mean())
        assert one.agreement_with_teacher.value == pytest.approx(right[one.name].mean())
        assert one.made_from == ("fp32" if one.name == "int8-static" else None)
    assert record.teacher_score == record.teacher.score
    assert (record.test_samples, record.metric, record.task) == (ROWS, "accuracy", "classification")
    assert (record.labels, record.left_out) == (LABELS, ())
    assert record.gain is None
    assert (progress.begun, len(progress.told)) == ([("verify", 10)], 10)
    assert progress.told[:4] == list(WEIGHTS)
    assert progress.told[4] == "teacher accuracy 1.0000"


def test_the_interval_is_over_groups_and_its_error_is_shared_by_the_variants(tmp_path, inputs):
    record, _ = verified(tmp_path, inputs())
    assert {one.score.n for one in record.files} == {10}
    # A third each of 1 %; the teacher does not ship.
    assert all("99.6667 %" in one.score.method for one in record.variants)
    assert len(record.groups) == 10
    assert record.groups[0].scores.keys() == WEIGHTS.keys()


def test_exported_files_are_held_against_their_torch_models_and_tuned_ones_too(tmp_path, inputs):
    record, _ = verified(tmp_path, inputs())
    compared = {one.name: one.parity for one in record.files}
    assert [name for name, found in compared.items() if found] == ["teacher", "fp32", "qat"]
    assert all(parity.holds for found in compared.values() for parity in found)
    assert {parity.samples for parity in compared["qat"]} == {5}
    alone = {one.name: one.steadiness.alone is not None for one in record.files}
    assert alone == {"teacher": True, "fp32": True, "int8-static": False, "qat": False}
    assert {one.steadiness.samples for one in record.files} == {64}


def test_the_answers_of_every_file_and_a_few_samples_with_them_are_kept(tmp_path, inputs):
    given = inputs()
    silent = variant("qat", runtime=None)
    kept = given.variants.record.variants
    record = given.variants.record.model_copy(update={"variants": (*kept[:2], silent)})
    verified(tmp_path, inputs(variants=made(record, given.variants.path)))
    for name, weight in WEIGHTS.items():
        stored = np.load(tmp_path / "out" / "answers" / f"{name}.npy")
        np.testing.assert_allclose(stored, X @ weight, rtol=1e-6)
    golden = np.load(tmp_path / "out" / GOLDEN)
    assert set(golden) == {"input", *(f"{name}.onnx" for name in WEIGHTS)}
    assert len(golden["input"]) == verify.GOLDEN_SAMPLES
    rows = {tuple(row) for row in X.tolist()}
    assert all(tuple(row) in rows for row in golden["input"].tolist())
    again = logits(tmp_path / "files" / "qat.onnx", golden["input"], batch=BATCH)
    np.testing.assert_array_equal(golden["qat.onnx"], again)


def test_samples_that_are_answered_otherwise_are_kept_with_their_classes(tmp_path, inputs):
    record, _ = verified(tmp_path, inputs())
    stored = np.load(tmp_path / "out" / verify.CHANGED)
    assert set(stored) == {
        f"{name}/{key}"
        for name in ("fp32", "int8-static", "qat")
        for key in ("x", "rows", "truth", "teacher", "student")
    }
    assert (len(stored["fp32/rows"]), stored["fp32/truth"].dtype) == (0, np.int64)
    rows = stored["qat/rows"]
    (qat,) = (one for one in record.variants if one.name == "qat")
    assert rows.tolist() == [one.sample for one in qat.fidelity.changed.examples]
    assert len(rows) > 0
    np.testing.assert_array_equal(stored["qat/x"], X[rows])
    np.testing.assert_array_equal(stored["qat/truth"], TRUTH[rows])
    np.testing.assert_array_equal(stored["qat/teacher"], TRUTH[rows])
    np.testing.assert_array_equal(stored["qat/student"], (X[rows] @ TURNED).argmax(1))


def test_a_teacher_that_has_only_answers_is_compared_with_and_has_no_file(tmp_path, inputs):
    record, progress = verified(tmp_path, inputs(teacher_file=False))
    turned = ((X @ TURNED).argmax(1) == TRUTH).mean()
    assert record.teacher is None
    assert record.teacher_score.value == pytest.approx(turned)
    assert [one.name for one in record.variants] == list(WEIGHTS)[1:]
    (qat,) = (one for one in record.variants if one.name == "qat")
    assert qat.agreement_with_teacher.value == 1.0
    assert (tmp_path / "out" / "answers" / "teacher.npy").is_file()
    assert (progress.begun, len(progress.told)) == ([("verify", 8)], 8)


def test_labels_that_no_sample_of_test_has_are_named(inputs):
    data, holds = inputs().data.record, np.eye(4)[TRUTH % 3]
    assert verify._left_out(verify.tasks.of("multi-label"), holds, data) == ("d",)


def test_a_score_on_validation_that_test_does_not_show_is_remarked_on(tmp_path, inputs):
    given = inputs()
    assert verified(tmp_path, given)[0].remarks == ()
    poor = given.variants.record.student.model_copy(update={"validation_score": 0.2})
    assert (
        "20.0 % on validation"
        in verify._remarks(
            inputs(variants=made(given.variants.record.model_copy(update={"student": poor}))),
            X,
            TRUTH,
            verify.tasks.of("classification"),
        )[0]
    )


def test_the_gain_of_one_seed_is_over_the_groups_of_test_at_its_own_confidence(
    tmp_path, inputs, monkeypatch
):
    given = inputs()
    models = SimpleNamespace(**{**vars(given.models), "students": given.models.students[1:]})
    plain = (made(given.variants.record.student, "plain"),)

    def answered(models, test, _data, _answered):
        (one,) = models
        return [test.x @ (TURNED if one.path == "plain" else WEIGHTS["fp32"])]

    monkeypatch.setattr(students, "_outputs", answered)
    record, progress = verified(tmp_path, inputs(models=models, plain=plain))
    right = ((X @ TURNED).argmax(1) == TRUTH).mean()
    gain = record.gain
    assert (gain.seeds, gain.distilled_score) == ((0,), (1.0,))
    assert gain.plain_score == (pytest.approx(right),)
    assert gain.difference.value == pytest.approx(1.0 - right)
    assert (gain.difference.n, "95 %" in gain.difference.method) == (10, True)
    assert progress.told[-1] == ""


def test_int8_is_computed_as_on_the_target(tmp_path, inputs, monkeypatch):
    asked, given = [], inputs()
    plan = given.variants.record.plan.model_copy(update={"precise": True})
    record = given.variants.record.model_copy(update={"plan": plan})

    def noted(path, x, *, precise, **how):
        asked.append((path.name, precise, how["batch"]))
        return logits(path, x, precise=precise, **how)

    monkeypatch.setattr(quality, "logits", noted)
    found, _ = verified(tmp_path, inputs(variants=made(record, given.variants.path)))
    assert asked[:4] == [(f"{name}.onnx", True, BATCH) for name in WEIGHTS]
    # By this host's own kernels, too, where those may be others.
    assert [name for name, precise, _ in asked if not precise] == ["int8-static.onnx", "qat.onnx"]
    assert [one.here is not None for one in found.files] == [False, False, True, True]


@pytest.mark.parametrize(("layout", "pad"), [("table", None), ("tokens", 9)])
def test_files_run_on_every_thread_and_texts_with_their_padding(
    tmp_path, inputs, monkeypatch, layout, pad
):
    asked, given = [], inputs()

    def running(*of):
        asked.append(of)
        return quality.Running(*of[:5])

    monkeypatch.setattr(verify, "Running", running)
    record = given.data.record.model_copy(update={"layout": layout, "pad": 9, "units": ("grams",)})
    found, _ = verified(tmp_path, inputs(data=made(record, given.data.path)))
    ((folder, x, *how),) = asked
    how_many = [BATCH, torch.get_num_threads()]
    assert (folder, how) == (given.variants.path, [*how_many, False, pad, None])
    np.testing.assert_array_equal(x, X)
    assert found.label_unit == "grams"


def test_where_there_are_no_labels_the_teachers_answers_are_the_truth(tmp_path, inputs):
    given = inputs()
    data = given.data.record.model_copy(update={"task": "embedding"})
    record, progress = verified(tmp_path, inputs(data=made(data, given.data.path)))
    assert (record.task, record.metric, record.gain) == ("embedding", "cosine", None)
    lengths = np.linalg.norm(X, axis=1)
    for one in record.files:
        answers = X @ WEIGHTS[one.name]
        cosines = (X * answers).sum(1) / (lengths * np.linalg.norm(answers, axis=1))
        # Groups are of one size, so that their mean is that of all samples.
        assert one.score.value == pytest.approx(cosines.mean(), abs=1e-4)
    assert progress.told[4] == "teacher cosine 1.0000"
    with np.load(tmp_path / "out" / verify.CHANGED) as stored:
        assert {name.partition("/")[2] for name in stored} <= {"x", "rows"}
