"""What a machine tells of its clock, heat, power and limits, and what of it becomes a warning."""

from dataclasses import replace

import numpy as np
import pytest
from edgestill.devices import doctor
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.onboard.machine.conditions import Conditions, clock_mhz, now, warnings
from edgestill.devices.onboard.machine.disturbance import outliers
from edgestill.devices.onboard.measure.job import MeasureJob
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.scenarios.single_stream import measure
from flat_options import flat_job, flat_settings
from onnx import TensorProto, helper
from onnx_files import save

CPU = "sys/devices/system/cpu"
SUPPLY = "sys/class/power_supply"
HEAT = "sys/class/thermal"


def _write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def _cores(root, khz, governor="schedutil"):
    for core in range(256):  # whichever core this test runs on
        frequency = f"{CPU}/cpu{core}/cpufreq"
        _write(
            root, {f"{frequency}/scaling_cur_freq": khz, f"{frequency}/scaling_governor": governor}
        )
    return root


def _model(path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [(name, TensorProto.FLOAT, ["n", 8]) for name in "xy"]
    return save(path, nodes, ends[:1], ends[1:], [("w", np.full((8, 8), 0.1, np.float32))])


def test_a_machine_that_tells_nothing_is_unknown_not_quiet_zeros(tmp_path):
    assert now(tmp_path) == Conditions()
    assert warnings([(now(tmp_path), now(tmp_path))]) == ()


def test_a_clock_that_stands_still_is_no_warning_and_one_that_falls_is(tmp_path):
    before = now(_cores(tmp_path, 2_400_000))
    assert (before.clock_mhz, before.governor) == (2400.0, "schedutil")
    assert clock_mhz(tmp_path) == 2400.0
    assert warnings([(before, replace(before, clock_mhz=2350.0))]) == ()
    after = now(_cores(tmp_path, 1_800_000))
    assert warnings([(before, after)]) == ("the core's clock read 1800 to 2400 MHz",)
    # Also from one process to the next.
    assert warnings([(before, before), (after, after)]) == warnings([(before, after)])


def test_cores_under_different_governors_are_told():
    fast, slow = Conditions(governor="performance"), Conditions(governor="powersave")
    assert warnings([(fast, fast), (slow, slow)]) == (
        "cores had different frequency governors (performance, powersave)",
    )


def test_heat_is_told_from_the_hottest_zone_and_its_own_passive_limit(tmp_path):
    _write(
        tmp_path,
        {
            f"{HEAT}/thermal_zone0/temp": 48_000,
            f"{HEAT}/thermal_zone1/temp": 79_500,
            f"{HEAT}/thermal_zone1/trip_point_0_type": "passive",
            f"{HEAT}/thermal_zone1/trip_point_0_temp": 80_000,
            f"{HEAT}/thermal_zone1/trip_point_1_type": "critical",
            f"{HEAT}/thermal_zone1/trip_point_1_temp": 70_000,
            f"{HEAT}/thermal_zone2/temp": "",
        },
    )
    cool = now(tmp_path)
    assert (cool.temperature_c, cool.over_limit) == (79.5, False)
    assert warnings([(cool, cool)]) == ()
    hot = now(_write(tmp_path, {f"{HEAT}/thermal_zone1/temp": 81_000}))
    assert warnings([(cool, hot)]) == ("the machine was at its temperature limit (81 °C)",)


def test_a_clock_held_down_for_heat_is_told_and_a_fan_is_not(tmp_path):
    _write(
        tmp_path,
        {
            f"{HEAT}/cooling_device0/type": "pwm-fan",
            f"{HEAT}/cooling_device0/cur_state": 3,
            f"{HEAT}/cooling_device1/type": "cpufreq-cpu0",
            f"{HEAT}/cooling_device1/cur_state": 0,
        },
    )
    quiet = now(tmp_path)
    assert quiet.cooling == 0
    held = now(_write(tmp_path, {f"{HEAT}/cooling_device1/cur_state": 2}))
    assert warnings([(quiet, held)]) == ("the kernel held the processor's clock down for heat",)


def test_throttle_events_count_only_where_they_rose(tmp_path):
    counter = f"{CPU}/cpu0/thermal_throttle/core_throttle_count"
    before = now(_write(tmp_path, {counter: 7}))
    assert before.throttle_events == 7
    assert warnings([(before, before)]) == ()
    after = now(_write(tmp_path, {counter: 9}))
    (said,) = warnings([(before, after)])
    assert "throttled for heat 2 times" in said


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("throttled=0x0", "throttled=0x0", None),
        # Since the start, but not while this ran.
        ("throttled=0x50000", "throttled=0x50000", None),
        ("throttled=0x0", "throttled=0x50000", "under-voltage, throttling"),
        ("throttled=0x50005", "throttled=0x50000", "under-voltage, throttling"),
        ("", "", None),
    ],
)
def test_a_boards_firmware_is_believed_about_now_not_about_yesterday(
    tmp_path, before, after, names
):
    pair = now(tmp_path, lambda: before), now(tmp_path, lambda: after)
    expected = () if names is None else (f"the board's firmware reported {names}",)
    assert warnings([pair]) == expected


def test_firmware_flags_in_sys_start_no_program(tmp_path):
    def never():
        raise AssertionError

    _write(tmp_path, {"sys/devices/platform/soc/soc:firmware/get_throttled": "50000"})
    assert now(tmp_path, never).firmware_flags == 0x50000


@pytest.mark.parametrize(
    ("status", "online", "capacity", "said"),
    [
        ("Discharging", 0, 80, "on its battery"),
        ("Discharging", 0, 20, "a battery with 20 % left"),
        ("Discharging", 1, 80, None),
        ("Charging", 1, 5, None),
    ],
)
def test_a_battery_counts_only_where_it_drains(tmp_path, status, online, capacity, said):
    _write(
        tmp_path,
        {
            f"{SUPPLY}/AC/type": "Mains",
            f"{SUPPLY}/AC/online": online,
            f"{SUPPLY}/BAT0/type": "Battery",
            f"{SUPPLY}/BAT0/status": status,
            f"{SUPPLY}/BAT0/capacity": capacity,
            f"{SUPPLY}/mouse/type": "Battery",
            f"{SUPPLY}/mouse/scope": "Device",
            f"{SUPPLY}/mouse/status": "Discharging",
            f"{SUPPLY}/mouse/capacity": 1,
        },
    )
    found = now(tmp_path)
    assert found.battery_percent == capacity
    told = warnings([(found, found)])
    assert told == () if said is None else said in told[0]
    check = {one.name: one for one in doctor.checks(root=tmp_path)}["power supply"]
    assert check.state == ("limited" if said else "ok")


@pytest.mark.parametrize(
    ("group", "folder", "time", "factor"),
    [
        ("0::/a", "sys/fs/cgroup/a", "throttled_usec", 1e6),
        ("3:cpu,cpuacct:/a", "sys/fs/cgroup/cpu/a", "throttled_time", 1e9),
    ],
)
def test_a_quota_that_stopped_the_process_is_told(tmp_path, group, folder, time, factor):
    def at(periods, seconds):
        stat = f"nr_periods 90\nnr_throttled {periods}\n{time} {int(seconds * factor)}"
        return now(_write(tmp_path, {"proc/self/cgroup": group, f"{folder}/cpu.stat": stat}))

    before, after = at(3, 0.5), at(8, 0.75)
    assert (before.quota_periods, before.quota_s) == (3, 0.5)
    assert warnings([(before, before)]) == ()
    (said,) = warnings([(before, after)])
    assert "in 5 periods" in said
    assert "0.25 s" in said


def test_steal_time_is_read_in_seconds(tmp_path):
    _write(tmp_path, {"proc/stat": "cpu  1 2 3 4 5 6 7 250 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0"})
    assert now(tmp_path).steal_s == 2.5


def test_outliers_are_those_far_above_the_third_quartile():
    calm = np.arange(1000, 1100, dtype=np.int64)
    assert outliers(calm) == 0
    # Quartiles near 1025 and 1075: the fence stands near 1225.
    assert outliers(np.append(calm, [1200, 1300, 9000])) == 2
    assert outliers(np.append(calm, [1])) == 0


def test_the_measured_process_records_its_conditions_at_both_ends(tmp_path):
    job = flat_job(
        MeasureJob,
        model=str(_model(tmp_path / "m.onnx")),
        samples=str(tmp_path / "s.npy"),
        seconds=0.01,
        warmup_seconds=0.02,
    )
    answer = run(job, timeout_s=60)
    before, after = answer.conditions
    if before.steal_s is None:
        pytest.skip("no /proc/stat")
    assert after.steal_s >= before.steal_s
    assert answer.timed_from > 1.7e9
    assert 0.01 <= answer.timed_seconds < 60


def test_a_benchmark_counts_outliers_of_all_its_processes(tmp_path):
    quick = flat_settings(processes=2, seconds=0.01, max_queries=64, warmup_seconds=0.02)
    found = measure(Request([Subject("m", _model(tmp_path / "m.onnx"))], quick, tmp_path / "out"))
    counted = sum(outliers(np.load(file)) for file in (tmp_path / "out/samples").glob("*.npy"))
    assert found.models[0].outliers == counted
    told = any("were outliers" in each for each in found.warnings)
    assert told == (counted > 0.05 * found.models[0].queries)
