"""A run against another one: what is compared with what, and whether scores are paired."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import run_example
import verdict_examples
from edgestill.pipeline.finished import baseline
from edgestill.pipeline.judge.regression import Limits
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.runs import kept_labels
from edgestill.pipeline.runs.locate import Located, located
from edgestill.pipeline.runs.run import MANIFEST

WRONG = {"fp32": 11, "int8-dynamic": 12, "int8-static": 13}


def whole(**changes):
    return verdict_examples.judged(run_example.report(), **changes)


def run(folder, report, *, seed=0, samples=450, wrong=WRONG, labels=True):
    """A run on disk with answers on test."""
    run_example.write_run(folder, report)
    records = folder / "records"
    truth = np.random.default_rng(seed).integers(0, 10, samples)
    (records / "answers").mkdir()
    for name, count in wrong.items():
        classes = truth.copy()
        classes[:count] = (classes[:count] + 1) % 10
        np.save(records / "answers" / f"{name}.npy", np.eye(10, dtype=np.float32)[classes])
    if labels:
        digest = f"{seed}"
        np.savez(records / kept_labels.FILE, allow_pickle=False, y=truth, x_sha256=digest)
    run_example.seal(folder)
    return located(folder)


def changed(report, **sizes):
    """The same report with other files of some variants."""

    def other(variant):
        size = sizes.get(variant.name.replace("-", "_"))
        if size is None:
            return variant
        first, *rest = variant.packages
        model = replace(first.model, bytes=size, sha256=f"{size}")
        return variant.model_copy(update={"packages": (replace(first, model=model), *rest)})

    variants = report.variants
    files = {"variants": tuple(map(other, variants.variants))}
    return report.model_copy(update={"variants": variants.model_copy(update=files)})


def outcomes(found):
    return {change.what: change.outcome for change in found.pairs[0].changes}


def test_a_run_is_no_worse_than_itself(tmp_path):
    one = run(tmp_path / "one", whole())
    found = baseline.against(one, one, Limits())
    assert found.outcome == "ready"
    assert [(pair.now, pair.then) for pair in found.pairs] == [("fp32", "fp32")]
    assert outcomes(found) == {
        "size": "ready",
        "score": "ready",
        "instructions": None,
        "latency": "ready",
    }


def test_scores_are_paired_where_both_were_tested_on_the_same_samples(tmp_path):
    then = run(tmp_path / "then", whole())
    now = run(tmp_path / "now", changed(whole(), fp32=83_000), wrong={**WRONG, "fp32": 60})
    found = baseline.against(now, then, Limits())
    (pair,) = found.pairs
    assert pair.paired == "paired by sample: both runs were tested on the same 450 samples"
    score = pair.changes[1]
    assert score.change.value == pytest.approx(49 / 450)
    assert "Tango" in score.change.method
    assert outcomes(found)["score"] == found.outcome == "not ready"


def test_scores_on_other_samples_are_not_compared_however_they_look(tmp_path):
    then = run(tmp_path / "then", whole(), seed=1, wrong={**WRONG, "fp32": 100})
    now = run(tmp_path / "now", changed(whole(), fp32=83_000), wrong={**WRONG, "fp32": 0})
    found = baseline.against(now, then, Limits(score_drop=1.0))
    (pair,) = found.pairs
    assert pair.paired == "not compared: test has other samples"
    assert (pair.changes[1].outcome, found.outcome) == ("undecided", "undecided")
    assert pair.changes[1].why == "test has other samples, so the scores cannot be compared"


def test_a_file_that_is_the_same_is_no_worse_on_whichever_samples_it_was_scored(tmp_path):
    then, now = run(tmp_path / "then", whole(), seed=1), run(tmp_path / "now", whole())
    assert baseline.against(now, then, Limits()).outcome == "ready"


def test_of_a_report_alone_size_is_compared_and_the_score_is_not_paired(tmp_path):
    kept = tmp_path / "kept.json"
    kept.write_text(whole().model_dump_json())
    now = run(tmp_path / "now", changed(whole(), fp32=90_000))
    found = baseline.against(now, located(kept), Limits())
    assert "not kept beside its report" in found.pairs[0].paired
    assert outcomes(found)["size"] == found.outcome == "not ready"


def test_labels_of_one_run_are_enough_where_the_data_are_the_same(tmp_path):
    older = run(tmp_path / "older", whole(), labels=False)
    now = run(tmp_path / "now", changed(whole(), fp32=83_000))
    (pair,) = baseline.against(now, older, Limits()).pairs
    assert pair.paired.startswith("paired by sample")
    data = now.report.data.model_copy(update={"fingerprint": "other"})
    other = located(now.folder)
    other = type(other)(other.report.model_copy(update={"data": data}), other.folder)
    (pair,) = baseline.against(other, older, Limits()).pairs
    assert pair.paired == (
        "not compared: the data changed, and one run does not keep the labels of test"
    )


def test_what_the_baseline_shipped_counts_where_it_was_another_variant(tmp_path):
    small = whole(prefer="size")
    then = run(tmp_path / "then", small)
    now = run(tmp_path / "now", whole(prefer="latency"))
    assert (small.verdict.ship, now.report.verdict.ship) == ("int8-static", "fp32")
    found = baseline.against(now, then, Limits())
    assert [(pair.now, pair.then) for pair in found.pairs] == [
        ("fp32", "fp32"),
        ("fp32", "int8-static"),
    ]
    assert found.pairs[0].outcome == "ready"
    assert found.pairs[1].changes[0].outcome == found.outcome == "not ready"


def test_more_pairs_take_a_higher_confidence(tmp_path):
    then, now = run(tmp_path / "a", whole(prefer="size")), run(tmp_path / "b", whole())
    alone = baseline.against(now, now, Limits()).confidence
    assert alone == pytest.approx(1 - 0.01 / 3)
    assert baseline.against(now, then, Limits()).confidence == pytest.approx(1 - 0.01 / 6)


def test_a_variant_that_the_baseline_lacks_is_undecided(tmp_path):
    then = whole(max_p90_ms=0.001)
    kept = tuple(one for one in then.variants.variants if one.name != "fp32")
    variants = then.variants.model_copy(update={"variants": kept})
    then = run(tmp_path / "then", then.model_copy(update={"variants": variants}))
    found = baseline.against(run(tmp_path / "now", whole()), then, Limits())
    assert found.outcome == "undecided"
    assert found.pairs[0].missing == "the baseline has no fp32"


def test_another_task_or_score_is_not_compared(tmp_path):
    now = run(tmp_path / "now", whole())
    quality = whole().quality.model_copy(update={"metric": "mAP"})
    other = run(tmp_path / "other", whole().model_copy(update={"quality": quality}))
    assert baseline.against(now, other, Limits()).pairs[0].missing == (
        "the baseline's score is another, mAP"
    )


def test_other_classes_are_not_compared(tmp_path):
    now = run(tmp_path / "now", whole())
    for labels, said in (
        (now.report.data.labels[:7], "the baseline has 7 classes, this run 10"),
        (
            ("cat", *now.report.data.labels[1:]),
            "the baseline's classes are others, such as 'cat', here '0'",
        ),
    ):
        data = now.report.data.model_copy(update={"labels": labels})
        then = Located(now.report.model_copy(update={"data": data}), tmp_path)
        found = baseline.against(now, then, Limits(score_drop=1.0))
        assert (found.outcome, found.pairs[0].missing) == ("undecided", said)


def test_a_baseline_that_is_the_run_itself_is_told(tmp_path):
    one = run(tmp_path / "one", whole())
    assert baseline.against(one, located(tmp_path / "one"), Limits()).itself == "this run itself"
    manifest = json.loads((tmp_path / "one" / MANIFEST).read_text()) | {"keys": {"verify": "1"}}
    (tmp_path / "one" / MANIFEST).write_text(json.dumps(manifest))
    shutil.copytree(tmp_path / "one", tmp_path / "again")
    found = baseline.against(one, located(tmp_path / "again"), Limits())
    assert found.itself == "this run's own build, judged by other budgets"
    other = run(tmp_path / "other", whole())
    assert baseline.against(one, other, Limits()).itself is None


def test_what_the_baseline_shipped_in_another_format_has_the_size_of_that(tmp_path):
    small = whole(prefer="size")
    variants = []
    for one in small.variants.variants:
        first = replace(one.packages[0], format="litert")
        packages = (first,) if one.name == small.verdict.ship else one.packages
        variants.append(one.model_copy(update={"packages": packages}))
    record = small.variants.model_copy(update={"variants": tuple(variants)})
    then = run(tmp_path / "then", small.model_copy(update={"variants": record}))
    found = baseline.against(run(tmp_path / "now", whole(prefer="latency")), then, Limits())
    size = found.pairs[1].changes[0]
    assert size.then.value == sum(file.bytes for file in first_of(then, "int8-static").files)


def first_of(side, name):
    return next(one for one in side.report.variants.variants if one.name == name).packages[0]


def test_the_format_that_the_app_takes_is_the_one_whose_size_counts(tmp_path):
    report = whole(runtimes=("ort",))
    found = baseline.against(*[run(tmp_path / "one", report)] * 2, Limits())
    assert found.pairs[0].format == "ort"
    package = report.variants.variants[0].packages[1]
    assert found.pairs[0].changes[0].now.value == sum(file.bytes for file in package.files)


def test_all_of_it_is_json(tmp_path):
    one = run(tmp_path / "one", whole())
    document = baseline.against(one, one, Limits()).to_dict()
    assert json.loads(json.dumps(document, allow_nan=False))["outcome"] == "ready"
    assert document["error_rate"] == 0.005


@pytest.mark.slow
def test_files_that_are_measured_in_turn_are_judged_by_latency(built):
    one, limits = located(built[0].run), Limits(latency_growth=20.0)
    found = baseline.against(one, one, limits, Silent(), max_seconds=1.0)
    latency = found.pairs[0].changes[3]
    assert latency.outcome == "ready"
    assert latency.change.kind == "measured"
    assert found.error_rate == pytest.approx(0.01)
