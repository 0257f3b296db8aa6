"""The whole pipeline on a tiny recipe: what it writes, that it repeats, what kill -9 costs."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import tiny
from edgestill.errors import UsageError
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.build import build, plan
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.runs.rejudge import draw_again, judge_again
from edgestill.pipeline.runs.run import differences, open_report
from edgestill.pipeline.stages import STAGES

KILLED_AT = """
import os, signal, sys
from edgestill.pipeline.build import build

class Killed:
    def __init__(self, stage): self.stage = stage
    def __enter__(self): return None
    def __exit__(self, *_):
        # The stage's files are written and not yet published: the worst moment.
        os.kill(os.getpid(), signal.SIGKILL)

class Fine:
    def __enter__(self): return None
    def __exit__(self, *_): return None

recipe, artifacts, victim = sys.argv[1:]
build(recipe, artifacts=artifacts, around=lambda s: Killed(s) if s == victim else Fine())
"""


def command(*arguments, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "edgestill", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **kwargs,
    )


def files_of(entry):
    """The hash of each file of a finished stage, without the .ort files: see ``hashes``."""
    files = json.loads(entry.read_text())["files"]
    return {name: digest for name, digest in files.items() if not name.endswith(".ort")}


def test_a_build_ends_in_a_whole_run_with_every_part(built):
    done, _, artifacts = built
    names = {p.relative_to(done.run).as_posix() for p in done.run.rglob("*") if p.is_file()}
    assert {"manifest.json", "report.json", "report.md", "report.html", "junit.xml"} <= names
    ship = done.report.verdict.ship
    assert done.report.verdict.outcome == "ready"
    assert {f"models/tiny-{ship}.onnx", f"models/tiny-{ship}.ort"} <= names
    assert "models/required_operators_and_types.config" in names
    for part in ("data", "teachers", "quality", "measured", "students"):
        assert f"records/{part}.json" in names
    assert not list(artifacts.rglob(".draft-*"))
    assert not list(artifacts.rglob("*.tmp"))


def test_the_saved_report_is_the_one_the_build_returned(built):
    assert open_report(built[0].run) == built[0].report


def test_the_shipped_file_is_the_judged_variant_and_says_what_it_is(built):
    run, report = built[0].run, built[0].report
    ship = next(v for v in report.variants.variants if v.name == report.verdict.ship)
    model = onnx.load(run / "models" / f"tiny-{ship.name}.onnx")
    facts = {p.key: json.loads(p.value) for p in model.metadata_props}
    assert facts["edgestill.labels"] == ["0", "1", "2"]
    assert facts["edgestill.input"]["shape"] == ["batch", 6]
    assert facts["edgestill.hashes"]["weights_sha256"] == report.variants.student.weights_sha256
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_students_with_and_without_the_teacher_share_seed_steps_and_shape(built):
    report = built[0].report
    (taught,), (alone,) = report.students, report.plain_students
    assert (taught.distilled, alone.distilled) == (True, False)
    assert taught.seed == alone.seed
    assert len(taught.curve) == len(alone.curve) == 12
    assert taught.weights_sha256 != alone.weights_sha256


def test_a_reference_loses_nothing_to_itself_and_others_have_an_interval(built):
    quality = {
        q.name: q for q in (built[0].report.quality.teacher, *built[0].report.quality.variants)
    }
    for name, drop in (
        ("teacher", quality["teacher"].drop_vs_teacher),
        ("fp32", quality["fp32"].drop_vs_fp32),
    ):
        assert (drop.value, drop.low, drop.high) == (0.0, 0.0, 0.0), name
    others = quality["int8-static"]
    for drop in (others.drop_vs_fp32, others.drop_vs_teacher):
        assert drop.low < drop.value < drop.high


def test_the_best_epoch_is_the_best_on_validation(built):
    for model in (*built[0].report.teachers, *built[0].report.students):
        best = max(model.curve, key=lambda e: (e.validation_score, -e.validation_loss))
        assert model.best_epoch == best.epoch
        assert model.validation_score == best.validation_score


def test_the_teacher_is_benchmarked_beside_every_variant_and_raw_samples_are_kept(built):
    report, run = built[0].report, built[0].run
    assert [m.name for m in report.measured.benchmark.models] == [
        "teacher",
        "fp32",
        "int8-dynamic",
        "int8-static",
    ]
    int8 = {"int8-dynamic", "int8-static"}
    over = {name: {r.of for r in report.measured.benchmark.ratios if r.over == name}
            for name in ("teacher", "fp32")}  # fmt: skip
    assert over == {"teacher": {"fp32", *int8}, "fp32": {"teacher", *int8}}
    assert len(list((run / "records" / "samples").glob("*.npy"))) == 4


@pytest.mark.promise("A build with nothing to do runs no stage and imports no torch, no runtime")
def test_a_second_build_does_nothing_gives_the_same_run_and_imports_no_torch(built):
    done, recipe, artifacts = built
    code = (
        "import sys, edgestill; b = edgestill.build(sys.argv[1], artifacts=sys.argv[2]); "
        "print(b.path, len(b.ran), 'torch' in sys.modules, 'onnxruntime' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(recipe), str(artifacts)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [str(done.run), "0", "False", "False"]


@pytest.mark.promise("The same recipe gives the same weights and files, bit for bit")
def test_the_same_recipe_elsewhere_gives_bit_identical_weights_and_files(built, tmp_path):
    recipe, artifacts = tiny.write(tmp_path), tmp_path / "artifacts"
    again = pipeline.build(recipe, artifacts=artifacts, until="verify")
    before = ("data", "teacher", "targets", "student", "student", "variants", "int8-plain")
    assert again.ran == (*before, "verify")
    for entry in (artifacts / "store").glob("*/entry.json"):
        before = built[2] / "store" / entry.relative_to(artifacts / "store")
        assert files_of(entry) == files_of(before), json.loads(entry.read_text())["stage"]
    quality = built[0].report.quality
    assert again.stopped.record.variants == quality.variants
    assert again.stopped.record.teacher == quality.teacher


@pytest.mark.promise("A build that is killed in any stage resumes and ends in the same bytes")
@pytest.mark.slow
def test_killed_in_any_stage_a_build_resumes_and_ends_in_the_same_hashes(built, tmp_path, figure):
    recipe, artifacts = tiny.write(tmp_path), tmp_path / "artifacts"
    variants = '["int8-dynamic", "int8-static", "int8-qat"]'
    recipe.write_text(f"{recipe.read_text()}[compress]\nvariants = {variants}\nqat_epochs = 2\n")
    finished = 0
    # A trial is of a module of the user, an adaptation of a student that starts from weights.
    stages = [stage for stage in STAGES if stage not in ("trial", "adaptation")]
    for stage in stages:
        done = subprocess.run(
            [sys.executable, "-c", KILLED_AT, str(recipe), str(artifacts), stage],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        entries = [p for p in (artifacts / "store").iterdir() if not p.name.startswith(".")]
        assert len(entries) == finished
        assert not list((artifacts / "runs" / "tiny").glob("[0-9]*"))
        # Two students, one with and one without the teacher; the kill is in the first of them.
        finished += 2 if stage == "student" else 1
    resumed = pipeline.build(recipe, artifacts=artifacts)
    assert resumed.ran == ("benchmark",)
    found, wanted = tiny.hashes(resumed.report), tiny.hashes(built[0].report)
    assert found["files"].pop()[0] == "int8-qat"  # The other build has none.
    found["accuracy"].pop()
    assert found == wanted
    assert not list((artifacts / "store").glob(".draft-*"))
    figure(f"killed once in each of {len(stages)} stages")


def test_static_int8_of_the_plain_student_is_compared_where_there_is_such_a_variant(built):
    done, recipe, artifacts = built
    drops = done.report.quality.int8_drops
    int8 = next(one for one in done.report.quality.variants if one.name == "int8-static")
    assert drops.seeds == (0,)
    assert drops.distilled_drop == (pytest.approx(int8.drop_vs_fp32.value),)
    assert drops.distilled_changed == (int8.answers_changed_vs_fp32,)
    assert drops.difference.n == done.report.quality.test_samples
    # No variant, and so no part of the verdict.
    assert {one.name for one in done.report.verdict.variants} == {
        "fp32",
        "int8-dynamic",
        "int8-static",
    }
    without = load(recipe, ["compress.variants=['int8-dynamic']"])
    assert "int8-plain" in [step.stage for step in plan(load(recipe), artifacts)]
    assert "int8-plain" not in [step.stage for step in plan(without, artifacts)]


def test_a_changed_key_runs_only_what_depends_on_it(built):
    _, recipe, artifacts = built
    read = load(recipe, ["distill.temperature=2"])
    fresh = [s.stage for s in plan(read, artifacts) if not s.cached]
    # The student without the teacher does not depend on the temperature.
    assert fresh == ["student", "variants", "verify", "benchmark"]
    gate = load(recipe, ["gate.min_accuracy=0.6", "gate.prefer='size'"])
    assert all(s.cached for s in plan(gate, artifacts))


def test_a_budget_that_measuring_may_decide_is_part_of_the_measurement_alone(built):
    _, recipe, artifacts = built

    def keys(*overrides):
        return {s.stage: s.key for s in plan(load(recipe, overrides), artifacts)}

    without, one, other = (
        keys(*told) for told in ((), ["gate.max_p90_ms=5"], ["gate.max_p90_ms=6"])
    )
    for changed, before in ((one, without), (other, one)):
        assert {stage for stage in changed if changed[stage] != before[stage]} == {"benchmark"}
    fixed = [f"gate.max_p90_ms={ms}" for ms in (5, 6)]
    assert keys(fixed[0], "benchmark.max_seconds=0") == keys(fixed[1], "benchmark.max_seconds=0")


@pytest.mark.slow
def test_a_build_measures_until_its_budgets_are_decided_and_the_gate_judges_it_again(own_build):
    _, recipe, artifacts = own_build
    done = build(recipe, artifacts=artifacts, overrides=["gate.max_peak_memory_mib=1000"])
    assert done.ran == ("benchmark",)
    benchmark = done.report.measured.benchmark
    assert benchmark.enough
    assert benchmark.processes >= 9  # tiny asks for 1, which gives no interval
    assert done.report.verdict.outcome == "ready"
    found, report = judge_again(done.run, Gate(max_peak_memory_mib=0.001))
    assert report.verdict.outcome == "not ready"
    assert report.measured.benchmark == benchmark
    assert open_report(found) == report


@pytest.mark.slow
def test_a_target_changes_the_variants_and_its_answers_are_not_this_hosts(own_build):
    from edgestill.devices.profiles.profile import load as profile

    _, recipe, artifacts = own_build
    wanted = ["compress.target=raspberry-pi-5", "compress.variants=['int8-static', 'int8-mixed']"]
    made = build(recipe, artifacts=artifacts, overrides=wanted)
    assert made.ran == ("variants", "int8-plain", "verify", "benchmark")
    report = made.report
    assert report.variants.plan.types == "s8s8"
    assert report.variants.plan.precise is profile("host").saturates
    assert [bool(v.curve) for v in report.variants.variants] == [False, False, True]
    for quality in report.quality.variants:
        other_kernels = report.variants.plan.precise and quality.name != "fp32"
        assert (quality.here is not None) is other_kernels
    page = (made.run / "report.md").read_text()
    assert "Raspberry Pi 5" in page
    assert "s8s8: ARM kernels take both signed" in page
    assert ("On this host's kernels, which saturate" in page) is report.variants.plan.precise
    assert (
        "int8\\-mixed: layers left in float" in page or "int8-mixed: layers left in float" in page
    )


def test_until_stops_after_the_stage_and_writes_no_run(tmp_path):
    recipe = tiny.write(tmp_path)
    done = command("build", recipe, "--artifacts", tmp_path / "a", "--until", "data", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["stage"] == "data"
    assert (Path(told["path"]) / "x_train.npy").is_file()
    assert not list((tmp_path / "a").rglob("manifest.json"))


def test_an_unknown_stage_is_refused(tmp_path):
    with pytest.raises(UsageError, match="benchmark"):
        pipeline.build(tiny.write(tmp_path), artifacts=tmp_path / "a", until="bench")


@pytest.mark.parametrize(
    ("budget", "code", "word"),
    [("min_accuracy=0.5", 0, "READY"), ("max_size_kib=0.5", 1, "NOT READY")],
)
def test_the_command_shows_the_verdict_and_leaves_with_its_exit_code(own_build, budget, code, word):
    _, recipe, artifacts = own_build
    done = command("build", recipe, "--artifacts", artifacts, "--set", f"gate.{budget}")
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(f"{word}:")
    assert "report.html" in done.stdout


@pytest.mark.promise("With --json stdout holds one JSON document and nothing else")
def test_json_is_one_document_and_the_only_thing_on_stdout(built):
    done = command("build", built[1], "--artifacts", built[2], "--json")
    told = json.loads(done.stdout)
    assert told["exit_code"] == done.returncode == 0
    assert told["report"]["schema_version"] == "3.0"


@pytest.mark.slow
def test_several_seeds_report_the_gain_with_an_interval_over_seeds(own_build):
    _, recipe, artifacts = own_build
    done = pipeline.build(recipe, artifacts=artifacts, overrides=["distill.seeds=3"])
    assert "student" in done.ran
    assert "teacher" not in done.ran
    gain, drops = done.report.quality.gain, done.report.quality.int8_drops
    assert gain.seeds == drops.seeds == (0, 1, 2)
    assert len(drops.distilled_drop) == len(drops.plain_drop) == drops.difference.n == 3
    assert gain.difference.n == 3
    assert gain.difference.low <= gain.difference.value <= gain.difference.high
    best = max(s.validation_score for s in done.report.students)
    assert done.report.variants.student.validation_score == best


def test_judging_again_by_other_budgets_writes_a_new_run_and_leaves_the_old_one(own_build):
    run, before = own_build[0].run, own_build[0].report
    found, report = judge_again(run, Gate(max_size_kib=0.5))
    assert found != run
    assert report.verdict.outcome == "not ready"
    assert report.measured.benchmark == before.measured.benchmark
    assert not list((found / "models").iterdir())
    assert differences(found) == []
    assert open_report(run) == before
    assert judge_again(run, Gate(max_size_kib=0.5))[0] == found
    assert judge_again(run, Gate.model_validate(before.recipe["gate"])) == (run, before)


def test_a_run_judged_again_elsewhere_is_written_beside_its_copy(built, tmp_path):
    shutil.copytree(built[0].run, tmp_path / "copy")
    found, _ = judge_again(tmp_path / "copy", Gate(max_size_kib=0.25))
    assert found.parent == tmp_path


def test_gate_refuses_to_override_what_would_need_a_new_build(built):
    done = command("gate", built[0].run, "--set", "distill.temperature=9")
    assert done.returncode == 2
    assert "distill.temperature=9" in done.stderr


def test_the_recipe_in_a_run_builds_that_run(built):
    done, _, artifacts = built
    assert pipeline.build(done.run / "recipe.toml", artifacts=artifacts).run == done.run


def test_a_plan_writes_nothing(tmp_path):
    done = command("plan", tiny.write(tmp_path), "--artifacts", tmp_path / "a")
    assert done.returncode == 0
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_sigterm_cleans_up_as_ctrl_c_does(tmp_path):
    recipe = tiny.write(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "edgestill", "build", str(recipe), "--artifacts", "a"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if ", teacher" in line:  # of "stage 2 of 9, teacher …"
            break
    process.terminate()
    assert "interrupted" in process.communicate()[1]
    assert process.returncode == 143
    assert not list((tmp_path / "a").rglob(".draft-*"))


def test_drawing_again_keeps_every_record_and_the_manifest_true(built):
    run, before = built[0].run, built[0].report
    (run / "report.html").write_text("spoiled")
    assert differences(run) == ["report.html changed"]
    assert draw_again(run) == before
    assert differences(run) == []


def test_verify_finds_a_changed_file_and_a_model_that_answers_otherwise(built, tmp_path):
    run = tmp_path / "runs" / "tiny" / "1"
    shutil.copytree(built[0].run, run)
    assert command("verify", run).returncode == 0
    target = run / "models" / "labels.txt"
    target.write_text("x")
    done = command("verify", run)
    assert done.returncode == 3
    assert "models/labels.txt changed" in done.stdout
    assert json.loads(command("verify", run, "--json").stdout)["faults"] == [
        "models/labels.txt changed"
    ]
    # Neither drawing nor judging again may give a damaged run a clean manifest.
    for again in (["report", run], ["gate", run, "--set", "gate.max_size_kib=99"]):
        done = command(*again)
        assert done.returncode == 3, again
        assert "models/labels.txt changed" in done.stderr
