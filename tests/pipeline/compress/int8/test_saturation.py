"""Saturation: what the static check finds is what the runtime does on an AVX2 CPU.

Where this CPU has VNNI, the runtime runs inside valgrind, whose CPU has AVX2 and no more.
"""

import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from edgestill.devices.onboard.machine.child import environment
from edgestill.devices.profiles.profile import load
from edgestill.pipeline.compress.int8.saturation import fitting_scales, pairs, saturable
from onnx import TensorProto, helper, numpy_helper
from onnx_files import model

SATURATES = load("host").saturates
ANSWER = """
import sys
from pathlib import Path
import numpy as np
from edgestill.devices.onboard.runtimes.onnxruntime import open_session
from edgestill.devices.onboard.settings import Session

for path in map(Path, sys.argv[1:]):
    found = []
    for precise in (False, True):
        session = open_session(path, Session(precise=precise))
        (given,) = session.get_inputs()
        found.append(session.run(None, {"x": np.full(given.shape, 255, np.float32)})[0])
    np.savez(path.with_suffix(".npz"), fused=found[0], exact=found[1])
"""
"""All activations at their largest: the worst that the check reckons with."""


def convolution(weights, *, group=1, size=4):
    """A quantized convolution of ones that are 255 in uint8, scales of 1."""
    channels = weights.shape[1] * group
    stored = [
        ("w", weights.astype(np.int8)),
        ("one", np.float32(1)),
        ("zero", np.uint8(0)),
        ("wzero", np.int8(0)),
        ("wide", np.float32(4096)),
    ]
    pad = weights.shape[2] // 2
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "one", "zero"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "one", "zero"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "one", "wzero"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["c"], name="conv", group=group, pads=[pad] * 4),
        helper.make_node("QuantizeLinear", ["c", "wide", "zero"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "wide", "zero"], ["y"]),
    ]
    shape = [1, channels, size, size]
    return model(
        nodes,
        [("x", TensorProto.FLOAT, shape)],
        [("y", TensorProto.FLOAT, [1, len(weights), size, size])],
        stored,
    )


def weights(shape, *places, value=127):
    """Zeros but for two places of each output."""
    made = np.zeros(shape)
    for place in places:
        made[(slice(None), *place)] = value
    return made


CASES = {
    "two neighbouring channels": (weights((8, 8, 1, 1), (0, 0, 0), (1, 0, 0)), 1, 8),
    "two channels of two pairs": (weights((8, 8, 1, 1), (1, 0, 0), (2, 0, 0)), 1, 0),
    "one channel at two places": (weights((8, 8, 3, 3), (0, 1, 1), (0, 1, 2)), 1, 0),
    "a pair across two places": (weights((8, 3, 3, 3), (2, 1, 1), (0, 1, 2)), 1, 8),
    "in groups": (weights((8, 4, 1, 1), (0, 0, 0), (1, 0, 0)), 2, 8),
    "one channel a group": (np.full((8, 1, 3, 3), 127), 8, 0),
    "seven bits": (weights((8, 8, 1, 1), (0, 0, 0), (1, 0, 0), value=64), 1, 0),
    "negative": (weights((8, 8, 1, 1), (0, 0, 0), (1, 0, 0), value=-127), 1, 8),
}


@pytest.mark.parametrize("case", CASES)
def test_pairs_are_found_where_the_kernel_takes_them(case):
    given, group, expected = CASES[case]
    found = saturable(convolution(given, group=group))
    assert sum(one.pairs for one in found) == expected
    assert [one.layer for one in found] == ["conv"] * bool(expected)


FULL = np.clip(np.random.default_rng(0).normal(0, 60, (16, 16, 3, 3)), -127, 127).round()
BITS = {"8 bits": (FULL, True), "7 bits": ((FULL / 2).round(), False)}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """By name, what each model answers as it is fused, and in the saturation-free mode."""
    folder, watched = tmp_path_factory.mktemp("saturation"), []
    if not SATURATES:
        if shutil.which("valgrind") is None:
            assert not os.environ.get("CI"), "no valgrind"
            pytest.skip("this CPU has VNNI and does not saturate, and there is no valgrind")
        watched = ["valgrind", "--tool=none", "-q"]
    models = {name: convolution(given, group=group) for name, (given, group, _) in CASES.items()}
    models |= {name: convolution(given) for name, (given, _) in BITS.items()}
    paths = {name: folder / f"{number}.onnx" for number, name in enumerate(models)}
    for name, made in models.items():
        paths[name].write_bytes(made.SerializeToString())
    line = [*watched, sys.executable, "-P", "-c", ANSWER, *map(str, paths.values())]
    subprocess.run(line, check=True, timeout=600, env=environment(1))
    found = {name: np.load(path.with_suffix(".npz")) for name, path in paths.items()}
    return {name: (one["fused"], one["exact"]) for name, one in found.items()}


@pytest.mark.parametrize("case", [case for case in CASES if case != "negative"])
def test_the_runtime_saturates_where_a_pair_is_found_and_nowhere_else(case, answers):
    fused, exact = answers[case]
    _, _, expected = CASES[case]
    assert (fused != exact).any() == bool(expected)


@pytest.mark.parametrize("bits", BITS)
def test_one_file_differs_between_the_modes_with_8_bits_and_agrees_with_7(bits, answers):
    given, differs = BITS[bits]
    assert bool(saturable(convolution(given))) is differs
    fused, exact = answers[bits]
    assert np.array_equal(fused, exact) is not differs


def test_the_bound_is_that_of_a_16_bit_sum():
    for pair, expected in (([64, 64], 0), ([64, 65], 1), ([127, 1], 0), ([127, 2], 1)):
        assert pairs(np.array([pair])) == expected, pair
        assert pairs(-np.array([pair])) == expected, pair
    assert pairs(np.array([[127, -127]])) == 0, "products of opposite sign take each other back"
    assert pairs(np.array([[0, 127, 127]])) == 0, "an odd one out has no neighbour"


@pytest.mark.parametrize(
    ("operator", "turned"), [("Gemm", False), ("Gemm", True), ("MatMul", False)]
)
def test_fully_connected_layers_pair_their_inputs(operator, turned):
    matrix = np.zeros((4, 6), np.int8)
    matrix[:2] = 127
    turn = {"transB": 1} if turned else {}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "one", "zero"], ["wd"]),
        helper.make_node(operator, ["x", "wd"], ["y"], name="fc", **turn),
    ]
    stored = [("w", matrix.T if turned else matrix), ("one", np.float32(1)), ("zero", np.int8(0))]
    made = model(
        nodes, [("x", TensorProto.FLOAT, [1, 4])], [("y", TensorProto.FLOAT, [1, 6])],
        [(name, np.ascontiguousarray(array)) for name, array in stored],
    )  # fmt: skip
    onnx.checker.check_model(made)
    (found,) = saturable(made)
    assert (found.layer, found.pairs, found.of) == ("fc", 6, 12)


LAYERS = {
    "Conv": ((16, 6, 3, 3), {"pads": [1] * 4}, 0),
    "Gemm": ((24, 16), {}, 1),
    "Gemm turned": ((16, 24), {"transB": 1}, 0),
    "MatMul": ((24, 16), {}, 1),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_fitting_scales_let_no_pair_saturate_and_cost_less_than_a_bit(kind):
    shape, attributes, axis = LAYERS[kind]
    weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    node = helper.make_node(kind.split()[0], ["x", "w"], ["y"], name="layer", **attributes)
    graph = model([node], [("x", TensorProto.FLOAT, None)], [("y", TensorProto.FLOAT, None)])
    graph.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    found, scale = fitting_scales(graph)["w"]
    assert found == axis
    along = [1] * len(shape)
    along[axis] = -1
    stored = np.round(weights / scale.reshape(along)).astype(np.int8)
    rest = tuple(a for a in range(len(shape)) if a != axis)
    rows = np.moveaxis(stored, 1, -1) if kind == "Conv" else np.moveaxis(stored, axis, 0)
    assert pairs(rows.reshape(16, -1)) == 0
    seven = np.abs(weights).max(rest) / 63
    assert (scale < seven).all(), "more levels than seven bits have"
    assert (scale >= np.abs(weights).max(rest) / 127.5).all(), "no weight is cut off"


def test_a_layer_that_pairs_nothing_gets_no_scale_of_its_own():
    depthwise = helper.make_node("Conv", ["x", "w"], ["y"], group=8)
    graph = model([depthwise], [("x", TensorProto.FLOAT, None)], [("y", TensorProto.FLOAT, None)])
    graph.graph.initializer.append(numpy_helper.from_array(np.ones((8, 1, 3, 3), np.float32), "w"))
    assert fitting_scales(graph) == {}
