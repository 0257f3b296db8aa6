"""Energy: what is read where, how idle is subtracted, and how little a declared model says."""

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from edgestill.devices import doctor
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.energy import declared, meter, metering, sensors
from edgestill.devices.energy.power import Idle, Sampler, Source, Trace, idle
from edgestill.devices.energy.query_energy import QueryEnergy
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.profiles.profile import Figure, Profile
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import DataError
from edgestill.pipeline.judge.gate import check
from edgestill.pipeline.report import energy as shown
from flat_options import flat_settings
from onnx import TensorProto, helper
from onnx_files import save

NOTHING = "error=1 error_msg='Command not registered'"
PMIC = """
 3V3_SYS_A current(1)=0.10000000A
 VDD_CORE_A current(7)=2.00000000A
 HDMI_A current(22)=0.02000000A
 3V3_SYS_V volt(9)=3.30000000V
 VDD_CORE_V volt(15)=0.75000000V
 EXT5V_V volt(24)=5.10000000V
"""


def _write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def _hwmon(root, number, files):
    return _write(root, {f"sys/class/hwmon/hwmon{number}/{k}": v for k, v in files.items()})


def _nothing():
    return NOTHING


def _model(path, width=8):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [(name, TensorProto.FLOAT, ["n", width]) for name in "xy"]
    return save(path, nodes, ends[:1], ends[1:], [("w", np.full((width, width), 0.1, np.float32))])


def test_a_trace_is_integrated_with_its_ends_interpolated():
    trace = Trace((0.0, 1.0, 2.0, 3.0, 4.0), (2.0, 4.0, 4.0, 4.0, 0.0))
    assert trace.joules(0.0, 4.0) == pytest.approx(3.0 + 4.0 + 4.0 + 2.0)
    # From 0.5 (3 W) to 3.5 (2 W).
    assert trace.joules(0.5, 3.5) == pytest.approx(1.75 + 4.0 + 4.0 + 1.5)


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [(-0.1, 2.0, "no samples of power cover"), (0.0, 3.1, "cover"), (0.5, 2.5, "up to 1 s apart")],
)
def test_a_trace_does_not_tell_what_it_does_not_know(start, end, reason):
    trace = Trace((0.0, 1.0, 2.0, 3.0), (1.0, 1.0, 1.0, 1.0))
    told = trace.joules(start, end)
    assert reason in told


def test_idle_power_has_the_spread_of_its_groups():
    times = [i / 10 for i in range(41)]
    trace = Trace(times, [3.0 if t < 2 else 5.0 for t in times])
    found = idle(trace, 0.0, 4.0)
    assert found.watts == pytest.approx(4.0, abs=0.06)
    assert (found.low, found.high, found.seconds) == (3.0, 5.0, 4.0)


def test_idle_power_that_nobody_sampled_is_a_reason():
    assert "left idle" in idle(Trace((), ()), 0.0, 1.0)


def test_microwatts_of_an_hwmon_sensor_are_watts(tmp_path):
    _hwmon(tmp_path, 0, {"name": "ina226", "power1_input": 4_500_000, "power1_label": "5V"})
    source = sensors.find(tmp_path, _nothing)
    assert source.watts() == 4.5
    assert "ina226" in source.name
    assert "5V" in source.covers


def test_a_meter_that_knows_only_averages_is_read_by_them(tmp_path):
    _hwmon(tmp_path, 0, {"name": "power_meter", "power1_average": 90_000_000})
    assert sensors.find(tmp_path, _nothing).watts() == 90.0


def test_a_jetsons_input_rail_is_taken_and_not_added_to_its_parts(tmp_path):
    _hwmon(tmp_path, 0, {"name": "ina226", "power1_input": 1_000_000})
    _hwmon(
        tmp_path,
        1,
        {
            "name": "ina3221",
            "in1_label": "VDD_IN",
            "in1_input": 5000,
            "curr1_input": 1200,
            "in2_label": "VDD_CPU_GPU_CV",
            "in2_input": 5000,
            "curr2_input": 400,
            "in7_label": "sum of shunt voltages",
            "in7_input": 3,
        },
    )
    source = sensors.find(tmp_path, _nothing)
    assert source.watts() == pytest.approx(6.0)
    assert source.covers == "the whole board"


def test_rails_without_a_total_are_added_up_and_named(tmp_path):
    _hwmon(
        tmp_path,
        0,
        {
            "name": "ina3221",
            "in1_label": "GPU",
            "in1_input": 10_000,
            "curr1_input": 100,
            "in2_label": "CPU",
            "in2_input": 10_000,
            "curr2_input": 250,
        },
    )
    source = sensors.find(tmp_path, _nothing)
    assert source.watts() == pytest.approx(3.5)
    assert source.covers == "what hangs on GPU + CPU"


@pytest.mark.parametrize("name", ["amdgpu", "nvme", "BAT0", "iwlwifi_1"])
def test_power_that_is_not_the_processors_is_passed_over(tmp_path, name):
    _hwmon(tmp_path, 0, {"name": name, "power1_input": 4_500_000})
    assert isinstance(sensors.find(tmp_path, _nothing), str)


def test_a_sensor_that_cannot_be_read_is_passed_over(tmp_path):
    _hwmon(tmp_path, 0, {"name": "ina226", "power1_input": "off"})
    assert "no readable power sensor" in sensors.find(tmp_path, _nothing)


def test_a_raspberry_pi_tells_volts_and_amperes_of_rails():
    assert sensors.rails(PMIC) == {"3V3_SYS": pytest.approx(0.33), "VDD_CORE": pytest.approx(1.5)}
    source = sensors.raspberry_pi(lambda: PMIC)
    assert source.watts() == pytest.approx(1.83)
    assert "without USB" in source.covers


def test_a_vcgencmd_that_knows_no_rails_is_no_source(tmp_path):
    assert sensors.raspberry_pi(_nothing) is None
    with pytest.raises(ValueError, match="no rail"):
        sensors.rails(NOTHING)


def test_a_sampler_follows_its_source_and_waits_for_a_moment():
    values = iter(range(1000))
    with Sampler(Source("s", "all", 0.005, lambda: float(next(values)))) as sampler:
        until = time.time() + 0.05
        trace = sampler.trace(until)
    assert trace.times[-1] >= until
    assert len(trace.times) >= 4
    assert all(a < b for a, b in pairwise(trace.times))
    assert list(trace.watts) == [float(i) for i in range(len(trace.watts))]


def test_a_sampler_that_fails_says_why_and_does_not_hang():
    def broken():
        raise OSError("gone")

    with Sampler(Source("s", "all", 0.005, broken)) as sampler:
        began = time.monotonic()
        assert sampler.trace(time.time() + 60).times == []
        assert time.monotonic() - began < 1.0
        assert sampler.broken == "s cannot be read: gone"


def _log(path, times, watts, head="time,watts\n"):
    path.write_text(head + "".join(f"{t},{w}\n" for t, w in zip(times, watts, strict=True)))
    return path


def test_a_meters_log_takes_unix_seconds_and_iso_8601(tmp_path):
    plain = _log(tmp_path / "a.csv", [1767225600, 1767225601.5], [2, 3.5])
    assert meter.read(plain) == Trace([1767225600.0, 1767225601.5], [2.0, 3.5])
    told = ["2026-01-01T01:00:00+01:00", "2026-01-01T00:00:01.5Z"]
    assert meter.read(_log(tmp_path / "b.csv", told, [2, 3.5])) == meter.read(plain)
    bare = _log(tmp_path / "c.csv", [1.0, 2.0], [2, 3], head="")
    assert meter.read(bare).watts == [2.0, 3.0]
    other = tmp_path / "d.csv"
    other.write_text("volts, Watts ,Time\n5,2.5,1.0\n\n5,2.5,2.0\n")
    assert meter.read(other) == Trace([1.0, 2.0], [2.5, 2.5])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the columns none"),
        ("when,watts,x\n1,2,3\n", "when, watts, x"),
        ("time,watts\n1,much\n", "line 2.*'much'"),
        ("time,watts\n1,nan\n", "line 2.*'nan'"),
        ("time,watts\n2,1\n2,1\n", "line 3.*rise"),
        ("time,watts\n2026-01-01T00:00:00,1\n", "without its offset"),
        ("time,watts\nyesterday,1\n", "'yesterday'"),
        ("time,watts\n1\n", "line 2.*1 columns"),
    ],
)
def test_a_log_that_is_none_is_refused_with_its_line(tmp_path, text, reason):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=reason):
        meter.read(path)


def test_a_log_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        meter.read(tmp_path / "none.csv")


def _record(start, seconds, queries=100):
    return QueryEnergy(start, seconds, queries, uj=None, missing="no RAPL")


def test_idle_is_subtracted_and_its_spread_kept():
    record = _record(0.0, 2.0)
    metering.subtract(record, 10e6, Idle(3.0, 2.5, 4.0, 2.0), "a meter")
    # 10 J over 2 s with 3 W idle: 4 J for 100 queries.
    assert record.uj == pytest.approx(40_000)
    assert record.gross_uj == pytest.approx(100_000)
    assert (record.less_uj, record.more_uj) == (20_000, 10_000)
    assert record.missing is None
    assert record.method.startswith("measured: a meter; idle of 3 W (2.5 to 4")


def test_a_log_gives_the_energy_of_what_was_timed(tmp_path):
    log = tmp_path / "log.csv"
    now = time.time()
    times = [now - 10 + i / 10 for i in range(400)]
    # 2 W until long after the idle stretch, then 7 W.
    _log(log, times, [2.0 if t < now + 3 else 7.0 for t in times])
    record = _record(now + 5, 4.0)
    with metering.watching(idle_seconds=0.3, log=log) as watch:
        watch.note(record)
    # (7 W - 2 W) times 4 s by 100 queries.
    assert record.uj == pytest.approx(200_000, rel=1e-6)


def test_a_log_that_does_not_cover_what_was_timed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(meter.read_until, "__defaults__", (0.1,))
    log = tmp_path / "log.csv"
    now = time.time()
    times = [now - 10 + i / 10 for i in range(300)]
    _log(log, times, [2.0 for _ in times])
    watching = metering.watching(idle_seconds=0.3, log=log)
    with (
        pytest.raises(DataError, match=r"no samples of power cover.*start the meter first"),
        watching as watch,
    ):
        watch.note(_record(now + 60, 4.0))


def test_a_log_too_coarse_for_what_was_timed_is_refused(tmp_path):
    log = tmp_path / "log.csv"
    now = time.time()
    times = [now - 10 + i / 10 for i in range(300)]
    _log(log, times, [2.0 for _ in times])
    watching = metering.watching(idle_seconds=0.3, log=log)
    with pytest.raises(DataError, match=r"too far for the 0\.05 s.*--seconds"), watching as watch:
        watch.note(_record(now + 1.02, 0.05))


def test_a_sensor_is_sampled_while_others_run_and_idle_is_subtracted(tmp_path):
    _hwmon(tmp_path, 0, {"name": "ina226", "power1_input": 2_000_000})
    with metering.watching(idle_seconds=0.3, root=tmp_path, ask=_nothing) as watch:
        _hwmon(tmp_path, 0, {"power1_input": 9_000_000})
        time.sleep(0.1)
        record = _record(time.time(), 0.5)
        time.sleep(0.5)
        watch.note(record)
    assert record.uj == pytest.approx(7.0 * 0.5 * 1e6 / 100, rel=1e-6)
    assert watch.warnings == ()


def test_a_sensor_too_slow_for_what_was_timed_leaves_a_reason_and_a_warning(tmp_path):
    _hwmon(tmp_path, 0, {"name": "ina226", "power1_input": 2_000_000})
    with metering.watching(idle_seconds=0.3, root=tmp_path, ask=_nothing) as watch:
        record = _record(time.time() - 0.001, 0.001)
        watch.note(record)
    assert record.uj is None
    assert "apart" in record.missing
    assert "no energy was measured" in watch.warnings[0]


def _counter(root, value):
    zone = "sys/class/powercap/intel-rapl:0"
    return _write(
        root,
        {
            f"{zone}/name": "package-0",
            f"{zone}/energy_uj": value,
            f"{zone}/max_energy_range_uj": 2**60,
        },
    )


def test_idle_is_taken_off_what_rapl_counted(tmp_path):
    _counter(tmp_path, 0)
    began, ending = time.monotonic(), threading.Event()

    def burn():  # 4 W
        while not ending.wait(0.002):
            path = tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj"
            path.with_suffix(".new").write_text(str(int(4e6 * (time.monotonic() - began))))
            path.with_suffix(".new").replace(path)

    burning = threading.Thread(target=burn)
    burning.start()
    try:
        with metering.watching(idle_seconds=1.0, root=tmp_path, ask=_nothing) as watch:
            record = _record(0.0, 2.0)
            record.uj = 150_000.0
            watch.note(record)
    finally:
        ending.set()
        burning.join()
    # 15 J counted in 2 s, about 8 of them idle.
    assert record.uj == pytest.approx(70_000, rel=0.15)
    assert record.gross_uj == pytest.approx(150_000)
    assert "RAPL" in record.method


def test_no_source_takes_no_time_and_leaves_records_alone(tmp_path):
    began = time.monotonic()
    record = _record(0.0, 1.0)
    with metering.watching(idle_seconds=30.0, root=tmp_path, ask=_nothing) as watch:
        watch.note(record)
    assert time.monotonic() - began < 5
    assert record == _record(0.0, 1.0)


def _logger(log, ending):
    """A meter of its own: 3 W, 100 times a second."""
    with log.open("a") as file:
        while not ending.wait(0.01):
            file.write(f"{datetime.now(UTC).isoformat()},3.0\n")
            file.flush()


def test_a_benchmark_beside_a_meter_says_what_it_measured_and_how(tmp_path):
    log, ending = tmp_path / "meter.csv", threading.Event()
    log.write_text("time,watts\n")
    logging = threading.Thread(target=_logger, args=(log, ending))
    logging.start()
    time.sleep(0.1)
    quick = flat_settings(processes=1, seconds=0.2, warmup_seconds=0.02, idle_seconds=0.3)
    try:
        found = measure(
            Request([Subject("m", _model(tmp_path / "m.onnx"))], quick, tmp_path / "out", meter=log)
        )
    finally:
        ending.set()
        logging.join()
    # What it drew was the idle machine's to a rounding: so nothing is claimed.
    figure = found.models[0].energy_uj
    assert "the meter's log meter.csv; idle of 3 W" in figure.method
    assert figure.value is None or abs(figure.value) < 1e-3
    assert '"energy_gross_uj"' in (tmp_path / "out" / "processes.json").read_text()


def test_a_log_that_cannot_be_read_ends_a_benchmark_before_it_began(tmp_path):
    with pytest.raises(DataError):
        measure(
            Request(
                [Subject("m", _model(tmp_path / "m.onnx"))],
                flat_settings(processes=1),
                tmp_path / "out",
                meter=tmp_path / "none.csv",
            )
        )
    assert (tmp_path / "out" / "processes.json").read_text() == "[]"


def _profile(**figures):
    return Profile("board", "A board", "aarch64", (), "none", figures)


def test_a_profiles_own_prices_are_taken_with_their_ranges():
    prices = declared.prices_of(
        _profile(
            fp32_mac_pj=Figure(2.0, "s", 1.0, 4.0),
            int8_mac_pj=Figure(0.5, "s"),
            byte_pj=Figure(100.0, "s", 50.0, 200.0),
        )
    )
    found = declared.declared({"float32": 1000, "int8": 2000}, 10, 4, prices)
    assert found.value == pytest.approx((2000 + 1000 + 1000 + 2 * 2.5 * 4) / 1e6)
    assert found.low == pytest.approx((1000 + 1000 + 2.5 * 10 + 2 * 2.5 * 4) / 1e6)
    assert found.high == pytest.approx((4000 + 1000 + 2000 + 2 * 200 * 4) / 1e6)
    assert "the profile board" in found.method
    assert "float32 2, int8 0.5" in found.method


def test_a_profile_without_prices_takes_the_published_ones():
    assert declared.prices_of(_profile(fp32_mac_pj=Figure(2.0, "s"))) is declared.HOROWITZ


def test_a_ratio_spans_cheap_and_dear_operations_alike():
    prices = declared.prices_of(
        _profile(
            fp32_mac_pj=Figure(2.0, "s", 1.0, 40.0),
            int8_mac_pj=Figure(2.0, "s", 1.0, 40.0),
            byte_pj=Figure(100.0, "s"),
        )
    )
    found = declared.declared_ratio(({"int8": 100}, 10, 0), ({"float32": 100}, 40, 0), prices)
    assert found.value == pytest.approx((200 + 1000) / (200 + 4000))
    assert found.low == pytest.approx((100 + 1000) / (100 + 4000))
    # Dear operations and bytes from cache: 4025 to 4100.
    assert found.high == pytest.approx((4000 + 25) / (4000 + 100))


def test_a_budget_on_energy_names_the_method_of_its_figure():
    figure = Estimate(5.0, 4.0, 6.0, "declared model after X", 0, None, "uJ", "declared")
    assert "declared model after X" in check("max_energy_uj", 10.0, figure).why
    assert "after X" not in check("max_p90_ms", 10.0, figure).why


@pytest.mark.parametrize("budget", [10.0, 5.0, 1.0])
def test_declared_energy_decides_no_budget_and_the_next_step_is_named(budget):
    figure = Estimate(5.0, 4.0, 6.0, "declared model after X", 0, None, "uJ", "declared")
    judged = check("max_energy_uj", budget, figure)
    assert judged.outcome == "undecided"
    assert "not measured" in judged.why
    assert "edgestill doctor" in judged.why
    measured = Estimate(5.0, 4.0, 6.0, "measured: RAPL", 9, None, "uJ", "measured")
    assert check("max_energy_uj", 10.0, measured).outcome == "ready"
    assert check("max_energy_uj", 1.0, measured).outcome == "not ready"


def test_the_doctor_names_the_sensor_that_can_be_read(tmp_path):
    _hwmon(tmp_path, 0, {"name": "ina226", "power1_input": 4_500_000})
    found = {one.name: one for one in doctor.checks(root=tmp_path)}["energy"]
    assert found.state == "ok"
    assert "ina226" in found.found
    bare = {one.name: one for one in doctor.checks(root=tmp_path / "none")}["energy"]
    assert bare.state == "missing"
    assert "--meter" in bare.fix


def test_a_declared_energy_is_shown_as_a_ratio_and_a_measured_one_in_joules(tmp_path):
    quick = flat_settings(processes=1, seconds=0.01, max_queries=64, warmup_seconds=0.02)
    subjects = [Subject(n, _model(tmp_path / f"{n}.onnx", w)) for n, w in (("a", 8), ("b", 16))]
    found = measure(Request(subjects, quick, tmp_path / "out"))
    name, ((first, _), (second, unit)) = shown.line(found.models, found.ratios)
    assert name == "energy proxy, of a"
    assert first.value == 1.0
    assert second == found.ratios[0].energy
    assert unit.steps == ((1.0, ""),)
    assert any("not joules of this device" in each for each in shown.methods(found.models, []))
    alone, ((figure, unit),) = shown.line(found.models[:1], ())
    assert (alone, figure) == ("energy proxy", found.models[0].energy_uj)


def test_bench_takes_a_meters_log_and_refuses_one_that_is_not_there(tmp_path):
    path, out = _model(tmp_path / "m.onnx"), tmp_path / "out"
    arguments = ["bench", str(path), "--meter", str(tmp_path / "none.csv"), "--out", str(out)]
    command = [sys.executable, "-m", "edgestill", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "none.csv" in done.stderr
    assert not list((out / "samples").iterdir())
