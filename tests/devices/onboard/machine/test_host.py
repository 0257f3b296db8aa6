"""The machine as it is told by /proc and /sys, real and on paper."""

import subprocess
import sys
from dataclasses import replace

import pytest
from edgestill.devices import doctor
from edgestill.devices.energy import declared
from edgestill.devices.onboard.machine.disturbance import snapshot, warnings
from edgestill.devices.onboard.machine.host import describe, has_vnni, kernel_class


def _write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_this_host_can_be_described():
    host = describe()
    assert host.available_cores >= 1
    assert host.memory_bytes > 0
    assert kernel_class(host.features)


def test_a_raspberry_pi_is_recognised(tmp_path):
    root = _write(
        tmp_path,
        {
            "proc/cpuinfo": "processor\t: 0\n"
            "Features\t: fp asimd evtstrm aes asimdhp cpuid asimddp\n"
            "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\nprocessor\t: 1\n",
            "proc/meminfo": "MemTotal:  8000 kB\n",
            "proc/device-tree/model": "Raspberry Pi 5 Model B\0",
            "sys/devices/system/cpu/cpu0/topology/core_id": "0\n",
            "sys/devices/system/cpu/cpu0/topology/physical_package_id": "0\n",
            "sys/devices/system/cpu/cpu1/topology/core_id": "1\n",
            "sys/devices/system/cpu/cpu1/topology/physical_package_id": "0\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
            "etc/os-release": 'NAME=x\nPRETTY_NAME="Debian 12"\n',
        },
    )
    host = describe(root)
    assert host.cpu == "Raspberry Pi 5 Model B"
    assert host.features == ("asimddp", "asimdhp", "neon")
    assert kernel_class(host.features) == "neon_dotprod"
    assert not has_vnni(host.features)
    assert (host.physical_cores, host.memory_bytes) == (2, 8_192_000)
    assert (host.governor, host.os, host.virtualised) == ("ondemand", "Debian 12", None)


def test_an_empty_file_system_leaves_unknowns_not_zeros(tmp_path):
    host = describe(tmp_path)
    assert host.memory_bytes is None
    assert host.physical_cores is None
    assert host.governor is None
    assert host.cpu_quota is None
    assert kernel_class(host.features) == "generic"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "50000 100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/x\n0::/\n",
                "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
            },
            2.0,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
    ],
)
def test_the_tightest_cpu_quota_is_found(tmp_path, files, cores):
    assert describe(_write(tmp_path, files)).cpu_quota == cores


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (("avx2", "avx512_vnni", "avx_vnni"), "avx512_vnni"),
        (("avx2", "avx_vnni"), "avx_vnni"),
        (("avx2", "avx512bw", "avx512dq", "avx512f", "avx512vl"), "avx512"),
        (("avx2", "avx512f"), "avx2"),
        (("i8mm", "asimddp", "neon"), "neon_dotprod"),
        (("neon",), "neon"),
        ((), "generic"),
    ],
)
def test_the_kernel_class_follows_the_features(features, expected):
    assert kernel_class(features) == expected


def test_describing_a_host_loads_neither_numpy_nor_a_runtime():
    code = (
        "import sys; from edgestill.devices.onboard.machine.host import describe; "
        "describe(); print(*sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numpy", "onnxruntime", "onnx", "torch", "edgestill.pipeline"} & set(said)


def test_a_quiet_machine_gives_no_warning():
    before = snapshot()
    quiet = replace(before, time_s=before.time_s + 10, total_s=before.total_s + 20)
    assert warnings(before, quiet) == ()


def test_each_disturbance_is_told_in_a_sentence():
    before = snapshot()
    after = replace(
        before,
        time_s=before.time_s + 10,
        total_s=before.total_s + 20,
        busy_s=before.busy_s + 12,
        steal_s=before.steal_s + 1,
        own_s=before.own_s + 8,
        involuntary_switches=before.involuntary_switches + 900,
    )
    steal, others, switches = warnings(before, after)
    assert "withheld 5 %" in steal
    assert "other processes used 20 %" in others
    assert "90 times a second" in switches


def test_disturbance_without_proc_is_unknown_not_quiet_zeros(tmp_path):
    found = snapshot(tmp_path)
    assert found.total_s is None
    assert found.steal_s is None
    assert warnings(found, found) == ()


def test_the_declared_energy_is_its_formula_and_says_what_it_is_not():
    found = declared.declared({"float32": 1_000_000, "int8": 2_000_000}, 4000, 1000)
    # 4.6 pJ and 0.3 pJ a MAC, 160 pJ a weight byte, twice 2.5 pJ an activation byte.
    assert found.value == pytest.approx((4.6e6 + 0.6e6 + 160 * 4000 + 5 * 1000) / 1e6)
    assert found.low < found.value < found.high
    assert found.method.startswith("declared model")
    assert "not joules of this device" in found.method


def test_the_declared_energy_of_nothing_known_is_unknown():
    assert declared.declared({}, 0, 0).value is None
    assert "float64" in declared.declared({"float64": 5}, 8, 8).missing


def test_a_model_over_itself_has_a_declared_ratio_of_exactly_one():
    cost = ({"int8": 5000}, 300, 700)
    found = declared.declared_ratio(cost, cost)
    assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)


def test_the_doctor_says_what_peaks_are_worth_where_addresses_cannot_be_fixed(monkeypatch):
    for words, state in ((("setarch", "-R"), "ok"), ((), "limited")):
        monkeypatch.setattr(doctor, "fixed_addresses", lambda words=words: words)
        found = next(one for one in doctor.checks() if one.name == "memory")
        assert found.state == state
    assert "64 KiB" in found.means
    assert "setarch" in found.fix


def test_the_doctor_names_a_remedy_for_whatever_is_missing(tmp_path):
    found = doctor.checks(tmp_path / "not" / "yet")
    names = {one.name for one in found}
    assert {"cores", "int8", "memory", "energy", "runtime", "telemetry", "artifacts"} <= names
    assert len(names) == len(found)
    for one in found:
        assert one.found
        assert one.means
        assert one.fix if one.state == "missing" else True


@pytest.mark.promise("ONNX Runtime starts no telemetry thread")
def test_the_runtime_starts_no_thread_of_its_own():
    states = {one.name: one.state for one in doctor.checks()}
    assert states["runtime"] == "ok"
    assert states["telemetry"] == "ok"


def test_the_doctor_can_look_at_a_bare_machine(tmp_path):
    states = {one.name: one.state for one in doctor.checks(root=tmp_path)}
    assert states["memory"] == "missing"
    assert states["energy"] == "missing"
    assert states["perf counters"] == "missing"
