"""Predictions for a device that is only a profile: closed forms, the band, what they may not say.

Simulated machines stand in for real ones: what their operators truly take is known there.
"""

import json
import subprocess
import sys
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
import report_example
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.operators.prediction import (
    CALL_AT_MOST_US,
    CONFIDENCE,
    SPREAD,
    THREADS_EFFICIENCY,
    Timed,
    call_us,
    efficiencies,
    predict,
)
from edgestill.devices.operators.roofline import Bounds, Machine, Work, roof_us
from edgestill.devices.profiles.profile import load
from edgestill.errors import UsageError
from edgestill.pipeline.commands.bench_operators import summary
from edgestill.pipeline.finished.inspected import inspected, subjects_of
from edgestill.pipeline.finished.profiled import Machines, look
from edgestill.pipeline.finished.scenario import Chosen
from edgestill.pipeline.judge import gate
from edgestill.pipeline.judge.predictions import predictions
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import OperatorsRecord, OperatorTime, Predicted
from edgestill.pipeline.report import html, markdown
from onnx import TensorProto, helper
from onnx_files import save
from rich.console import Console

HOST = Machine("host", 50e9, 100e9, 10e9, cores=8, clock_hz=3e9)


def exactly(machine):
    return Bounds(machine, machine, machine)


def scaled(machine, factor):
    return replace(
        machine,
        fp32_op_s=machine.fp32_op_s * factor,
        int8_op_s=machine.int8_op_s * factor,
        byte_s=machine.byte_s * factor,
        clock_hz=machine.clock_hz * factor,
    )


WORKS = (
    ("Conv", Work("float32", 5e6, 1e5)),
    ("Conv", Work("float32", 9e6, 2e5)),
    ("Add", Work("float32", 1e4, 1.2e5)),
    ("Conv", Work("int8", 7e6, 4e4)),
    ("Resize", Work("float32", None, 1e4)),  # not counted
)


def model(efficiency=lambda kind: 0.5, call=1.0):
    """The operators of `WORKS` as `HOST` takes them: the roof over an efficiency, and a call."""
    timed = []
    for family, work in WORKS:
        roof = roof_us(work, HOST) or 30.0
        timed.append(Timed(family, roof / efficiency((family, work.type)) + call, 1.0, work))
    return timed


# --- closed forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 4])
def test_the_host_is_predicted_to_take_what_it_took(threads):
    found = predict(model(), exactly(HOST), exactly(HOST), threads=threads)
    assert found.ratio == pytest.approx(1.0)
    assert sum(found.operators_us) == pytest.approx(sum(one.us for one in model()))


def test_half_of_every_figure_takes_twice_as_long():
    found = predict(model(), exactly(HOST), exactly(scaled(HOST, 0.5)))
    assert found.ratio == pytest.approx(2.0)
    by_peak = replace(HOST, clock_hz=None)
    assert predict(model(), exactly(by_peak), exactly(scaled(HOST, 0.5))).ratio == pytest.approx(2)


def test_each_bound_scales_with_its_own_figure():
    slow_memory = replace(HOST, byte_s=HOST.byte_s / 4)
    us = predict(model(call=0.0), exactly(HOST), exactly(slow_memory)).operators_us
    before = [one.us for one in model(call=0.0)]
    # A call is taken for 5 µs of each, whatever it is.
    calls = CALL_AT_MOST_US
    assert us[0] == pytest.approx(before[0], rel=0.01)  # bound by arithmetic, still
    assert us[2] - calls == pytest.approx(4 * (before[2] - calls))  # bound by memory
    assert us[4] - calls == pytest.approx(4 * (before[4] - calls))  # by what, nobody knows
    slow_int8 = replace(HOST, int8_op_s=HOST.int8_op_s / 10)
    us = predict(model(call=0.0), exactly(HOST), exactly(slow_int8)).operators_us
    assert us[3] - calls == pytest.approx(10 * (before[3] - calls))
    assert us[:3] == pytest.approx(before[:3], rel=0.02)


def test_what_a_call_costs_goes_with_the_clock_and_never_with_the_roof():
    timed = [Timed("Relu", 2.0, 1.0, Work("float32", 0.0, 0.0)) for _ in range(20)]
    slower = replace(HOST, clock_hz=HOST.clock_hz / 3)
    assert call_us(timed) == 2.0
    assert predict(timed, exactly(HOST), exactly(slower)).ratio == pytest.approx(3.0)
    one = [Timed("Conv", 1e5, 1.0, Work("float32", 1e9, 1e3))]
    assert call_us(one) == CALL_AT_MOST_US  # one long operator is not all overhead


def test_kinds_keep_their_own_efficiency():
    attained = {("Conv", "float32"): 0.8, ("Add", "float32"): 0.1, ("Conv", "int8"): 0.4}
    timed = model(lambda kind: attained.get(kind, 0.5), call=0.0)
    found = efficiencies(timed, HOST)
    assert all(found[kind] == pytest.approx(value, rel=0.2) for kind, value in attained.items())
    known = {("Conv", "float32"): found["Conv", "float32"] / 2}
    before = predict(timed, exactly(HOST), exactly(HOST)).operators_us
    more = predict(timed, exactly(HOST), exactly(HOST), efficiency_of=known).operators_us
    assert more[0] - CALL_AT_MOST_US == pytest.approx(2 * (before[0] - CALL_AT_MOST_US))
    assert more[2:] == before[2:]


def test_threads_bring_the_cores_there_are_times_what_is_stated():
    work = [Timed("Conv", 1e5, 1.0, Work("float32", 1e9, 1e3))]
    quad = replace(HOST, cores=4)
    single = replace(HOST, cores=1)
    found = predict(work, exactly(single), exactly(quad), threads=8)
    assert found.ratio == pytest.approx(1 / (4 * THREADS_EFFICIENCY), rel=1e-3)


def test_operators_that_took_no_time_predict_nothing():
    with pytest.raises(ValueError, match="no time"):
        predict([Timed("Conv", 0.0, 1.0, WORKS[0][1])], exactly(HOST), exactly(HOST))


# --- the band -------------------------------------------------------------------------------------


def test_a_wider_range_of_figures_makes_a_wider_band_to_the_side_it_lies_on():
    target = scaled(HOST, 0.5)
    plain = predict(model(), exactly(HOST), exactly(target))
    slow = predict(model(), exactly(HOST), Bounds(target, scaled(target, 0.3), target))
    assert slow.ratio == plain.ratio
    assert slow.low == pytest.approx(plain.low)
    assert slow.high > plain.high * 1.2
    assert plain.low < plain.ratio < plain.high


def test_operators_far_from_their_kind_make_a_wider_band_and_few_never_a_narrow_one():
    even = [Timed("Conv", 100.0, 1.0, Work("float32", 1e6, 1e3)) for _ in range(20)]
    uneven = [replace(one, us=one.us * (9 if i % 2 else 1)) for i, one in enumerate(even)]
    close, far = (predict(one, exactly(HOST), exactly(HOST)) for one in (even, uneven))
    assert close.spread == SPREAD
    assert far.spread > 2 * SPREAD
    assert far.high / far.low > close.high / close.low
    assert close.high / close.low > np.exp(2 * 1.6 * np.sqrt(2) * SPREAD)


def test_the_band_contains_the_truth_of_simulated_machines_at_the_stated_rate():
    """Efficiency is one draw a machine for all operators, as the method's docstring has it."""
    random = np.random.default_rng(0)
    target, inside, widths = scaled(HOST, 0.3), 0, []
    trials = 400
    for _ in range(trials):
        here, there = np.exp(random.normal(np.log(0.5), SPREAD, 2))
        timed, truth = [], 0.0
        for _ in range(12):
            family = ("Conv", "MatMul", "Add")[random.integers(3)]
            work = Work("float32", random.uniform(1e5, 9e6), random.uniform(1e4, 4e5))
            timed.append(Timed(family, roof_us(work, HOST) / here, 1.0, work))
            truth += roof_us(work, target) / there
        found = predict(timed, exactly(HOST), exactly(target))
        measured = sum(one.us for one in timed)
        inside += found.low * measured <= truth <= found.high * measured
        widths.append(found.high / found.low)
    assert CONFIDENCE - 0.04 <= inside / trials <= CONFIDENCE + 0.06
    assert np.median(widths) < 8


def test_a_band_that_ignored_the_spread_would_be_found_out():
    """The same simulation with twice the spread that is assumed: the stated rate is missed."""
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        here, there = np.exp(random.normal(np.log(0.5), 2 * SPREAD, 2))
        work = [Work("float32", 5e6, 1e4)] * 12
        timed = [Timed("Conv", roof_us(one, HOST) / here, 1.0, one) for one in work]
        truth = sum(roof_us(one, HOST) / there for one in work) / sum(one.us for one in timed)
        found = predict(timed, exactly(HOST), exactly(HOST))
        inside += found.low <= truth <= found.high
    assert inside / 200 < CONFIDENCE - 0.1


# --- what a prediction may not say ----------------------------------------------------------------


def foretold(name, low, high):
    figure = Estimate(
        (low + high) / 2, low, high, "PREDICTED, not measured: made up", 0, None, "ms", "predicted"
    )
    return Predicted(
        name=name, target="raspberry-pi-4", device="Pi", threads=1, p50_ms=figure, call_us=1.0,
        spread=0.35, unroofed=0,
    )  # fmt: skip


def judged(low, high, **budgets):
    report = report_example.report()
    predicted = tuple(foretold(one.name, low, high) for one in report.variants.variants)
    measured = report.measured.model_copy(
        update={"predicted": predicted, "target": "raspberry-pi-4", "on_target": False}
    )
    return gate.judge(Gate(**budgets), report.quality, measured)


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.2), (0.9, 1.1), (5.0, 9.0)])
@pytest.mark.parametrize("key", ["max_p50_ms", "max_p90_ms", "max_p99_ms"])
def test_a_latency_that_is_only_predicted_decides_nothing_wherever_it_lies(key, low, high):
    verdict = judged(low, high, **{key: 1.0})
    assert (verdict.outcome, verdict.ship) == ("undecided", None)
    check = verdict.variants[0].checks[0]
    assert ("PREDICTED" in check.why) is (key == "max_p50_ms")
    assert "nothing was measured on raspberry-pi-4" in check.why
    assert (check.figure.value is not None) is (key == "max_p50_ms")


def test_other_budgets_are_decided_as_ever_and_so_is_latency_where_it_was_measured():
    assert judged(0.1, 0.2, min_accuracy=0.01).outcome == "ready"
    assert judged(0.1, 0.2, max_size_kib=0.001, max_p50_ms=1.0).outcome == "not ready"
    report = report_example.report()
    assert gate.judge(Gate(max_p50_ms=1.0), report.quality, report.measured).outcome == "ready"


def operators(name):
    lines = [
        OperatorTime(
            name=f"n{i}", op=one.family, family=one.family, fused=(), calls=1.0, us=one.us,
            share=0.2, type=one.work.type, macs=None, operations=one.work.operations,
            parameters=0, bytes=int(one.work.bytes), roof_us=None,
        )
        for i, one in enumerate(model())
    ]  # fmt: skip
    return OperatorsRecord(
        name=name, runtime="r", threads=1, runs=9, query_us=1.0, p50_us=1.0, profiled_us=1.0,
        operators=tuple(lines), unplaced_macs=0, roof=None, roof_missing="x",
    )  # fmt: skip


def board(folder, figures=("fp32_gflop_s", "int8_gop_s", "bandwidth_gb_s")):
    path = folder / "board.toml"
    tables = "".join(f'[{one}]\nvalue = 5\nsource = "s"\n' for one in figures)
    head = 'title = "Board"\narch = "aarch64"\nfeatures = ["neon"]\nsource = "s"\n'
    path.write_text(head + tables)
    return path


def judged_elsewhere(found):
    measured = report_example.report().measured.model_copy(
        update={"predicted": (found,), "target": "board", "on_target": False}
    )
    return gate.check_elsewhere("max_p50_ms", 1e9, found.name, measured)


def predicted_on(path, *records):
    timed = records or [operators("fp32")]
    return predictions(["fp32"], timed, {"fp32": 2.0}, exactly(HOST), load(str(path)), threads=1)


def test_a_file_whose_operators_were_not_timed_is_undecided_elsewhere_all_the_same(tmp_path):
    (found,) = predicted_on(board(tmp_path), operators("another"))
    assert (found.name, found.p50_ms.value) == ("fp32", None)
    assert judged_elsewhere(found).outcome == "undecided"


def test_every_line_about_a_prediction_says_so_on_every_page(tmp_path):
    found = predicted_on(board(tmp_path).rename(tmp_path / "our-device.toml"))
    assert found[0].p50_ms.value > 2.0
    report = report_example.with_measured(
        report_example.report(), predicted=found, on_target=False, target="our-device"
    )
    for page in (html.page(report, tmp_path), markdown.page(report)):
        about = [line for line in page.splitlines() if "our-device" in line]
        # The line that names the target and the machine has no figure.
        about = [line for line in about if "Target our-device; measured on host" not in line]
        assert len(about) >= 2
        assert all("PREDICTED" in line for line in about)


def test_a_target_without_figures_is_unknown_with_the_reason_and_still_decides_nothing(tmp_path):
    path = board(tmp_path, figures=())
    (found,) = predicted_on(path)
    assert found.p50_ms.value is None
    assert "no fp32_gflop_s" in found.p50_ms.missing
    assert judged_elsewhere(found).outcome == "undecided"


def asked(path, **given):
    models = inspected(subjects_of([path]), Feed(), None)
    machines = Machines(**{"host_profile": None, "predicting": True, **given})
    return look(models, machines, Silent(), Chosen("single-stream", {}), threads=1)


def test_a_model_is_predicted_for_a_profile_and_refused_for_what_has_no_roof(tmp_path):
    w = np.ones((64, 64), np.float32)
    ends = [("x", TensorProto.FLOAT, ["n", 64])], [("y", TensorProto.FLOAT, ["n", 64])]
    path = save(
        tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], *ends, [("w", w)]
    )
    here = tmp_path / "here.toml"
    here.write_text(board(tmp_path).read_text().replace("= 5", "= 50").replace("Board", "Desk"))
    found = asked(path, device=str(board(tmp_path)), host_profile=here)
    told = json.loads(json.dumps(found.to_dict()))["predicted"][0]
    assert told["status"] == "PREDICTED"
    assert told["p50_ms"]["value"] == pytest.approx(10 * found.models[0].p50_us / 1e3)
    console = Console(width=400, record=True, file=StringIO())
    console.print(summary(found))
    lines = [line for line in console.export_text().splitlines() if "board" in line.lower()]
    assert len(lines) >= 3
    assert all("PREDICTED" in line for line in lines)
    bare = board(tmp_path, figures=("cores",))
    with pytest.raises(UsageError, match="no fp32_gflop_s and no bandwidth_gb_s"):
        asked(path, device=str(bare), host_profile=here)
    for device in (None, "host"):
        with pytest.raises(UsageError, match="--predict without a device"):
            asked(path, device=device)


@pytest.mark.slow
def test_the_command_line_takes_a_device_to_predict_for_and_refuses_one_alone(tmp_path):
    missing, path = tmp_path / "none.onnx", tmp_path / "m.onnx"
    relu = helper.make_node("Relu", ["x"], ["y"])
    save(path, [relu], [("x", TensorProto.FLOAT, [1, 4])], [("y", TensorProto.FLOAT, [1, 4])], [])
    for model_path, words, said in (
        (path, ["--device", "raspberry-pi-4"], "which is only a profile"),
        (path, ["--predict"], "--predict without a device"),
        (missing, ["--predict", "--device", "raspberry-pi-5"], "none.onnx"),
    ):
        line = [sys.executable, "-m", "edgestill", "bench", str(model_path), *words]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode != 0
        assert said in done.stderr
