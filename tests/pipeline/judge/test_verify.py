"""What the verify stage leaves in the run of a build: answers, golden and changed samples."""

import json

import numpy as np
import pytest
import small_builds as small
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.judge import verify
from edgestill.pipeline.judge.answers import GOLDEN, logits
from edgestill.pipeline.judge.quality import Running


@pytest.fixture(scope="module")
def records(built):
    done, _, _ = built
    return done.report, done.run, done.run / "records"


def test_every_package_that_runs_here_has_golden_answers(records):
    report, _, folder = records
    golden = np.load(folder / GOLDEN)
    names = {p.model.name for v in report.variants.files for p in v.packages if p.runtime}
    assert set(golden) == {"input", *names}
    assert len(golden["input"]) == verify.GOLDEN_SAMPLES


def test_the_stored_answers_are_those_that_the_file_gives_again(records):
    report, run, folder = records
    golden = np.load(folder / GOLDEN)
    running = Running(run / "variants", golden["input"], 1, 1, precise=False)
    for variant in report.variants.files:
        again = running.outputs(variant.file, precise=False)
        np.testing.assert_allclose(again, golden[variant.file], atol=1e-5)
        assert (folder / "answers" / f"{variant.name}.npy").is_file()


def test_a_variant_is_scored_at_the_batch_that_is_measured(records, built):
    report, run, folder = records
    batch = report.measured.benchmark.settings.feed.batch
    (x,) = (built[2] / "store").glob("*/x_test.npy")
    test, precise = np.load(x), report.variants.plan.precise
    name = "int8-dynamic"
    stored = np.load(folder / "answers" / f"{name}.npy")
    file = run / "variants" / f"{name}.onnx"
    np.testing.assert_array_equal(stored, logits(file, test, batch=batch, precise=precise))
    # A dynamic file takes its ranges from the batch, so that another one shows.
    assert np.abs(stored - logits(file, test, batch=batch + 63, precise=precise)).max() > 1e-4


def test_every_file_was_asked_again_and_only_float_files_sample_by_sample(records):
    report, _, _ = records
    for quality in report.quality.files:
        found = quality.steadiness
        assert (found.again, found.session, found.faults) == (0.0, 0.0, ())
        assert (found.alone is not None) == (quality.name in ("teacher", "fp32"))
    made_from = {quality.name: quality.made_from for quality in report.quality.files}
    assert made_from.pop("teacher") is made_from.pop("fp32") is None
    assert set(made_from.values()) == {"fp32"}


def test_fp32_and_the_teacher_are_compared_with_their_torch_models(records):
    report, _, _ = records
    compared = {quality.name for quality in report.quality.files if quality.parity}
    assert compared == {"teacher", "fp32"}
    for quality in report.quality.files:
        assert all(parity.holds for parity in quality.parity)
        assert [package.format for package in quality.packages] == ["ort"]


def test_changed_samples_are_stored_with_their_classes(records):
    report, _, folder = records
    changed = np.load(folder / verify.CHANGED)
    for quality in report.quality.variants:
        examples = quality.fidelity.changed.examples
        rows = changed[f"{quality.name}/rows"].tolist()
        assert rows == [example.sample for example in examples]
        assert len(changed[f"{quality.name}/student"]) == len(rows)


def test_the_record_of_the_stage_is_that_of_the_report(records):
    report, _, folder = records
    stored = json.loads((folder / "quality.json").read_text())
    assert stored == json.loads(report.quality.model_dump_json())


@pytest.mark.slow
def test_a_verdict_about_four_people_is_undecided(tmp_path):
    """Twelve people, of whom four are test: accuracy near 1, and still too few of them."""
    x, y = small.points()
    np.savez(tmp_path / "data.npz", x=x, y=y, group=np.arange(len(y)) // 20)
    done = pipeline.build(
        small.recipe(tmp_path, "gate.min_accuracy=0.8"), artifacts=tmp_path / "artifacts"
    )
    fp32, people = done.report.quality.variants[0], len(done.report.data.groups["test"])
    assert 2 <= people <= 5
    assert fp32.score.value > 0.85
    assert fp32.score.n == fp32.agreement_with_teacher.n == fp32.drop_vs_teacher.n == people
    assert done.report.verdict.outcome == "undecided"
    assert "groups" in fp32.metrics["balanced accuracy"].method
    assert done.report.quality.gain.difference.n == people
