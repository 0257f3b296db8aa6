"""Walks over a graph: twice the graph takes twice the steps, and no graph is too deep.

The graphs are chains of diamonds, which have 2^n ways through n blocks, and chains of Q and DQ. A
walk that remembers nothing never ends here; one by recursion fails at 5,000 operators.
"""

from pathlib import Path

import numpy as np
import pytest
from edgestill.devices.onboard.model.cost import by_node, count_model
from edgestill.devices.onboard.model.liveness import of_models
from edgestill.devices.onboard.model.outline import of_model
from edgestill.devices.operators.layer_matching import match
from edgestill.devices.operators.layers import join
from edgestill.devices.operators.places import by_place
from edgestill.devices.operators.profiling import Operator, Profile
from edgestill.pipeline.diagnose.diagnosis import conclude
from edgestill.pipeline.diagnose.float_edit import FloatEdit
from edgestill.pipeline.diagnose.layer_choice import choose
from edgestill.pipeline.diagnose.layer_costs import Edge, LayerCosts
from edgestill.pipeline.judge.operators import record
from onnx import TensorProto, helper
from onnx_files import model
from steps import steps

FLOAT = TensorProto.FLOAT
DEEP = 5000
WEIGHT = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)


def silu(blocks, *, fused=False, named=False):
    """A product, then `x * sigmoid(x)` again and again: two operators a block, or one fused."""
    nodes, tensor = [helper.make_node("MatMul", ["x", "w"], ["m"])], "m"
    for block in range(blocks):
        out = f"m{block}"
        if fused:
            nodes.append(
                helper.make_node(
                    "QuickGelu", [tensor], [out], name=f"fused{block}", domain="com.microsoft"
                )
            )
        else:
            names = [f"sigmoid{block}", f"mul{block}"] if named else ["", ""]
            nodes += [
                helper.make_node("Sigmoid", [tensor], [f"s{block}"], name=names[0]),
                helper.make_node("Mul", [tensor, f"s{block}"], [out], name=names[1]),
            ]
        tensor = out
    nodes.append(helper.make_node("MatMul", [tensor, "w"], ["y"]))
    ends = [("x", FLOAT, ["n", 4])], [("y", FLOAT, ["n", 4])]
    return model(nodes, *ends, [("w", WEIGHT)], domain="com.microsoft" if fused else "")


def quantized(blocks):
    """Q, DQ and Relu again and again before a product, as a quantizer writes them."""
    nodes, tensor = [], "x"
    for block in range(blocks):
        nodes += [
            helper.make_node("QuantizeLinear", [tensor, "s", "z"], [f"q{block}"]),
            helper.make_node("DequantizeLinear", [f"q{block}", "s", "z"], [f"d{block}"]),
            helper.make_node("Relu", [f"d{block}"], [f"r{block}"], name=f"relu{block}"),
        ]
        tensor = f"r{block}"
    nodes += [
        helper.make_node("QuantizeLinear", [tensor, "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["wq", "s", "z"], ["wd"]),
        helper.make_node("MatMul", ["d", "wd"], ["y"], name="product"),
    ]
    stored = [("s", np.float32(0.02)), ("z", np.int8(0))]
    stored.append(("wq", np.clip(np.round(WEIGHT / 0.02), -127, 127).astype(np.int8)))
    return model(nodes, [("x", FLOAT, ["n", 4])], [("y", FLOAT, ["n", 4])], stored)


def relus(blocks):
    """The fp32 file of `quantized`."""
    nodes, tensor = [], "x"
    for block in range(blocks):
        nodes.append(helper.make_node("Relu", [tensor], [f"r{block}"], name=f"relu{block}"))
        tensor = f"r{block}"
    nodes.append(helper.make_node("MatMul", [tensor, "w"], ["y"], name="product"))
    ends = [("x", FLOAT, ["n", 4])], [("y", FLOAT, ["n", 4])]
    return model(nodes, *ends, [("w", WEIGHT)])


def unjoined(blocks):
    """Q and DQ alone: no layer is anywhere near them."""
    nodes, tensor = [], "x"
    for block in range(blocks):
        nodes += [
            helper.make_node("QuantizeLinear", [tensor, "s", "z"], [f"q{block}"]),
            helper.make_node("DequantizeLinear", [f"q{block}", "s", "z"], [f"d{block}"]),
        ]
        tensor = f"d{block}"
    stored = [("s", np.float32(0.02)), ("z", np.int8(0))]
    return model(nodes, [("x", FLOAT, ["n", 4])], [(tensor, FLOAT, ["n", 4])], stored)


def residual(blocks):
    """Each block is read by the next one and by the last operator: all stay alive."""
    nodes = [
        helper.make_node("Relu", [f"r{block - 1}" if block else "x"], [f"r{block}"])
        for block in range(blocks)
    ]
    nodes.append(helper.make_node("Sum", [f"r{block}" for block in range(blocks)], ["y"]))
    return model(nodes, [("x", FLOAT, ["n", 4])], [("y", FLOAT, ["n", 4])])


def shared(blocks):
    """One weight that every layer multiplies by, without a name of any layer."""
    nodes = [
        helper.make_node("MatMul", [f"m{block - 1}" if block else "x", "w"], [f"m{block}"])
        for block in range(blocks)
    ]
    ends = [("x", FLOAT, ["n", 4])], [(f"m{blocks - 1}", FLOAT, ["n", 4])]
    return model(nodes, *ends, [("w", WEIGHT)])


def casts(blocks):
    """A long chain before one weight, which every second operator reads."""
    nodes = []
    for block in range(blocks):
        before = f"w{block - 1}" if block else "w"
        nodes += [
            helper.make_node("Identity", [before], [f"w{block}"]),
            helper.make_node("MatMul", ["x", f"w{block}"], [f"m{block}"]),
        ]
    return model(nodes, [("x", FLOAT, ["n", 4])], [("m0", FLOAT, ["n", 4])], [("w", WEIGHT)])


def reshaped(blocks):
    """Each block computes the shape that it gives to its input, in floats and back."""
    nodes = []
    for block in range(blocks):
        before = f"r{block - 1}" if block else "x"
        nodes += [
            helper.make_node("Shape", [before], [f"s{block}"]),
            helper.make_node("Cast", [f"s{block}"], [f"f{block}"], to=FLOAT),
            helper.make_node("Cast", [f"f{block}"], [f"i{block}"], to=TensorProto.INT64),
            helper.make_node("Expand", [before, f"i{block}"], [f"r{block}"]),
        ]
    ends = [("x", FLOAT, ["n", 4])], [(f"r{blocks - 1}", FLOAT, None)]
    return model(nodes, *ends)


def profile_of(source, ran=None):
    """One operator a node of the graph that runs, of one microsecond."""
    outlined, optimized = of_model(source, 1, {}), of_model(ran or source, 1, {})
    operators = tuple(
        Operator(i, n.name, n.op, "CPU", 1.0, 1.0, 1.0, 0.0, "float", 4, 4)
        for i, n in enumerate(optimized.nodes)
    )
    costs = by_node(source)
    return Profile(
        Path("m.onnx"), operators, 1.0, 1.0, 1.0, 1, outlined, optimized, "runtime", costs
    )


def chosen(layers):
    """Layers in a row, of which every second is slower in int8."""
    edges = [Edge(at - 1 if at else None, (at,), 10) for at in range(layers)]
    gains = {at: 25.0 if at % 2 else -5.0 for at in range(layers)}
    every = frozenset(gains)
    costs = LayerCosts(gains, every, frozenset(), frozenset(), edges, 1.0, 1.0)
    return lambda: choose(costs, 1.0)


def edited(blocks):
    int8, fp32 = quantized(blocks), relus(blocks)

    def edit():
        made = FloatEdit(int8, fp32, Path("fp32.onnx"))
        made.apply([at for at in range(len(made.outline.nodes)) if made.reads_dequantized(at)])
        return made

    return edit


WALKS = {
    "match fused": lambda n: (
        lambda: match(
            of_model(silu(n, fused=True), 1, {}), of_model(silu(n), 1, {}), by_values=False
        )
    ),
    "match by values": lambda n: (
        lambda: match(of_model(quantized(n), 1, {}), of_model(relus(n), 1, {}), by_values=True)
    ),
    "match one weight": lambda n: (
        lambda: match(of_model(shared(n), 1, {}), of_model(shared(n), 1, {}), by_values=True)
    ),
    "match by place": lambda n: (
        lambda: by_place(of_model(silu(n, fused=True), 1, {}), of_model(silu(n), 1, {}), {0: 0})
    ),
    "join": lambda n: lambda: join(profile_of(relus(n)), profile_of(quantized(n))),
    "diagnose": lambda n: lambda: conclude(profile_of(relus(n)), profile_of(quantized(n))),
    "diagnose conversions": lambda n: (
        lambda: conclude(profile_of(unjoined(1)), profile_of(unjoined(n)))
    ),
    "operators": lambda n: lambda: record("m", profile_of(silu(n), silu(n, fused=True)), "none", 1),
    "choose": chosen,
    "leave in float": edited,
    "cost": lambda n: lambda: count_model(silu(n)),
    "computed shapes": lambda n: lambda: count_model(reshaped(n)),
    "cost by node": lambda n: lambda: by_node(casts(n)),
    "outline": lambda n: lambda: of_model(casts(n), 1, {}),
    "liveness": lambda n: lambda: of_models(residual(n), residual(n)),
}


@pytest.mark.parametrize("name", WALKS)
def test_twice_the_graph_takes_twice_the_steps(name):
    short, long = (steps(WALKS[name](blocks)) for blocks in (100, 200))
    assert short > 100, "the walk was not seen"
    assert long < 2.2 * short


@pytest.mark.slow
@pytest.mark.parametrize("name", WALKS)
def test_no_chain_is_too_deep(name):
    assert WALKS[name](DEEP)() is not None


def test_every_operator_of_a_fused_chain_is_matched():
    fused, plain = of_model(silu(24, fused=True), 1, {}), of_model(silu(24), 1, {})
    found = match(fused, plain, by_values=False)
    assert found == {0: 0, **{1 + block: 2 + 2 * block for block in range(24)}, 25: 49}


def test_every_operator_of_a_fused_chain_is_found_by_its_place():
    fused, plain = of_model(silu(24, fused=True), 1, {}), of_model(silu(24), 1, {})
    expected = {0: 0, **{1 + block: 2 + 2 * block for block in range(24)}}
    assert by_place(fused, plain, {0: 0}) == expected


def test_counts_of_a_chain_are_those_of_its_blocks():
    assert count_model(silu(DEEP), 2).macs == count_model(silu(DEEP, fused=True), 2).macs == 64
    sizes = 4 * 4 * (DEEP + 1)
    assert of_models(residual(DEEP), residual(DEEP)).activation_bytes == sizes
