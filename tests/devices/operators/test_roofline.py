"""The roofline, the cost of each operator that runs, and where both are shown."""

import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
import report_example
from edgestill.devices.onboard.model.cost import NodeCost, by_node, count_model
from edgestill.devices.onboard.model.outline import of_model
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.operators.profiling import Operator
from edgestill.devices.operators.profiling import Profile as Profiled
from edgestill.devices.operators.roofline import Bounds, Machine, Work, machine_of, roof_us
from edgestill.devices.profiles.profile import Figure, Profile
from edgestill.pipeline.commands.bench_operators import summary
from edgestill.pipeline.finished.inspected import inspected, subjects_of
from edgestill.pipeline.finished.profiled import Machines, look
from edgestill.pipeline.finished.scenario import Chosen
from edgestill.pipeline.judge.operator_types import by_type
from edgestill.pipeline.judge.operators import profiled, record
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.report import html, markdown, operator_charts, operators, terminal
from onnx import TensorProto, helper
from onnx_files import model
from rich.console import Console

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
MACHINE = Machine("board", fp32_op_s=10e9, int8_op_s=40e9, byte_s=4e9, cores=4, clock_hz=1e9)
HERE = Bounds(MACHINE, MACHINE, MACHINE)


def figures(**given):
    return {name: Figure(value, "made up") for name, value in given.items()}


def device(**given):
    return Profile("board", "Board", "aarch64", ("neon",), "made up", figures(**given))


# --- the roof -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "cores", "us"),
    [
        (Work("float32", 2e6, 1e3), 1, 200.0),  # bound by arithmetic
        (Work("float32", 2e6, 1e3), 4, 50.0),
        (Work("int8", 2e6, 1e3), 1, 50.0),
        (Work("float32", 1e3, 4e6), 1, 1000.0),  # bound by memory, which more cores do not widen
        (Work("float32", 1e3, 4e6), 4, 1000.0),
        (Work("float32", 0, 4e3), 1, 1.0),
        (Work("float32", None, 4e3), 1, None),
        (Work("float32", 1e3, None), 1, None),
    ],
)
def test_work_takes_at_the_roof_what_its_scarcer_resource_takes(work, cores, us):
    assert roof_us(work, MACHINE, cores=cores) == (us if us is None else pytest.approx(us))


def test_the_ridge_is_where_both_take_equally_long():
    ridge = MACHINE.fp32_op_s / MACHINE.byte_s
    for intensity in (ridge / 2, ridge, ridge * 2):
        rate = 1e6 * intensity / roof_us(Work("float32", intensity, 1.0), MACHINE)
        assert rate == pytest.approx(min(MACHINE.fp32_op_s, intensity * MACHINE.byte_s))


def test_an_unknown_int8_peak_is_no_fp32_peak():
    without = replace(MACHINE, int8_op_s=None)
    assert roof_us(Work("int8", 1e3, 1e3), without) is None
    assert roof_us(Work("float32", 1e3, 1e3), without) is not None


def test_a_profile_becomes_a_machine_at_its_figures_and_at_both_their_ends():
    told = device(cores=4, clock_ghz=1.5, bandwidth_gb_s=4, int8_gop_s=40)
    told = replace(told, figures={**told.figures, "fp32_gflop_s": Figure(10, "s", 8, 12)})
    found = machine_of(told)
    assert found.value == Machine("Board", 10e9, 40e9, 4e9, 4, 1.5e9)
    assert (found.low.fp32_op_s, found.high.fp32_op_s) == (8e9, 12e9)
    assert found.low.byte_s == found.high.byte_s == 4e9
    assert found.value.with_threads(8) == 4


def test_a_profile_without_a_figure_of_the_roof_says_which():
    assert machine_of(device(fp32_gflop_s=10)) == "the profile board has no bandwidth_gb_s"
    assert machine_of(device()) == "the profile board has no fp32_gflop_s and no bandwidth_gb_s"


# --- what each node of a file costs ---------------------------------------------------------------


def layers(size=8):
    """Conv, Relu, pool, and a Gemm."""
    random = np.random.default_rng(0)
    w = random.normal(size=(4, 3, 3, 3)).astype(np.float32)
    g = random.normal(size=(4, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight"], ["c"], name="n0", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="n1"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="n2"),
        helper.make_node("Flatten", ["p"], ["f"], name="n3"),
        helper.make_node("Gemm", ["f", "fc.weight"], ["y"], name="n4"),
    ]
    ends = [("x", FLOAT, ["n", 3, size, size])], [("y", FLOAT, ["n", 5])]
    return model(nodes, *ends, [("conv.weight", w), ("fc.weight", g)])


def quantized():
    """A MatMul between Q/DQ pairs."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w_quantized", "s", "wz"], ["w"]),
        helper.make_node("MatMul", ["xd", "w"], ["y"], name="mm"),
    ]
    stored = [
        ("s", np.float32(0.1)), ("z", np.uint8(0)), ("wz", np.int8(0)),
        ("w_quantized", np.ones((6, 4), np.int8)),
    ]  # fmt: skip
    return model(nodes, [("x", FLOAT, ["n", 6])], [("y", FLOAT, ["n", 4])], stored)


def tied():
    """Two products with one weight."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    stored = [("w", np.ones((6, 6), np.float32))]
    return model(nodes, [("x", FLOAT, ["n", 6])], [("y", FLOAT, ["n", 6])], stored)


def test_a_multiply_accumulate_is_two_operations_and_an_element_else_one():
    conv, relu, pool, flatten, gemm = by_node(layers(), batch=2)
    macs = 2 * 4 * 64 * 27
    assert conv == NodeCost(macs, 2 * macs, "float32", 4 * 27)
    assert relu == NodeCost(0, 2 * 4 * 64, "", 0)
    assert pool == NodeCost(0, 2 * 4 * 64, "", 0)
    assert flatten.operations == 0
    assert gemm == NodeCost(2 * 20, 80, "float32", 20)


def test_a_pool_looks_at_every_tap_of_its_window():
    nodes = [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])]
    made = model(nodes, [("x", FLOAT, [1, 1, 4, 4])], [("y", FLOAT, [1, 1, 2, 2])])
    assert by_node(made)[0].operations == 4 * 4


@pytest.mark.parametrize("made", [layers(), quantized(), tied()])
def test_the_costs_of_nodes_add_up_to_those_of_the_file(made):
    nodes, whole = by_node(made, batch=3), count_model(made, batch=3)
    assert sum(one.macs for one in nodes) == whole.macs > 0
    assert sum(one.parameters for one in nodes) == whole.parameters > 0
    assert len(nodes) == len(of_model(made, 3, {}).nodes)


def test_a_product_between_dequantized_operands_is_int8():
    costs = by_node(quantized())
    assert [one.type for one in costs] == ["", "", "", "int8"]


def test_what_multiplies_and_cannot_be_counted_is_not_zero():
    nodes = [helper.make_node("MatMul", ["x", "v"], ["y"])]
    ends = [("x", FLOAT, [1, 4, "s"]), ("v", FLOAT, [1, "s", 3])], [("y", FLOAT, None)]
    found = by_node(model(nodes, *ends))
    assert (found[0].macs, found[0].operations) == (None, None)


# --- the graph that runs --------------------------------------------------------------------------


def as_profiled(made, ran, times):
    """A profile of a file whose optimized graph is given."""
    source, optimized = of_model(made, 1, {}), of_model(ran, 1, {})
    operators = tuple(
        Operator(at, node.name, node.op, "CPU", 1.0, us, us, us / sum(times), "float", 100, 400)
        for at, (node, us) in enumerate(zip(optimized.nodes, times, strict=True))
    )
    costs = by_node(made)
    return Profiled(None, operators, sum(times), sum(times), 0.0, 5, source, optimized, "", costs)


def fused():
    """The graph of `layers` as a runtime might leave it: Conv and Relu are one, Flatten is gone."""
    nodes = [
        helper.make_node("FusedConv", ["x", "conv.weight"], ["r"], name="n1", domain="com.x"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="n2"),
        helper.make_node("FusedGemm", ["p", "fc.weight"], ["y"], name="n4", domain="com.x"),
    ]
    kept = layers()
    stored = {one.name: one for one in kept.graph.initializer}
    made = model(nodes, [("x", FLOAT, [1, 3, 8, 8])], [("y", FLOAT, [1, 5])], domain="com.x")
    made.graph.initializer.extend(stored.values())
    return made


def test_the_cost_of_a_fused_operator_is_the_sum_of_what_was_fused_into_it():
    found = record("m", as_profiled(layers(), fused(), [6.0, 3.0, 1.0]), HERE, 1)
    conv, pool, gemm = found.operators
    assert (conv.fused, pool.fused) == (("Conv", "Relu"), ("GlobalAveragePool", "Flatten"))
    assert conv.macs == 4 * 64 * 27
    assert conv.operations == 2 * conv.macs + 4 * 64
    assert sum(one.macs for one in found.operators) == count_model(layers()).macs
    assert sum(one.parameters for one in found.operators) == count_model(layers()).parameters
    assert found.unplaced_macs == 0
    assert [one.name for one in found.operators] == ["conv", "n2", "fc"]
    assert gemm.share == pytest.approx(0.1)


def test_intensity_rate_and_attained_fraction_follow_from_time_and_cost():
    found = record("m", as_profiled(layers(), fused(), [6.0, 3.0, 1.0]), HERE, 1)
    conv = found.operators[0]
    assert conv.intensity == pytest.approx(conv.operations / 400)
    assert conv.gop_s == pytest.approx(conv.operations / 6e3)
    assert conv.attained == pytest.approx(conv.operations / 10e9 / 6e-6)
    several = record("m", as_profiled(layers(), fused(), [6.0, 3.0, 1.0]), HERE, 8)
    assert (several.roof.cores, several.roof.gflop_s) == (4, 40.0)
    assert several.operators[0].attained == pytest.approx(conv.attained / 4)


def test_without_figures_there_is_no_roof_and_the_reason_is_kept():
    found = record("m", as_profiled(layers(), fused(), [6.0, 3.0, 1.0]), "no bandwidth", 1)
    assert (found.roof, found.roof_missing) == (None, "no bandwidth")
    assert all(one.attained is None for one in found.operators)
    assert found.operators[0].intensity is not None


def test_a_layer_that_is_not_found_again_is_counted_as_missing_not_dropped():
    made = layers()
    other = model(
        [helper.make_node("Softplus", ["x"], ["q"], name="else")],
        [("x", FLOAT, [1, 3, 8, 8])],
        [("q", FLOAT, [1, 3, 8, 8])],
    )
    found = record("m", as_profiled(made, other, [6.0]), HERE, 1)
    assert found.unplaced_macs == count_model(made).macs


def test_types_add_up_and_the_slowest_stands_first():
    found = record("m", as_profiled(layers(), fused(), [1.0, 3.0, 1.0]), HERE, 1)
    kinds = by_type(found.operators)
    assert kinds[0].op == "GlobalAveragePool"
    assert sum(one.us for one in kinds) == pytest.approx(5.0)
    assert sum(one.count for one in kinds) == 3
    assert sum(one.macs for one in kinds) == count_model(layers()).macs


def test_a_real_profile_has_the_macs_of_its_file_whatever_the_runtime_fused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(layers(16).SerializeToString())
    found = profiled("m", path, HERE, runs=10)
    assert sum(one.macs for one in found.operators) == count_model(layers(16)).macs
    assert sum(one.us for one in found.operators) == pytest.approx(found.query_us)
    assert all(one.bytes is not None and one.roof_us is not None for one in found.operators)
    assert {"conv", "fc"} <= {one.name for one in found.operators}


# --- shown ----------------------------------------------------------------------------------------

EVIL = "a|<script>alert(1)</script>%{x}\x1b[31m"


def shown_report():
    found = record("fp32", as_profiled(layers(), fused(), [6.0, 3.0, 1.0]), HERE, 1)
    first = found.operators[0].model_copy(update={"name": EVIL, "op": EVIL})
    found = found.model_copy(update={"operators": (first, *found.operators[1:])})
    report = report_example.report()
    measured = report.measured.model_copy(update={"operators": (found,)})
    return report.model_copy(update={"measured": measured})


def test_every_page_shows_the_operators_and_no_name_breaks_out(tmp_path):
    report = shown_report()
    page, text = html.page(report, tmp_path), markdown.page(report)
    assert "<script>alert" not in page + text
    assert "\x1b" not in page + text
    for shown in (page, text):
        assert "the slowest operators" in shown
        assert "GlobalAveragePool" in shown
    assert 'id="roofline"' in page
    assert 'id="nodes"' in page
    assert "10 GFLOP/s in fp32, 40 Gop/s in int8, 4 GB/s" in text


def test_a_report_without_operators_says_so_and_draws_none(tmp_path):
    report = report_example.report()
    assert operators.section(report).paragraphs == ("Operators were not timed in this run.",)
    assert 'id="roofline"' not in html.page(report, tmp_path)


def test_the_roofline_bends_at_the_ridge_and_is_left_out_without_a_roof():
    report = shown_report()
    drawn = operator_charts.roofline(report.measured.operators)
    roof = next(one for one in drawn.series if one.name == "roof, fp32").points
    assert roof[1].x == pytest.approx(10 / 4)
    assert max(point.y for point in roof) == roof[1].y == pytest.approx(10.0)
    assert roof[0].y == pytest.approx(4 * roof[0].x)
    bare = record("fp32", as_profiled(layers(), fused(), [6.0, 3.0, 1.0]), "no figures", 1)
    assert operator_charts.roofline((bare,)) is None
    assert operator_charts.why_not_placed((bare,)) == ("fp32: no figures",)


def test_json_and_a_terminal_are_told_the_same(tmp_path):
    path, here = tmp_path / "m.onnx", tmp_path / "here.toml"
    path.write_bytes(layers(16).SerializeToString())
    tables = {"fp32_gflop_s": 50, "int8_gop_s": 90, "bandwidth_gb_s": 10}
    here.write_text(
        'title = "Desk"\narch = "x86_64"\nfeatures = ["avx2"]\nsource = "s"\n'
        + "".join(f'[{k}]\nvalue = {v}\nsource = "s"\n' for k, v in tables.items())
    )
    machines = Machines(device=str(here), host_profile=None, predicting=False)
    models = inspected(subjects_of([path]), Feed(), None)
    looked = look(models, machines, Silent(), Chosen("single-stream", {}), threads=1)
    found = json.loads(json.dumps(looked.to_dict()))["models"][0]
    assert found["roof"]["gflop_s"] == 50
    assert sum(one["macs"] for one in found["operators"]) == count_model(layers(16)).macs
    assert sum(one["us"] for one in found["types"]) == pytest.approx(found["query_us"])
    assert all(one["attained"] for one in found["operators"] if one["us"] > 0 < one["roof_us"])
    console = Console(width=80, record=True, file=StringIO())
    console.print(summary(looked))
    text = " ".join(console.export_text().split())
    assert "roof of Desk, 1 core: 50 GFLOP/s in fp32, 90 Gop/s in int8, 10 GB/s" in text
    assert all(one["op"] in text for one in found["types"])


def test_the_terminal_of_a_build_stays_as_it_was_where_the_host_is_the_target():
    console = Console(width=80, record=True, file=StringIO())
    console.print(terminal.table(shown_report()))
    assert "PREDICTED" not in console.export_text()
