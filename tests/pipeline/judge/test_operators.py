"""Operators that run, with the costs and the names of what they were made of; nothing is timed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgestill.devices.onboard.model.cost import by_node
from edgestill.devices.onboard.model.outline import of_model
from edgestill.devices.onboard.settings import Feed, Session
from edgestill.devices.operators.profiling import Operator, Profile
from edgestill.devices.operators.roofline import Bounds, Machine
from edgestill.devices.profiles.profile import Figure
from edgestill.devices.profiles.profile import Profile as Device
from edgestill.pipeline.judge import operators
from edgestill.pipeline.judge.operators import figures_here, profiled, record
from onnx import TensorProto, helper
from onnx_files import model

FLOAT = TensorProto.FLOAT
MACHINE = Machine("board", fp32_op_s=10e9, int8_op_s=40e9, byte_s=4e9, cores=4, clock_hz=1e9)
HERE = Bounds(MACHINE, MACHINE, MACHINE)
W = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
ENDS = [("x", FLOAT, ["n", 6])], [("y", FLOAT, ["n", 6])]


def graph(*nodes, stored=(("w", W),), domain=""):
    return model(nodes, *ENDS, stored, domain=domain)


def node(op, inputs, outputs, name="", **more):
    return helper.make_node(op, inputs, outputs, name=name, **more)


def profile(made, ran=None, **changes):
    """A profile of a file in which every operator of the graph that runs takes as long."""
    source, optimized = of_model(made, 1, {}), of_model(ran or made, 1, {})
    timed = tuple(
        replace(
            Operator(
                at, one.name or f"#{at}", one.op, "CPU", 1.0, 3.0, 2.0, 0.25, "float", 90, 400
            ),
            **changes,
        )
        for at, one in enumerate(optimized.nodes)
    )
    return Profile(
        None, timed, 10.0, 11.0, 12.0, 5, source, optimized, "onnxruntime 1", by_node(made)
    )


def of(made, ran=None, here=HERE, threads=1, **changes):
    return record("m", profile(made, ran, **changes), here, threads)


def test_a_record_has_the_times_of_its_profile_and_the_roof_of_its_machine():
    found = of(graph(node("MatMul", ["x", "w"], ["y"])), threads=2)
    assert (found.name, found.runtime, found.threads, found.runs) == ("m", "onnxruntime 1", 2, 5)
    assert (found.query_us, found.p50_us, found.profiled_us) == (10.0, 11.0, 12.0)
    roof = found.roof
    assert (roof.device, roof.cores, roof.gb_s) == ("board", 2, 4.0)
    assert (roof.gflop_s, roof.gop_s) == (20.0, 80.0)
    (one,) = found.operators
    assert (one.op, one.family, one.fused) == ("MatMul", "MatMul", ("MatMul",))
    assert (one.calls, one.us, one.share, one.bytes) == (1.0, 2.0, 0.25, 400)
    assert (one.type, one.macs, one.operations, one.parameters) == ("float32", 36, 72, 36)
    assert one.roof_us == pytest.approx(0.1)
    assert found.roof_missing is None
    without = Bounds(*[replace(MACHINE, int8_op_s=None)] * 3)
    assert of(graph(node("MatMul", ["x", "w"], ["y"])), here=without).roof.gop_s is None


def test_an_operator_names_those_whose_results_it_reads_through_what_was_not_timed():
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("MatMul", ["a", "w"], ["b"]),
        node("Identity", ["b"], ["c"]),
        node("Add", ["a", "c"], ["y"]),
    ]
    whole = of(graph(*nodes))
    assert [one.after for one in whole.operators] == [(), (0,), (1,), (0, 2)]
    timed = profile(graph(*nodes))
    some = replace(timed, operators=tuple(timed.operators[at] for at in (0, 1, 3)))
    assert [one.after for one in record("m", some, HERE, 1).operators] == [(), (0,), (0, 1)]
    unknown = replace(timed, operators=(replace(timed.operators[3], node=None),))
    assert record("m", unknown, HERE, 1).operators[0].after == ()


@pytest.mark.parametrize(
    ("weight", "name", "shown"),
    [
        ("fc.weight", "n0", "fc"),
        ("fc.weight_quantized", "n0", "fc"),
        ("fc.weight_MatMul", "n0", "fc"),
        ("onnx::MatMul_7", "n0", "n0"),
        ("onnx::MatMul_7", "", "y"),
        (".weight", "n0", "n0"),
    ],
)
def test_an_operator_with_a_weight_is_called_by_its_module(weight, name, shown):
    made = graph(node("MatMul", ["x", weight], ["y"], name), stored=[(weight, W)])
    assert of(made).operators[0].name == shown


def test_one_without_a_weight_is_called_by_its_scope_or_its_node():
    made = profile(graph(node("Relu", ["x"], ["y"], "n0")))
    assert record("m", made, HERE, 1).operators[0].name == "n0"
    (relu,) = made.source.nodes
    scoped = replace(made.source, nodes=(replace(relu, scope="body.act"),))
    assert record("m", replace(made, source=scoped), HERE, 1).operators[0].name == "body.act"


@pytest.mark.parametrize("op", ["ReorderInput", "ReorderOutput", "QuantizeLinear"])
def test_what_the_runtime_inserted_is_called_by_what_it_reads(op):
    ran = graph(node(op, ["", "x", "w"], ["q"], "made"), node("MatMul", ["q", "w"], ["y"], "n0"))
    made = graph(node("MatMul", ["x", "w"], ["y"], "n0"))
    inserted, product = of(made, ran).operators
    assert (inserted.name, inserted.fused, inserted.macs) == ("x", (), 0)
    assert product.name == "n0"
    # Without its place in the graph that runs, only the runtime's name is known.
    assert of(made, ran, node=None).operators[0].name == "made"


def test_any_other_operator_that_is_not_of_the_file_keeps_the_runtimes_name():
    ran = graph(node("Softplus", ["x"], ["q"], "made"), node("MatMul", ["q", "w"], ["y"], "n0"))
    inserted, _ = of(graph(node("MatMul", ["x", "w"], ["y"], "n0")), ran).operators
    assert inserted.name == "made"


@pytest.mark.parametrize(
    ("runtime", "kind"),
    [
        ("float", "float32"), ("float16", "float16"), ("double", "float64"), ("int8", "int8"),
        ("uint8", "int8"), ("int64", "int64"),
    ],
)  # fmt: skip
def test_what_multiplies_nothing_is_of_the_type_of_its_input(runtime, kind):
    (one,) = of(graph(node("Relu", ["x"], ["y"])), type=runtime).operators
    assert one.type == kind


def test_a_conversion_reads_each_element_once():
    stored = [("s", np.float32(0.1)), ("z", np.uint8(0))]
    made = graph(
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["y"]),
        stored=stored,
    )
    assert [one.operations for one in of(made, elements=77).operators] == [77, 77]
    assert [one.operations for one in of(made, elements=None).operators] == [None, None]
    (relu,) = of(graph(node("Relu", ["x"], ["y"])), elements=77).operators
    assert relu.operations == 6


def test_products_of_constants_alone_run_once_and_are_no_part_of_a_query():
    made = graph(
        node("MatMul", ["w", "w"], ["ww"], "folded"),
        node("MatMul", ["ww", "w"], ["www"], "folded too"),
        node("MatMul", ["x", "www"], ["y"], "n0"),
    )
    ran = graph(node("MatMul", ["x", "www"], ["y"], "n0"), stored=[("www", W @ W @ W)])
    found = of(made, ran)
    assert found.unplaced_macs == 0
    assert [one.fused for one in found.operators] == [("MatMul",)]


def test_a_product_that_runs_nowhere_is_missing():
    made = graph(node("MatMul", ["x", "w"], ["h"], "a"), node("MatMul", ["h", "v"], ["y"], "b"),
        stored=[("w", W), ("v", W + 1)])  # fmt: skip
    ran = graph(node("MatMul", ["x", "w"], ["y"], "a"))
    assert of(made, ran).unplaced_macs == 36


def test_what_the_runtime_fused_into_an_operator_that_is_matched_by_its_end_is_its_own():
    made = graph(
        node("MatMul", ["x", "w"], ["a"], "first"),
        node("Relu", ["a"], ["r"], "middle"),
        node("MatMul", ["r", "v"], ["y"], "last"),
        stored=[("w", W), ("v", W + 1)],
    )
    ran = graph(
        node("FusedBlock", ["x", "w", "v"], ["y"], "last", domain="com.x"),
        stored=[("w", W), ("v", W + 1)],
        domain="com.x",
    )
    found = of(made, ran)
    assert (found.operators[0].macs, found.unplaced_macs) == (72, 0)
    assert found.operators[0].fused == ("MatMul", "Relu", "MatMul")


def test_a_file_is_profiled_as_asked(monkeypatch):
    asked = {}
    timed = profile(graph(node("Relu", ["x"], ["y"])))
    monkeypatch.setattr(operators, "profile", lambda path, **given: asked.update(given) or timed)
    session, feed = Session(threads=3), Feed(seed=9)
    found = profiled("m", Path("m.onnx"), HERE, session=session, feed=feed, runs=7, timeout_s=2.0)
    assert asked == {"session": session, "feed": feed, "runs": 7, "timeout_s": 2.0}
    assert found == record("m", timed, HERE, 3)


@pytest.mark.parametrize("named", [None, "host"])
def test_the_figures_of_this_machine_are_measured(monkeypatch, named):
    asked = {}
    figures = {
        name: Figure(value, "measured")
        for name, value in (("fp32_gflop_s", 10.0), ("bandwidth_gb_s", 4.0), ("int8_gop_s", 20.0))
    }
    device = Device("host", "Here", "x86_64", ("avx2",), "measured", figures)
    monkeypatch.setattr(operators, "probe", lambda **given: asked.update(given) or device)
    found = figures_here(named)
    assert (found.value.title, found.value.byte_s) == ("Here", 4e9)
    assert asked == {"seconds": 0.2}
    bare = replace(device, figures={})
    monkeypatch.setattr(operators, "probe", lambda **_: bare)
    assert "has no fp32_gflop_s" in figures_here(named)


@pytest.mark.parametrize("runtime", ["int8", "double"])
def test_what_multiplies_is_of_the_type_that_its_file_says(runtime):
    (one,) = of(graph(node("MatMul", ["x", "w"], ["y"])), type=runtime).operators
    assert one.type == "float32"


def test_what_is_drawn_anew_in_each_query_is_no_constant():
    made = graph(
        node("RandomNormal", [], ["r"], shape=[6, 6]), node("MatMul", ["r", "w"], ["y"], "product")
    )
    assert of(made, graph(node("Relu", ["x"], ["other"]))).unplaced_macs == 36


def test_an_input_that_is_left_out_makes_a_constant_no_less_constant():
    stored = [("w", W), ("most", np.float32(1.0))]
    made = graph(
        node("Clip", ["w", "", "most"], ["less"]), node("MatMul", ["less", "w"], ["y"], "product"),
        stored=stored,
    )  # fmt: skip
    assert of(made, graph(node("Relu", ["x"], ["other"]))).unplaced_macs == 0
    fed = graph(node("Clip", ["x", "", "most"], ["less"]), node("MatMul", ["less", "w"], ["y"]),
        stored=stored)  # fmt: skip
    assert of(fed, graph(node("Relu", ["x"], ["other"]))).unplaced_macs == 36


def test_what_two_operators_were_made_of_counts_for_the_first():
    made = graph(
        node("MatMul", ["x", "w"], ["a"], "product"),
        node("Relu", ["a"], ["l"], "left"),
        node("Neg", ["a"], ["q"], "right"),
        node("Add", ["l", "q"], ["y"], "end"),
    )
    ran = graph(
        node("FusedLeft", ["x", "w"], ["l"], "left", domain="com.x"),
        node("FusedRight", ["x", "w"], ["q"], "right", domain="com.x"),
        node("Add", ["l", "q"], ["y"], "end"),
        domain="com.x",
    )
    found = of(made, ran)
    assert [one.macs for one in found.operators] == [36, 0, 0]
    assert [one.fused for one in found.operators] == [("MatMul", "Relu"), ("Neg",), ("Add",)]
    assert found.unplaced_macs == 0


def test_products_that_run_nowhere_are_added_up():
    made = graph(
        node("MatMul", ["x", "w"], ["a"], "one"), node("MatMul", ["a", "v"], ["b"], "two"),
        node("MatMul", ["b", "u"], ["c"], "three"), node("Relu", ["c"], ["y"], "four"),
        stored=[("w", W), ("v", W + 1), ("u", W + 2)],
    )  # fmt: skip
    assert of(made, graph(node("MatMul", ["x", "w"], ["a"], "one"))).unplaced_macs == 72


def test_no_machine_is_no_roof_with_the_reason():
    found = of(graph(node("MatMul", ["x", "w"], ["y"])), here="no figures")
    assert (found.roof, found.roof_missing, found.operators[0].roof_us) == (
        None,
        "no figures",
        None,
    )
