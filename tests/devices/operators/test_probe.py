"""This machine as a profile: measured, written as a file, read again."""

import subprocess
import sys
import tomllib

import numpy as np
import onnx
import onnxruntime
import pytest
from edgestill.devices.onboard.machine import host
from edgestill.devices.onboard.measure.answer import Rate
from edgestill.devices.onboard.measure.job import AttainJob, from_json, to_json
from edgestill.devices.operators.probe import _array_bytes, _attained, int8_matmul, probe, to_toml
from edgestill.devices.profiles.profile import FIGURES, Figure, Profile, load
from edgestill.errors import HostError

MEASURED = ("bandwidth_gb_s", "fp32_gflop_s", "int8_gop_s")


@pytest.fixture(scope="module")
def found():
    return probe(seconds=0.1)


def test_a_probe_measures_what_the_kernel_does_not_tell(found):
    here = load("host").figures
    for key in MEASURED:
        assert key not in here
        figure = found.figures[key]
        assert 0.1 < figure.low <= figure.value <= figure.high < 10_000
        assert "measured here, 20" in found.figures[key].source
        assert "one thread" in found.figures[key].source
    assert {key: found.figures[key] for key in here} == here


def test_a_probe_reads_again_from_its_file(found, tmp_path):
    (tmp_path / "here.toml").write_text(to_toml(found), encoding="utf-8")
    again = load(str(tmp_path / "here.toml"))
    assert again.name == "here"
    assert (again.arch, again.features) == (found.arch, found.features)
    assert again.figures == found.figures


def test_texts_that_toml_would_stumble_over_come_back_as_they_were(tmp_path):
    words = 'a "b" \\ c\nd\te \x7f\x01 µ \U0001f600'
    figure = Figure(1.5, words, low=1.0)
    before = Profile("x", words, "aarch64", ("neon",), words, {"clock_ghz": figure})
    (tmp_path / "x.toml").write_text(to_toml(before), encoding="utf-8")
    assert load(str(tmp_path / "x.toml")) == before
    assert list(tomllib.loads(to_toml(before))["clock_ghz"]) == ["value", "low", "source"]


def test_a_processor_that_no_profile_can_name_is_refused(monkeypatch):
    board = Profile("host", "a board", "riscv64", (), "/proc/cpuinfo")
    monkeypatch.setattr("edgestill.devices.operators.probe.load", lambda _: board)
    with pytest.raises(HostError, match="found 'riscv64', expected x86_64 or aarch64"):
        probe()


def test_asking_for_a_probe_loads_no_runtime_here():
    code = "import sys, edgestill.devices.operators.probe; print('onnxruntime' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_the_job_travels_as_json():
    job = AttainJob("m.onnx", 1024, seconds=0.5)
    assert from_json(to_json(job)) == job


@pytest.mark.parametrize("signed", [False, True])
def test_the_int8_model_multiplies_matrices(signed, tmp_path):
    model = onnx.load_from_string(int8_matmul(8, signed=signed))
    onnx.checker.check_model(model)
    (stored,) = (onnx.numpy_helper.to_array(one) for one in model.graph.initializer)
    given = np.arange(64).reshape(8, 8).astype(np.int8 if signed else np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (product,) = session.run(None, {"given": given})
    assert np.array_equal(product, given.astype(np.int32) @ stored.astype(np.int32))


def test_what_is_copied_is_four_times_the_last_cache_within_reason():
    mib = 1024**2
    assert _array_bytes({1: 32768, 3: 32 * mib}, None) == 128 * mib
    assert _array_bytes({1: 32768, 2: mib}, None) == 64 * mib
    assert _array_bytes({}, None) == 64 * mib
    assert _array_bytes({3: 512 * mib}, 1024 * mib) == 64 * mib


def test_figures_are_in_the_profiles_units():
    rate = Rate(best=3e9, p90=2.34567e9, median=1.5e9, repeats=7)
    figure = _attained(rate, "adding", "2026-01-02")
    assert (figure.value, figure.low, figure.high) == (2.346, 1.5, 3.0)
    assert figure.source.startswith("attained by adding: measured here, 2026-01-02, one thread")


def _write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_caches_and_clock_are_read_where_the_kernel_tells_them(tmp_path):
    cpus = "sys/devices/system/cpu"
    told = {
        ("0", "1", "Data", "64K"),
        ("1", "1", "Instruction", "32K"),
        ("2", "2", "Unified", "1M"),
    }
    files = {
        f"{cpus}/cpu{n}/cpufreq/cpuinfo_max_freq": f"{khz}\n"
        for n, khz in ((0, 1800000), (4, 2400000))
    }
    for index, level, kind, size in told:
        folder = f"{cpus}/cpu0/cache/index{index}"
        files |= {f"{folder}/level": level, f"{folder}/type": kind, f"{folder}/size": size}
    root = _write(tmp_path, files)
    assert host.caches(root) == {1: 65536, 2: 1024**2}
    assert host.clock_ghz(root) == (2.4, "/sys/devices/system/cpu/cpu*/cpufreq/cpuinfo_max_freq")


def test_a_clock_of_the_moment_says_so_and_no_clock_is_none(tmp_path):
    assert host.clock_ghz(tmp_path) is None
    assert host.caches(tmp_path) == {}
    _write(tmp_path, {"proc/cpuinfo": "cpu MHz\t\t: 2000.5\ncpu MHz\t\t: 1000.0\n"})
    ghz, where = host.clock_ghz(tmp_path)
    assert ghz == pytest.approx(2.0005)
    assert "moment" in where


def test_every_measured_figure_is_one_that_a_profile_knows():
    assert set(MEASURED) <= set(FIGURES)
