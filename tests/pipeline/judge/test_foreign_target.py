"""What was measured on one device decides nothing for another, on every way to a verdict."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import report_example
import schema_2
import tiny
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.runs.run import differences, folder_digests, manifest_of

pytestmark = pytest.mark.slow

BUDGETS = {
    "max_p50_ms": 1e6,
    "max_p90_ms": 1e6,
    "max_p99_ms": 1e6,
    "max_peak_memory_mib": 1e6,
    "max_energy_uj": 1e9,
}
"""Each so wide that every figure measured here is far inside it."""
FOREIGN = [
    "compress.target='raspberry-pi-5'",
    "compress.variants=['fp32']",
    "benchmark.processes=2",  # what is not judged need not be precise
]


def command(*words):
    line = [sys.executable, "-m", "edgestill", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)


def told(*words):
    done = command(*words, "--json")
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def foreign(built, tmp_path_factory):
    """A tiny build for a Raspberry Pi 5 that was measured here: (run, recipe, artifacts).

    What does not depend on the target is taken from the store of the build for this machine.
    """
    _, recipe, artifacts = tiny.copy(built, tmp_path_factory.mktemp("foreign"))
    done = pipeline.build(recipe, artifacts=artifacts, overrides=FOREIGN)
    assert set(done.ran) == {"variants", "verify", "benchmark"}
    return done, recipe, artifacts


def test_the_record_says_where_it_was_measured_and_for_what(foreign):
    measured = foreign[0].report.measured
    assert (measured.measured_on, measured.target) == ("host", "raspberry-pi-5")
    assert measured.on_target is False


@pytest.mark.promise("What was measured on another machine never makes READY")
@pytest.mark.parametrize(
    ("on_target", "outcome"), [(True, "ready"), (False, "undecided"), (None, "undecided")]
)
@pytest.mark.parametrize("key", sorted(BUDGETS))
def test_figures_inside_a_budget_meet_it_only_where_they_were_measured_on_the_target(
    key, on_target, outcome
):
    report = report_example.report()
    figure = Estimate(1.0, 0.5, 1.5, "measured here", 99, kind="measured")
    figures = ("p50_ms", "p90_ms", "p99_ms", "peak_memory_bytes", "energy_uj")
    benchmark = report.measured.benchmark
    models = tuple(
        dataclasses.replace(one, **dict.fromkeys(figures, figure)) for one in benchmark.models
    )
    measured = report.measured.model_copy(
        update={
            "benchmark": dataclasses.replace(benchmark, models=models),
            "target": "raspberry-pi-5",
            "on_target": on_target,
        }
    )
    verdict = judge(Gate(**{key: BUDGETS[key]}), report.quality, measured)
    assert verdict.outcome == outcome
    why = {True: "inside", False: "on raspberry-pi-5, only on host", None: "does not record"}
    for variant in verdict.variants:
        assert why[on_target] in variant.checks[0].why


@pytest.mark.promise("What was measured on another machine never makes READY")
def test_gate_leaves_each_figure_of_the_machine_undecided_for_another_target(foreign):
    built, _, _ = foreign
    budgets = [word for key, value in BUDGETS.items() for word in ("--set", f"gate.{key}={value}")]
    code, document = told("gate", built.run, *budgets)
    assert (code, document["report"]["verdict"]["outcome"]) == (5, "undecided")
    checks = {one["key"]: one for one in document["report"]["verdict"]["variants"][0]["checks"]}
    for key in BUDGETS:
        assert checks[key]["outcome"] == "undecided"
        assert "raspberry-pi-5" in checks[key]["why"]
    assert not list((Path(document["run"]) / "models").iterdir())
    again, drawn = told("report", document["run"])
    assert (again, Path(drawn["report"]).parent) == (0, Path(document["run"]))
    page = (Path(document["run"]) / "report.md").read_text()
    assert page.startswith("# tiny: UNDECIDED")
    sound, _ = told("verify", document["run"])
    assert sound == 0


def test_a_build_that_finds_the_run_which_gate_wrote_is_undecided_too(foreign):
    built, recipe, artifacts = foreign
    _, document = told("gate", built.run, "--set", "gate.max_p50_ms=4000")
    again = pipeline.build(
        recipe, artifacts=artifacts, overrides=[*FOREIGN, "gate.max_p50_ms=4000"]
    )
    assert again.ran == ()
    assert str(again.run) == document["run"]
    assert again.report.verdict.outcome == "undecided"


def test_size_and_accuracy_are_decided_for_another_target(foreign):
    built, _, _ = foreign
    assert built.report.verdict.outcome == "ready"
    code, _ = told("gate", built.run, "--set", "gate.max_size_kib=0.001")
    assert code == 1


def aged(run, artifacts):
    """The same run as edgestill 0.1.0 wrote it: schema 2.0, the benchmark's record in three."""
    old = artifacts / "runs" / "tiny" / "2026-01-01T00-00-00-000000Z"
    shutil.copytree(run, old)
    report = schema_2.aged(json.loads((old / "report.json").read_text()))
    report["recipe"]["gate"]["max_p50_ms"] = 1e6
    (old / "report.json").write_text(json.dumps(report))
    manifest = manifest_of(old)
    manifest["recipe"]["gate"]["max_p50_ms"] = 1e6
    manifest["keys"]["report"] = "of the rules of an older version"
    manifest["files"] = folder_digests(old)
    del manifest["files"]["manifest.json"]
    (old / "manifest.json").write_text(json.dumps(manifest))
    assert not differences(old)
    return old


@pytest.mark.promise("A run that does not say where it was measured is not READY by its latency")
def test_an_old_run_that_does_not_say_where_it_was_measured_is_undecided(foreign):
    built, _, artifacts = foreign
    old = aged(built.run, artifacts)
    code, document = told("gate", old)
    assert (code, document["report"]["verdict"]["outcome"]) == (5, "undecided")
    assert document["run"] != str(old), "the old run says READY in its files"
    code, refusal = told("report", old)
    assert code == 3
    assert "schema 2.0" in refusal["error"]["found"]
    assert told("verify", old)[0] == 0
