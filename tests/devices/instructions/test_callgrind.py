"""Instruction counts: they repeat, and follow the work."""

import tomllib

import pytest
import report_example
import tiny
import toolchain_tools
from edgestill.devices.doctor import checks
from edgestill.devices.instructions import callgrind as counting
from edgestill.devices.instructions.callgrind import Instructions, count, per_inference
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import HostError, MeasureError
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.judge.gate import judge as judge_all
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.recipe.recipe import Recipe
from onnx import TensorProto
from onnx_files import dense
from shared_data import SHARED

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
def test_counts_of_litert_are_the_same_in_three_processes(valgrind):
    toolchain_tools.python_of("litert")
    path = SHARED / "mlperf_tiny" / "kws_ref_model.tflite"
    if not path.exists():
        pytest.skip("needs MLPerf Tiny's models")
    found = count(path, processes=3)
    assert found.repeats
    assert found.runtime.startswith("litert ")
    # 2.7 million multiply-adds, 32 of them an instruction at most.
    assert found.instructions > 2_700_000 / 32


@pytest.mark.slow
def test_a_budget_on_instructions_is_counted_and_judged(valgrind, tmp_path):
    folder = tmp_path / "artifacts"
    overrides = ["compress.variants=['fp32']", "gate.max_instructions=1"]
    built = pipeline.build(tiny.write(tmp_path), artifacts=folder, overrides=overrides)
    teacher, variant = built.report.measured.benchmark.models
    assert 1_000 < variant.instructions.value < 1_000_000
    assert teacher.instructions.value is None
    assert "only what may ship" in teacher.instructions.missing
    assert built.report.verdict.outcome == "not ready"
    assert "fails max_instructions" in built.report.verdict.why
    assert "a count, not a time" in (built.run / "report.md").read_text()


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
