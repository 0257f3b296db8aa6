"""The runs of a name over time."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import run_example
import verdict_examples
from edgestill.errors import MaterialError
from edgestill.pipeline.finished.history import history
from edgestill.pipeline.records import Commit


def report(score=0.97, size=None, commit=None):
    whole = verdict_examples.judged(run_example.report())
    quality = whole.quality
    variants = tuple(
        one.model_copy(update={"score": replace(one.score, value=float(score))})
        for one in quality.variants
    )
    changed = {"quality": quality.model_copy(update={"variants": variants})}
    if commit is not None:
        changed["commit"] = Commit(sha=commit, changed=False)
    if size is not None:
        files = []
        for one in whole.variants.variants:
            first, *rest = one.packages
            first = replace(first, model=replace(first.model, bytes=size))
            files.append(one.model_copy(update={"packages": (first, *rest)}))
        changed["variants"] = whole.variants.model_copy(update={"variants": tuple(files)})
    return whole.model_copy(update=changed)


def runs(folder, reports):
    """Reports as runs of one name, a day apart; whole runs are not needed."""
    for day, one in enumerate(reports):
        run = folder / f"2026-{day // 28 + 1:02d}-{day % 28 + 1:02d}T00-00-00-000000Z"
        run.mkdir(parents=True)
        (run / "report.json").write_text(one.model_dump_json())
    return folder


def test_each_change_of_a_size_is_one_with_run_and_commit(tmp_path):
    found = history(runs(tmp_path, [report(), report(), report(size=90_000, commit="c" * 40)]))
    (change,) = found.changes
    assert (change.figure, change.since[:10], change.after) == ("bytes", "2026-01-03", 90_000)
    said = found.said(change)
    assert said.startswith("file size: 81.2 KiB before, 87.9 KiB since 2026-01-03T")
    assert f"commit {'c' * 10}" in said


def test_few_runs_are_not_enough_to_tell_and_it_says_how_many_are(tmp_path):
    found = history(runs(tmp_path, [report(score) for score in (0.97, 0.97, 0.2)]))
    assert found.changes == ()
    assert (
        "score: not enough runs to tell, 3 of the 10 that a change takes at the least"
        in found.notes
    )
    assert "instructions of a query: not known in any run" in found.notes


def test_a_lower_score_from_some_run_on_is_found(tmp_path):
    rng = np.random.default_rng(0)
    scores = [*rng.normal(0.97, 0.003, 8), *rng.normal(0.93, 0.003, 8)]
    found = history(runs(tmp_path, [report(score) for score in scores]))
    (change,) = found.changes
    assert (change.figure, change.since[:10]) == ("score", "2026-01-09")
    assert "by chance in" in found.said(change)


def test_runs_that_cannot_be_read_are_counted_and_named(tmp_path):
    folder = runs(tmp_path, [report(), report()])
    broken = folder / "2026-05-05T00-00-00-000000Z"
    broken.mkdir()
    (broken / "report.json").write_text("{")
    found = history(folder)
    assert len(found.entries) == 2
    assert found.notes[0] == f"1 run could not be read: {broken.name}"


def test_one_build_that_was_judged_twice_counts_once(tmp_path):
    for stamp in ("2026-01-01T00-00-00-000000Z", "2026-01-02T00-00-00-000000Z"):
        run_example.write_run(tmp_path / stamp, report())
    assert len(history(tmp_path).entries) == 1


def test_the_figures_are_those_of_the_variant(tmp_path):
    folder = runs(tmp_path, [report()])
    assert history(folder).variant == "fp32"
    (entry,) = history(folder, "int8-static").entries
    assert entry.bytes == 38_020
    with pytest.raises(MaterialError, match="expected one of fp32, int8-dynamic"):
        history(folder, "int4")
    with pytest.raises(MaterialError, match="no run that can be read"):
        history(tmp_path / "none")


def test_a_csv_has_a_line_a_run_and_no_formula(tmp_path):
    nasty = report(commit="=1+1")
    lines = list(csv.DictReader(io.StringIO(history(runs(tmp_path, [report(), nasty])).as_csv())))
    assert [line["commit"] for line in lines] == ["", "'=1+1"]
    assert float(lines[0]["score"]) == 0.97
