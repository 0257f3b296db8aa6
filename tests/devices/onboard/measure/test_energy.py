"""The RAPL counters, read from files in the form of the kernel's."""

from edgestill.devices.onboard.measure import energy


def _write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def _rapl(root, zones):
    files = {}
    for name, (label, value, limit) in zones.items():
        files |= {
            f"{name}/name": label,
            f"{name}/energy_uj": str(value),
            f"{name}/max_energy_range_uj": str(limit),
        }
    return _write(root, files)


def test_energy_counters_wrap_around_and_parts_of_a_package_count_once(tmp_path):
    zones = {
        "intel-rapl:0": ("package-0", 900, 1000),
        "intel-rapl:0:0": ("core", 5, 1000),
        "intel-rapl:0:1": ("dram", 10, 1000),
    }
    before = energy.read_counters(_rapl(tmp_path, zones))
    assert [one.name for one in before] == ["intel-rapl:0 package-0", "intel-rapl:0:1 dram"]
    zones |= {"intel-rapl:0": ("package-0", 100, 1000), "intel-rapl:0:1": ("dram", 60, 1000)}
    after = energy.read_counters(_rapl(tmp_path, zones))
    assert energy.spent_uj(before, after) == (250, None)


def test_an_energy_counter_that_stands_still_measured_nothing(tmp_path):
    counters = energy.read_counters(_rapl(tmp_path, {"intel-rapl:0": ("package-0", 1, 10)}))
    assert energy.spent_uj(counters, counters) == (None, "the RAPL counters did not move")


def test_absent_energy_counters_are_a_reason_not_a_zero(tmp_path):
    reason = energy.read_counters(tmp_path)
    assert reason.startswith("no RAPL counter")
    assert energy.spent_uj(reason, reason) == (None, reason)
