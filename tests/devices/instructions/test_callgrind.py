"""Instruction counts: that they repeat and follow the work, and what a baseline says of them."""

import hashlib
import json
import tomllib

import edgestill
import pytest
import report_example
import tiny
from edgestill.devices.doctor import checks
from edgestill.devices.instructions import callgrind as counting
from edgestill.devices.instructions.callgrind import Instructions, count, per_inference
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import HostError, MeasureError, UsageError
from edgestill.pipeline.commands import instruction_baseline as baseline
from edgestill.pipeline.commands.bench_instructions import Counted, document, exit_code
from edgestill.pipeline.commands.cli import cli
from edgestill.pipeline.commands.instruction_baseline import Baseline, Entry, judge
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.judge.gate import judge as judge_all
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.recipe.recipe import Recipe
from onnx import TensorProto
from onnx_files import dense

FLOAT = TensorProto.FLOAT


@pytest.fixture
def valgrind():
    if (refusal := counting.missing()) is not None:
        pytest.skip(str(refusal))


@pytest.mark.slow
def test_a_count_repeats_and_follows_the_work(valgrind, tmp_path):
    one = count(dense(tmp_path / "8.onnx", 8), feed=Feed(batch=16))
    two = count(dense(tmp_path / "16.onnx", 16), feed=Feed(batch=16), processes=1)
    assert one.repeats
    # 16 rows by 128 x 128 weights are 262,144 multiply-adds a layer, 8 of them an instruction.
    assert one.instructions > 8 * 262_144 / 8
    assert two.instructions / one.instructions == pytest.approx(2, rel=0.05)
    assert (one.counter, one.core, one.batch) == ("callgrind", "x86_64", 16)
    assert "avx512" not in one.kernels
    assert one.runtime.startswith("onnxruntime ")
    assert "not a time" in one.estimate.method


@pytest.mark.slow
def test_a_budget_on_instructions_is_counted_and_judged(valgrind, tmp_path):
    folder = tmp_path / "artifacts"
    overrides = ["compress.variants=['fp32']", "gate.max_instructions=1"]
    built = edgestill.build(tiny.write(tmp_path), artifacts=folder, overrides=overrides)
    teacher, variant = built.report.measured.benchmark.models
    assert 1_000 < variant.instructions.value < 1_000_000
    assert teacher.instructions.value is None
    assert "only what may ship" in teacher.instructions.missing
    assert built.report.verdict.outcome == "not ready"
    assert "fails max_instructions" in built.report.verdict.why
    assert "a count, not a time" in (built.run / "report.md").read_text()


@pytest.mark.slow
def test_bench_ends_with_one_where_a_count_is_above_the_baseline(valgrind, tmp_path, capsys):
    model, kept = dense(tmp_path / "m.onnx", 1), tmp_path / "counts.json"
    command = ["bench", str(model), "--instructions", "--baseline", str(kept)]

    def run(*more):
        invocation = Invocation(json="--json" in more)
        cli.main([*command, *more], standalone_mode=False, obj=invocation)
        return invocation.code, capsys.readouterr().out

    assert run("--update-baseline")[0] == 0
    entry = baseline.read(kept).entry("m.onnx", "x86_64")
    assert entry.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    less = entry.model_copy(update={"instructions": entry.instructions * 9 // 10})
    baseline.write(kept, Baseline(counts=(less,)))
    code, said = run("--json")
    assert (code, json.loads(said)["exit_code"]) == (1, 1)
    assert json.loads(said)["models"][0]["baseline"]["outcome"] == "not ready"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--baseline", "b.json"], "--baseline, expected it with --instructions"),
        (["--max-seconds", "9"], "--max-seconds without --precision"),
        (["--scenario", "sustained", "--precision", "3"], "--precision with --scenario sustained"),
        (["--device", "raspberry-pi-4"], "which is only a profile"),
        (["--instructions", "--seconds", "1"], "--seconds with --instructions"),
        (["--instructions", "--spinning"], "--spinning with --instructions"),
        (["--instructions", "--update-baseline"], "--update-baseline without --baseline"),
        (["--instructions", "--baseline", "none.json"], "none.json: no such file"),
        (["--instructions", "--device", "x86-vnni"], "x86_64 with avx_vnni kernels"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dense(tmp_path / "m.onnx", 1)
    with pytest.raises(UsageError, match=message):
        cli.main(["bench", "m.onnx", *words], standalone_mode=False, obj=Invocation())


def test_a_run_without_counts_is_undecided_on_a_budget_of_them():
    report = report_example.report()
    measured = report.measured
    verdict = judge_all(Gate(max_instructions=1), report.quality, measured)
    assert verdict.outcome == "undecided"
    assert "benchmark.instructions = true" in verdict.variants[0].checks[0].why
    assert Recipe.model_validate(recipe_with(max_instructions=1)).effective_benchmark.instructions
    assert not Recipe.model_validate(recipe_with(max_p50_ms=1.0)).effective_benchmark.instructions


def recipe_with(**gate):
    told = tomllib.loads(tiny.RECIPE)
    return {**told, "gate": gate}


def test_without_valgrind_the_refusal_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match=r"no valgrind; .*apt-get install valgrind"):
        count(dense(tmp_path / "m.onnx", 1))
    (found,) = (one for one in checks() if one.name == "instruction counts")
    assert (found.state, found.found) == ("missing", "no valgrind")


def test_the_count_of_one_inference_is_the_middle_difference_of_pairs():
    # 100 instructions an inference, 40 for the marks; one pair met something rare.
    regions = (140, 240, 140, 240, 140, 9_240)
    assert per_inference(regions, 3, "m") == 100
    with pytest.raises(MeasureError, match="5 counts, expected 6"):
        per_inference(regions[:5], 3, "m")
    with pytest.raises(MeasureError, match="above 0"):
        per_inference((9, 9), 1, "m")


def instructions(*counts):
    return Instructions(counts, 1, "callgrind", "x86_64", "avx2", "onnxruntime 1.0")


def test_processes_repeat_only_within_a_ten_thousandth_and_one_alone_shows_nothing():
    assert instructions(1_000_000, 1_000_100).repeats
    assert not instructions(1_000_000, 1_000_101).repeats
    assert not instructions(1_000_000).repeats
    figure = instructions(1_000_000, 1_000_200).estimate
    assert (figure.low, figure.value, figure.high) == (1_000_000, 1_000_100, 1_000_200)


ENTRY = Entry(
    name="m.onnx",
    sha256="0" * 64,
    core="x86_64",
    kernels="avx2",
    runtime="onnxruntime 1.0",
    batch=1,
    shapes={},
    instructions=1_000_000,
)


def changed(**facts):
    return ENTRY.model_copy(update=facts)


@pytest.mark.parametrize(
    ("now", "outcome", "code"),
    [
        (900_000, "ready", 0),
        (1_000_000, "ready", 0),
        (1_010_000, "ready", 0),
        (1_010_001, "not ready", 1),
        (2_000_000, "not ready", 1),
    ],
)
def test_more_than_one_per_cent_above_the_baseline_is_a_regression(now, outcome, code):
    judged = judge(changed(instructions=now), ENTRY)
    assert judged.outcome == outcome
    assert f"{now:,} instructions" in judged.why
    assert exit_code([Counted(ENTRY, instructions(now), judged)]) == code


@pytest.mark.parametrize(
    "other",
    [{"runtime": "onnxruntime 2.0"}, {"kernels": "avx512"}, {"batch": 2}, {"shapes": {"x": [1]}}],
)
def test_what_cannot_be_compared_is_undecided_and_says_why(other):
    judged = judge(changed(**other, instructions=9_000_000), ENTRY)
    assert (judged.outcome, judged.ratio) == ("undecided", None)
    (what,) = other
    assert f"counted with {what} " in judged.why
    assert exit_code([Counted(ENTRY, instructions(1), judged)]) == 5


def test_another_file_of_the_same_name_is_compared_and_an_unknown_one_is_not():
    assert judge(changed(sha256="1" * 64), ENTRY).outcome == "ready"
    kept = Baseline(counts=(ENTRY,))
    assert kept.entry("m.onnx", "cortex-a72") is None
    assert "not in the baseline" in judge(ENTRY, None).why


def test_a_regression_weighs_more_than_what_is_undecided():
    counted = [
        Counted(ENTRY, instructions(1), judge(one, kept))
        for one, kept in [(ENTRY, None), (changed(instructions=2_000_000), ENTRY), (ENTRY, ENTRY)]
    ]
    assert exit_code(counted) == 1
    assert exit_code([counted[0], counted[2]]) == 5
    assert exit_code([]) == 0
    told = document(counted)
    assert "not a time" in told["figure"]
    assert told["models"][1]["baseline"]["ratio"] == 2.0


def test_a_baseline_keeps_what_was_not_counted_again(tmp_path):
    path = tmp_path / "new" / "counts.json"
    other = changed(core="cortex-a72")
    baseline.write(path, Baseline(counts=(ENTRY, other)))
    kept = baseline.read(path)
    newer = changed(instructions=5)
    baseline.write(path, kept.updated([newer]))
    again = baseline.read(path)
    assert again.entry("m.onnx", "x86_64") == newer
    assert again.entry("m.onnx", "cortex-a72") == other
    assert len(again.counts) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"counts": [{"name": "m"}]}'])
def test_a_file_that_is_no_baseline_is_refused(text, tmp_path):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="expected a file that --update-baseline wrote"):
        baseline.read(path)
    with pytest.raises(UsageError, match="no such file"):
        baseline.read(tmp_path / "none.json")
    assert baseline.read(tmp_path / "none.json", may_be_new=True).counts == ()
