"""Models on emulated ARM cores: what they answer there, how many instructions they take."""

import os
import subprocess

import numpy as np
import onnx
import pytest
import tiny
from edgestill.devices.instructions import emulator
from edgestill.devices.instructions.emulated_answers import Answers, answers, compare, parity
from edgestill.devices.instructions.emulated_core import core_of, count
from edgestill.devices.instructions.setup_emulator import setup_emulator
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.profiles.profile import BUNDLED, Profile, load
from edgestill.errors import HostError, MeasureError, UsageError
from edgestill.pipeline import build as pipeline
from onnx import TensorProto, helper
from onnx_files import dense, save
from shared_data import SHARED

FLOAT = TensorProto.FLOAT


@pytest.fixture
def emulated():
    try:
        emulator.find()
    except HostError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def perceptron(path):
    """Quantized weights and inputs around a MatMul, as int8 files have them."""
    random = np.random.default_rng(0)
    stored = [
        ("w", random.integers(-127, 128, (64, 10)).astype(np.int8)),
        ("scale", np.array(0.02, np.float32)),
        ("ws", np.array(0.01, np.float32)),
        ("zero", np.array(0, np.int8)),
        ("out", np.array(0.2, np.float32)),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "zero"], ["wd"]),
        helper.make_node("MatMul", ["d", "wd"], ["m"]),
        helper.make_node("QuantizeLinear", ["m", "out", "zero"], ["mq"]),
        helper.make_node("DequantizeLinear", ["mq", "out", "zero"], ["y"]),
    ]
    return save(path, nodes, [("x", FLOAT, ["n", 64])], [("y", FLOAT, ["n", 10])], stored)


@pytest.fixture
def inputs(tmp_path):
    path = tmp_path / "inputs.npz"
    np.savez(path, x=np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32))
    return path


@pytest.mark.slow
def test_litert_takes_the_instructions_of_the_core_for_int8(emulated):
    path = SHARED / "mlperf_tiny" / "kws_ref_model.tflite"
    if not path.exists():
        pytest.skip("needs MLPerf Tiny's models")
    without, with_dot = (
        count(path, load(f"raspberry-pi-{number}"), processes=1) for number in (4, 5)
    )
    assert with_dot.runtime == "litert 1.4.0"
    # 2.7 million multiply-adds: at most 4 an instruction, and 16 with dot products of int8.
    assert without.instructions > 2_700_000 / 4
    assert 2_700_000 / 16 < with_dot.instructions < without.instructions / 2


@pytest.mark.slow
def test_a_count_on_an_arm_core_repeats_and_follows_the_work(emulated, tmp_path):
    one = count(dense(tmp_path / "8.onnx", 8), load("raspberry-pi-4"), feed=Feed(batch=16))
    two = count(
        dense(tmp_path / "16.onnx", 16), load("raspberry-pi-4"), feed=Feed(batch=16), processes=1
    )
    assert one.repeats
    # 16 rows by 128 x 128 weights are 262,144 multiply-adds a layer, 4 of them an instruction.
    assert one.instructions > 8 * 262_144 / 4
    assert two.instructions / one.instructions == pytest.approx(2, rel=0.05)
    assert (one.counter, one.core, one.kernels) == ("qemu", "cortex-a72", "neon")


@pytest.mark.slow
def test_int8_runs_fused_on_an_arm_core_with_the_hosts_answers_and_gains_by_dot_products(
    emulated, tmp_path, inputs
):
    model, old, new = perceptron(tmp_path / "q.onnx"), load("cortex-a53"), load("raspberry-pi-5")
    answers(model, inputs, new, optimized=tmp_path)
    kinds = [one.op_type for one in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert "QLinearMatMul" in kinds
    found = parity(model, inputs, new)
    assert (found.core, found.samples, found.changed) == ("cortex-a76", 64, 0)
    # One output step at the most: the runtimes may round a half otherwise.
    assert found.max_abs_difference <= 0.2 + 1e-6
    assert count(model, new, feed=Feed(batch=16), processes=1).instructions < (
        count(model, old, feed=Feed(batch=16), processes=1).instructions
    )


@pytest.mark.slow
def test_a_build_for_a_device_of_ones_own_counts_on_its_core_and_predicts_it(emulated, tmp_path):
    board = (BUNDLED / "raspberry-pi-4.toml").read_text()
    (tmp_path / "board.toml").write_text(board.replace("Raspberry Pi 4", "Our board"))
    overrides = [f"compress.target='{tmp_path}/board.toml'", "compress.variants=['fp32']"]
    overrides += ["gate.max_instructions=1e9", "gate.max_p50_ms=1e3"]
    built = pipeline.build(
        tiny.write(tmp_path), artifacts=tmp_path / "artifacts", overrides=overrides
    )
    (_, variant) = built.report.measured.benchmark.models
    assert "counted by qemu on cortex-a72 (neon kernels)" in variant.instructions.method
    by_key = {one.key: one.outcome for one in built.report.verdict.variants[0].checks}
    assert by_key["max_instructions"] == "ready"
    assert by_key["max_p50_ms"] == "undecided", "a prediction decides nothing"
    told = {one.name: one for one in built.report.measured.predicted}
    assert told["fp32"].target == "board"
    assert told["fp32"].p50_ms.value > 0


def test_instructions_that_cannot_be_counted_for_a_device_are_refused_before_any_work(tmp_path):
    overrides = ["gate.max_instructions=1e9", "compress.target='pixel-big'"]
    with pytest.raises(UsageError, match="pixel-big, aarch64, without a core that qemu knows"):
        pipeline.build(tiny.write(tmp_path), artifacts=tmp_path, overrides=overrides)
    assert not list(tmp_path.glob("store/*"))


def test_parity_names_the_largest_difference_and_the_answers_that_changed():
    ours = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]], np.float32)
    theirs = ours + np.array([[0.5, 0.0], [0.0, 2.5], [0.0, 0.0]], np.float32)
    found = compare(Answers((theirs,), "b"), Answers((ours,), "a"), "cortex-a53", "m")
    assert (found.max_abs_difference, found.changed, found.samples) == (2.5, 1, 3)
    assert (found.host_runtime, found.core_runtime) == ("a", "b")
    (row,) = ours.T[:1]
    assert compare(Answers((row,), "b"), Answers((row,), "a"), "c", "m").changed is None


def test_answers_that_cannot_be_compared_are_refused():
    ours = np.zeros((2, 3), np.float32)
    for theirs, words in [(np.zeros((2, 4)), "shapes"), (np.full((2, 3), np.nan), "not finite")]:
        with pytest.raises(MeasureError, match=words):
            compare(Answers((theirs,), "b"), Answers((ours,), "a"), "cortex-a53", "m")


@pytest.mark.parametrize("name", ["host", "x86-avx2", "snapdragon-8"])
def test_a_device_whose_core_qemu_does_not_know_is_refused(name):
    profile = load(name)
    if profile.arch == "aarch64" and name == "host":
        pytest.skip("an ARM host")
    with pytest.raises(UsageError, match=r"qemu_cpu = "):
        core_of(profile)


def test_every_core_that_a_profile_names_is_one_that_qemu_knows(emulated):
    parts = emulator.find()
    command = list(parts.worker("help"))
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    for name in ("cortex-a53", "raspberry-pi-4", "raspberry-pi-5"):
        assert core_of(load(name)) in said.split()


def test_without_an_emulator_the_refusal_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(HostError, match="run edgestill devices setup-emulator"):
        count(dense(tmp_path / "m.onnx", 1), load("raspberry-pi-4"))


def test_on_another_system_nothing_is_downloaded(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID=ubuntu\nVERSION_ID="24.04"\n')
    with pytest.raises(HostError, match=r"found ubuntu 24\.04, expected Debian 12"):
        setup_emulator(print, tmp_path / "e", root=tmp_path)
    assert not (tmp_path / "e").exists()


def test_a_step_that_fails_says_its_last_word_and_leaves_no_part(tmp_path, monkeypatch, debian):
    """The fake tools say what the real ones say without a network."""
    tool(tmp_path, "dpkg", "echo amd64")
    tool(tmp_path, "apt-get", "echo Get:1; echo 'E: Could not resolve the server' >&2; exit 100")
    with pytest.raises(HostError, match=r"apt-get -q: E: Could not resolve .*check the network"):
        setup_emulator(print, tmp_path / "e", root=debian)
    assert not emulator.parts(tmp_path / "e").qemu.exists()


def test_what_is_there_stays_and_only_the_rest_is_made(tmp_path, debian, capfd):
    made = emulator.parts(tmp_path / "e")
    for part in (made.qemu, made.root, made.site):
        part.mkdir(parents=True)
    for name in ("apt-get", "dpkg-deb"):
        tool(tmp_path, name, "exit 9")
    tool(tmp_path, "dpkg", "echo amd64")
    tool(tmp_path, "cc", 'while [ "$1" != -o ]; do shift; done; echo compiled > "$2"')
    said = []
    setup_emulator(said.append, tmp_path / "e", root=debian)
    assert made.plugin.read_text() == "compiled\n"
    assert [one.split()[0] for one in said] == ["qemu", "an", "an", "creating"]


@pytest.fixture
def debian(tmp_path, monkeypatch):
    """A Debian 12 whose tools are those that a test writes."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    for name in ("apt-get", "dpkg", "dpkg-deb", "cc"):
        tool(tmp_path, name, "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path


def tool(folder, name, script):
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_profile_may_name_its_core_and_nothing_but_a_text(tmp_path):
    text = 'title = "t"\narch = "aarch64"\nfeatures = ["neon"]\nsource = "s"\n'
    path = tmp_path / "mine.toml"
    path.write_text(text + 'qemu_cpu = "cortex-a57"\n')
    assert core_of(load(str(path))) == "cortex-a57"
    path.write_text(text + "qemu_cpu = 57\n")
    with pytest.raises(UsageError, match="optional: qemu_cpu"):
        load(str(path))
    with pytest.raises(UsageError, match="qemu knows"):
        core_of(Profile("n", "t", "aarch64", ("neon",), "s"))
