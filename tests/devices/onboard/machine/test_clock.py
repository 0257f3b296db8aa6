"""The clocks of the allowed cores."""

from edgestill.devices.onboard.machine import clock as frequency
from edgestill.devices.onboard.machine.clock import Clock


def test_clocks_are_read_from_the_allowed_cores(tmp_path):
    assert frequency.read([0, 1], tmp_path) == Clock(None, None)
    for cpu, khz, events in ((0, 800_000, 1), (1, 2_400_000, 4), (2, 5_000_000, 9)):
        for name, value in (
            ("cpufreq/scaling_cur_freq", khz),
            ("thermal_throttle/core_throttle_count", events),
        ):
            file = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/{name}"
            file.parent.mkdir(parents=True)
            file.write_text(f"{value}\n")
    assert frequency.read([0, 1], tmp_path) == Clock(2400.0, 5)
