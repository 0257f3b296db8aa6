"""What a variant is compared with, and by which runs."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.exporters.interface import INPUT, OUTPUT, PROBABILITIES
from edgestill.exporters.package import File, Package
from edgestill.pipeline import tasks
from edgestill.pipeline.judge import quality
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.judge.quality import Reference, Running, quality_of
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.tasks.sampling import Sampling
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT
ROWS, CLASSES = 60, 3
ENDS = [(INPUT, FLOAT, ["n", CLASSES])], [(OUTPUT, FLOAT, ["n", CLASSES])]
X = np.random.default_rng(0).normal(size=(ROWS, CLASSES)).astype(np.float32)
TRUTH = X.argmax(1)


def answering(wrong):
    """Logits that are wrong for the first of some rows."""
    answered = TRUTH.copy()
    answered[:wrong] = (answered[:wrong] + 1) % CLASSES
    return np.eye(CLASSES, dtype=np.float32)[answered]


ANY = Sampling(0.95)


def reference(teacher=None, fp32=None, sampling=ANY):
    data = SimpleNamespace(labels=("a", "b", "c"))
    task = tasks.of("classification")
    return Reference(data, task, TRUTH, teacher, fp32, sampling)


@pytest.fixture
def files(tmp_path):
    """Files whose answers are their input, turned by some classes or less the batch's mean."""
    save(tmp_path / "same.onnx", [helper.make_node("Identity", [INPUT], [OUTPUT])], *ENDS)
    turned = [
        helper.make_node("Split", [INPUT, "sizes"], ["a", "b"], axis=1),
        helper.make_node("Concat", ["b", "a"], [OUTPUT], axis=1),
    ]
    save(tmp_path / "turned.onnx", turned, *ENDS, [("sizes", np.array([1, 2], np.int64))])
    by_batch = [
        helper.make_node("ReduceMax", [INPUT], ["m"], axes=[0]),
        helper.make_node("Sub", [INPUT, "m"], [OUTPUT]),
    ]
    save(tmp_path / "by_batch.onnx", by_batch, *ENDS)
    return tmp_path


def running(folder, batch=ROWS):
    return Running(folder, X, batch, 1, precise=False)


def variant(*packages, name="fp32"):
    return SimpleNamespace(
        in_onnx=True, name=name, file="same.onnx", packages=packages, changed_nodes=0
    )


def package(file, format_="ort"):
    return Package(
        format_, format_, f".{format_}", File(file, None, None), (), "onnxruntime",
        least_agreement=0.95, answers_hold=True,
    )  # fmt: skip


def test_agreement_and_drops_are_each_against_their_own_reference(files):
    of = reference(teacher=answering(30), fp32=answering(6))
    found = quality_of(variant(name="int8"), answering(12), of, running(files), ())
    # Rows 12 to 29 are answered otherwise than by the teacher, 6 to 11 otherwise than by fp32.
    assert found.agreement_with_teacher.value == pytest.approx(1 - 18 / ROWS)
    assert found.answers_changed_vs_fp32 == 6
    assert found.drop_vs_teacher.value == pytest.approx(-18 / ROWS, abs=0.02)
    assert found.drop_vs_fp32.value == pytest.approx(6 / ROWS, abs=0.02)
    assert found.score.value == pytest.approx(1 - 12 / ROWS)


def test_without_the_teachers_answers_agreement_is_unknown_and_no_other_figure_stands_in(files):
    found = quality_of(variant(), answering(0), reference(fp32=answering(6)), running(files), ())
    assert found.agreement_with_teacher.value is None
    assert found.drop_vs_teacher.value is None
    assert found.fidelity is None


@pytest.mark.parametrize("name", ["fp32", "teacher"])
def test_a_file_loses_nothing_to_itself_whatever_the_sample(files, name):
    of = reference(teacher=answering(30), fp32=answering(30))
    found = quality_of(variant(name=name), answering(12), of, running(files), ())
    own, other = found.drop_vs_fp32, found.drop_vs_teacher
    if name == "teacher":
        own, other = other, own
    assert own == Estimate.exact(0.0, f"{name} is its own reference")
    assert other.value == pytest.approx(-18 / ROWS, abs=0.02)
    assert (found.fidelity is None) == (name == "teacher")


def test_every_variant_is_held_against_the_best_constant_answer(files):
    found = quality_of(variant(), answering(12), reference(fp32=X), running(files), ())
    assert [over.metric for over in found.over_constant] == ["accuracy", "balanced accuracy"]


def host(precise=True, outputs=None):
    """Files that answer otherwise by this host's own kernels."""

    def answered(name, *, precise):
        assert (name, precise) == ("same.onnx", False)
        return outputs

    return SimpleNamespace(precise=precise, outputs=answered)


@pytest.mark.parametrize(("precise", "changed"), [(False, 3), (True, 0)])
def test_what_computes_here_as_on_the_target_has_no_figures_of_its_own(precise, changed):
    of = SimpleNamespace(**{**vars(variant()), "changed_nodes": changed})
    assert quality._here(of, answering(3), reference(), host(precise)) is None


def test_a_file_that_this_host_computes_otherwise_has_figures_of_its_own(files):
    listed = SimpleNamespace(**{**vars(variant(name="int8")), "changed_nodes": 3})
    found = quality._here(listed, answering(3), reference(), host(outputs=answering(9)))
    assert found.score.value == pytest.approx(1 - 9 / ROWS)
    assert found.answers_changed == 6
    assert found.shift == reference().shift(answering(9), answering(3))
    whole = quality_of(
        listed, X, reference(fp32=X), dataclasses.replace(running(files), precise=True), ()
    )
    assert whole.here is not None


def test_a_file_runs_as_the_stage_says(files, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        quality, "logits", lambda path, x, **given: asked.update(path=path, **given)
    )
    Running(files, X, 7, 3, precise=True, pad=5).outputs("same.onnx", precise=False)
    assert asked == {
        "path": files / "same.onnx", "batch": 7, "workers": 3, "precise": False, "pad": 5,
    }  # fmt: skip


def test_a_file_is_scored_at_the_batch_that_ships(files):
    name = "by_batch.onnx"
    alone, together = (running(files, batch).outputs(name, precise=False) for batch in (1, ROWS))
    np.testing.assert_array_equal(alone, np.zeros_like(X))
    np.testing.assert_allclose(together, X - X.max(0), rtol=1e-6)


def test_a_package_that_answers_as_the_onnx_file_agrees(files):
    listed = variant(package("same.onnx", "onnx"), package("same.onnx"))
    found = quality_of(listed, X, reference(X, X), running(files), ())
    (other,) = found.packages
    assert (other.format, other.agreement, other.max_abs_difference) == ("ort", 1.0, 0.0)


def test_a_package_that_answers_otherwise_makes_its_variant_not_ready(files):
    listed = variant(package("same.onnx", "onnx"), package("turned.onnx"))
    found = quality_of(listed, X, reference(X, X), running(files), ())
    (other,) = found.packages
    assert other.agreement == 0.0
    assert other.max_abs_difference > 1.0
    report = report_example.report()
    fp32, *others = report.quality.variants
    broken = report.quality.model_copy(
        update={"variants": (fp32.model_copy(update={"packages": found.packages}), *others)}
    )
    verdict = judge(Gate(min_accuracy=0.01), broken, report.measured)
    assert verdict.variants[0].outcome == "not ready"
    assert verdict.variants[0].faults[0].startswith(".ort differs from .onnx by")
    assert verdict.ship != "fp32"


def test_a_package_that_nothing_here_runs_has_no_figures(files):
    silent = dataclasses.replace(package("absent.tflite", "tflite"), runtime=None)
    found = quality_of(
        variant(package("same.onnx", "onnx"), silent), X, reference(X, X), running(files), ()
    )
    assert found.packages[0].agreement is None
    assert found.packages[0].missing


def test_a_file_that_the_checker_refuses_says_so(files):
    save(files / "same.onnx", [helper.make_node("NoSuch", [INPUT], [OUTPUT])], *ENDS)
    assert "NoSuch" in quality._checker(files / "same.onnx")


def figures(found):
    """Every estimate of a variant."""
    return {
        **found.metrics,
        "agreement": found.agreement_with_teacher,
        "drop_vs_teacher": found.drop_vs_teacher,
        "drop_vs_fp32": found.drop_vs_fp32,
        "worst_drop": found.fidelity.worst_drop,
        "kept": found.fidelity.agreement,
        **found.fidelity.figures,
    }


def judged(files, sampling):
    of = reference(teacher=answering(30), fp32=answering(6), sampling=sampling)
    return quality_of(variant(name="int8"), answering(12), of, running(files), ())


def test_every_figure_of_a_variant_is_an_estimate_at_the_confidence_of_the_verdict(files):
    found, less = judged(files, Sampling(0.99875)), judged(files, Sampling(0.9))
    assert found.metrics.keys() >= {"accuracy", "balanced accuracy", "macro-F1", "recall[0]"}
    assert found.score == found.metrics["accuracy"]
    for name, figure in figures(found).items():
        other = figures(less)[name]
        assert figure.kind == "measured"
        assert figure.high - figure.low > other.high - other.low, name
        assert "99.875 %" in figure.method, name


def test_every_figure_of_a_variant_counts_groups(files):
    found = judged(files, Sampling(0.99, np.arange(ROWS) // 10))
    for name, figure in figures(found).items():
        # A class may be missing in a group.
        assert 4 <= figure.n <= 6, name
        assert " groups" in figure.method, name


def test_agreement_over_groups_is_called_so():
    groups = np.array([f"g{row % 6}" for row in range(ROWS)])
    found = quality.agreement(
        answering(6), reference(answering(0), sampling=Sampling(0.95, groups))
    )
    assert found.method.startswith("agreement")
    assert found.value == pytest.approx(1 - 6 / ROWS)


@pytest.mark.parametrize(
    ("told", "missing"), [("only on a phone", "only on a phone"), (None, "no runtime here can")]
)
def test_a_format_keeps_what_it_has_to_reach_and_why_it_was_not_run(files, told, missing):
    silent = dataclasses.replace(
        package("absent.tflite", "tflite"), runtime=None, no_runtime=told, answers_hold=False,
        least_agreement=0.75,
    )  # fmt: skip
    found = quality._package(silent, X, reference(), running(files))
    assert (found.format, found.answers_hold, found.least_agreement) == ("tflite", False, 0.75)
    assert (found.max_abs_difference, found.agreement) == (None, None)
    assert found.missing.startswith(missing)
    known = quality._package(package("same.onnx"), X + 0.5, reference(), running(files))
    assert known.max_abs_difference == pytest.approx(0.5)
    assert (known.agreement, known.missing) == (1.0, None)
    assert (known.answers_hold, known.least_agreement) == (True, 0.95)


def test_the_rows_that_a_format_answers_otherwise_are_no_agreement(files):
    other = X.copy()
    other[:15] = np.roll(other[:15], 1, axis=1)
    found = quality._package(package("same.onnx"), other, reference(), running(files))
    assert found.agreement == pytest.approx(1 - 15 / ROWS)


PARITY = report_example.report().quality.variants[0].parity


def test_every_field_of_a_variant_is_of_its_own_file(files):
    of = reference(teacher=answering(30), fp32=answering(6))
    found = quality_of(variant(name="int8"), answering(12), of, running(files), PARITY)
    assert (found.name, found.checker, found.parity) == ("int8", None, PARITY)
    assert found.shift_vs_fp32 == of.shift(answering(12), answering(6))
    assert found.metrics == of.task.metrics(answering(12), TRUTH, ANY)
    assert found.fidelity == of.task.compare(
        answering(12), answering(30), TRUTH, ("a", "b", "c"), ANY
    )
    assert [over.answer for over in found.over_constant] != []
    assert all("'" in over.answer for over in found.over_constant), "by the name of a class"
    assert (found.packages, found.here) == ((), None)


@pytest.mark.parametrize("in_onnx", [True, False])
def test_only_a_file_of_onnx_is_checked(files, in_onnx):
    save(files / "same.onnx", [helper.make_node("NoSuch", [INPUT], [OUTPUT])], *ENDS)
    listed = SimpleNamespace(**{**vars(variant()), "in_onnx": in_onnx})
    found = quality_of(listed, answering(0), reference(fp32=X), running(files), ())
    assert (found.checker is not None) == in_onnx


def test_a_score_that_is_no_metric_is_found_on_its_own(files):
    task = dataclasses.replace(tasks.of("classification"), metrics=lambda *_: {})
    of = dataclasses.replace(reference(fp32=X), task=task)
    found = quality_of(variant(), answering(12), of, running(files), ())
    assert (found.metrics, found.score) == ({}, of.score(answering(12)))


def test_what_is_not_known_of_the_teacher_says_so():
    of = reference()
    unknown = Estimate.unknown("the teacher's answers on test are not known")
    assert of.score(None) == quality.agreement(X, of) == unknown
    assert quality._drop("teacher", "int8", X, None, of) == unknown
    assert quality._fidelity(X, of) is None


def test_probabilities_are_judged_as_logits_and_compared_as_they_are(files):
    ends = [(INPUT, FLOAT, ["n", CLASSES])], [(PROBABILITIES, FLOAT, ["n", CLASSES])]
    save(files / "p.onnx", [helper.make_node("Softmax", [INPUT], [PROBABILITIES])], *ends)
    gives = tasks.of("classification").probabilities
    of = dataclasses.replace(running(files), probabilities=gives)
    outputs = of.outputs("p.onnx", precise=False)
    np.testing.assert_allclose(gives.of(outputs), gives.of(X), atol=1e-6)
    assert outputs.min() < 0
    other = gives.logits(np.float32([[0.5, 0.25, 0.25]]))
    assert of.apart(other, np.log(np.float32([[0.25, 0.5, 0.25]]))) == pytest.approx(0.25)
    assert running(files).apart(other, other + 3) == pytest.approx(3)
