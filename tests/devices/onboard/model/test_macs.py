"""Products of each kind of operator, and a fused graph that counts what its parts counted."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from edgestill.devices.onboard.model.cost import by_node, count_model
from edgestill.devices.onboard.model.graph import Graph
from edgestill.devices.onboard.model.macs import OPERANDS, main_type, products
from edgestill.devices.onboard.model.outline import of_model
from edgestill.devices.onboard.model.roots import Roots
from edgestill.devices.onboard.model.shapes import inferred, inlined
from edgestill.devices.onboard.model.stand_ins import WITHOUT_PRODUCTS, number, numbers, stand_in
from edgestill.devices.onboard.model.stored import StoredTensors
from onnx import TensorProto, helper
from onnx_files import model

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
MS = "com.microsoft"
BATCH, LENGTH, HIDDEN, HEADS = 2, 6, 16, 4
rng = np.random.default_rng(0)


def weights(*shape):
    return rng.normal(size=shape).astype(np.float32)


def node(op, inputs, outputs, domain="", **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), domain=domain, **attributes)


def transformer(blocks=1):
    """Embedding, then attention, GELU and layer normalizations in ONNX's own operators."""
    stored = [
        ("words", weights(20, HIDDEN)),
        ("split", np.array([0, 0, HEADS, HIDDEN // HEADS])),
        ("joined", np.array([0, 0, HIDDEN])),
        ("root", np.float32(2.0)),
    ]
    nodes, tensor = [node("Gather", "words ids", "h0")], "h0"
    for b in range(blocks):
        for name in "qkv":
            stored += [(f"{name}{b}_w", weights(HIDDEN, HIDDEN)), (f"{name}{b}_b", weights(HIDDEN))]
            perm = [0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]
            nodes += [
                node("MatMul", f"{tensor} {name}{b}_w", f"{name}{b}_m"),
                node("Add", f"{name}{b}_b {name}{b}_m", f"{name}{b}_a"),
                node("Reshape", f"{name}{b}_a split", f"{name}{b}_r"),
                node("Transpose", f"{name}{b}_r", f"{name}{b}_t", perm=perm),
            ]
        stored += [
            (f"o{b}_w", weights(HIDDEN, HIDDEN)), (f"o{b}_b", weights(HIDDEN)),
            (f"u{b}_w", weights(HIDDEN, 32)), (f"u{b}_b", weights(32)),
            (f"d{b}_w", weights(32, HIDDEN)), (f"d{b}_b", weights(HIDDEN)),
            (f"g{b}", np.ones(HIDDEN, np.float32)), (f"s{b}", np.zeros(HIDDEN, np.float32)),
        ]  # fmt: skip
        nodes += [
            node("MatMul", f"q{b}_t k{b}_t", f"qk{b}"), node("Div", f"qk{b} root", f"sc{b}"),
            node("Softmax", f"sc{b}", f"p{b}", axis=-1), node("MatMul", f"p{b} v{b}_t", f"c{b}"),
            node("Transpose", f"c{b}", f"ct{b}", perm=[0, 2, 1, 3]),
            node("Reshape", f"ct{b} joined", f"cj{b}"),
            node("MatMul", f"cj{b} o{b}_w", f"o{b}_m"), node("Add", f"o{b}_b o{b}_m", f"o{b}_a"),
            node("Add", f"o{b}_a {tensor}", f"r{b}"),
            node("LayerNormalization", f"r{b} g{b} s{b}", f"n{b}", axis=-1),
            node("MatMul", f"n{b} u{b}_w", f"u{b}_m"), node("Add", f"u{b}_b u{b}_m", f"u{b}_a"),
            node("Gelu", f"u{b}_a", f"ge{b}"),
            node("MatMul", f"ge{b} d{b}_w", f"d{b}_m"), node("Add", f"d{b}_b d{b}_m", f"d{b}_a"),
            node("Add", f"d{b}_a n{b}", f"e{b}"),
            node("LayerNormalization", f"e{b} g{b} s{b}", f"h{b + 1}", axis=-1),
        ]  # fmt: skip
        tensor = f"h{b + 1}"
    ends = [("ids", INT64, ["n", "t"])], [(tensor, FLOAT, ["n", "t", HIDDEN])]
    return model(nodes, *ends, stored, opset=20)


def hand_count(blocks):
    """Four projections, the scores and their sums, two products of the feed-forward part."""
    projections = 4 * BATCH * LENGTH * HIDDEN * HIDDEN
    scores = 2 * BATCH * LENGTH * LENGTH * HIDDEN
    return blocks * (projections + scores + 2 * BATCH * LENGTH * HIDDEN * 32)


def optimized(made, folder, level):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimized.onnx")


SHAPES = {"ids": (BATCH, LENGTH)}


def test_a_transformer_that_onnxruntime_fused_counts_what_it_counted_before(tmp_path):
    plain = transformer(2)
    fused = optimized(plain, tmp_path, ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED)
    kinds = {one.op_type for one in fused.graph.node}
    assert {"BiasGelu", "SkipLayerNormalization"} <= kinds
    before, after = (count_model(one, BATCH, SHAPES) for one in (plain, fused))
    assert before.macs == after.macs == hand_count(2)
    assert after.notes == ()
    assert after.activation_bytes is not None
    assert after.activation_bytes < before.activation_bytes
    assert before.parameters == after.parameters + 1  # the divisor is an attribute now


def fused_by_hand():
    """One block as the transformer optimizers of onnxruntime write it."""
    stored = [
        ("words", weights(20, HIDDEN)), ("places", weights(LENGTH, HIDDEN)),
        ("w", weights(HIDDEN, 3 * HIDDEN)), ("b", weights(3 * HIDDEN)),
        ("g", np.ones(HIDDEN, np.float32)), ("s", np.zeros(HIDDEN, np.float32)),
        ("o", weights(HIDDEN, HIDDEN)), ("ob", weights(HIDDEN)),
        ("u", weights(HIDDEN, 32)), ("ub", weights(32)), ("d", weights(32, HIDDEN)),
        ("db", weights(HIDDEN)),
    ]  # fmt: skip
    nodes = [
        helper.make_node(
            "EmbedLayerNormalization", ["ids", "", "words", "places", "", "g", "s"],
            ["h", "index"], domain=MS,
        ),
        node("Attention", "h w b", "c", MS, num_heads=HEADS),
        node("MatMul", "c o", "om"),
        node("SkipLayerNormalization", "om h g s ob", "n", MS),
        node("MatMul", "n u", "um"),
        node("FastGelu", "um ub", "ge", MS),
        node("MatMul", "ge d", "dm"),
        helper.make_node(
            "SkipLayerNormalization", ["dm", "n", "g", "s", "db"], ["y", "", "", "sum"], domain=MS
        ),
    ]  # fmt: skip
    ends = [("ids", TensorProto.INT32, ["n", "t"])], [("y", FLOAT, None), ("sum", FLOAT, None)]
    return model(nodes, *ends, stored, domain=MS)


def test_attention_and_embedding_in_one_operator_count_what_their_parts_did():
    cost = count_model(fused_by_hand(), BATCH, SHAPES)
    assert cost.macs == hand_count(1)
    assert (cost.notes, cost.uncounted) == ((), 0)
    # ids in int32, of which nothing reads the mask's index; h c om n dm y sum, and the wide part.
    assert cost.activation_bytes == 4 * BATCH * LENGTH * (1 + 7 * HIDDEN + 2 * 32)


def one(op, inputs, outputs=1, domain=MS, stored=(), **attributes):
    """A graph of one operator; inputs by name and shape, the shape of None left open."""
    names = [f"y{i}" for i in range(outputs)]
    made = helper.make_node(op, list(inputs), names, domain=domain, **attributes)
    ends = [(name, FLOAT, shape) for name, shape in inputs.items() if name and shape]
    return model(
        [made], ends, [(name, FLOAT, None) for name in names], stored, opset=20,
        domain=domain or "mine",
    )  # fmt: skip


QUERY = {"q": [2, 6, 16], "k": [2, 9, 16], "v": [2, 9, 8]}


@pytest.mark.parametrize(
    ("made", "macs", "shape"),
    [
        (one("MultiHeadAttention", QUERY, num_heads=4), 2 * 6 * 9 * (16 + 8), None),
        (
            one("MultiHeadAttention", {"q": [2, 6, 16], "k": [2, 4, 9, 4], "v": [2, 4, 9, 4]},
                num_heads=4),
            2 * 6 * 9 * 32, (2, 6, 16),
        ),
        (one("MultiHeadAttention", {"q": [2, 6, 4, 3, 4]}, num_heads=4), 2 * 36 * 32, None),
        (
            one("GroupQueryAttention",
                {"q": [2, 6, 16], "k": [2, 6, 8], "v": [2, 6, 8], "pk": [2, 2, 5, 4],
                 "pv": [2, 2, 5, 4], "n": [2], "t": [1]}, 3, num_heads=4, kv_num_heads=2),
            2 * 6 * 11 * 32, (2, 6, 16),
        ),
        (
            one("GroupQueryAttention", {"q": [2, 6, 32]}, num_heads=4, kv_num_heads=2),
            2 * 36 * 32, (2, 6, 16),
        ),
        (
            one("Attention", {"q": [2, 6, 16], "k": [2, 9, 8], "v": [2, 9, 8]}, domain="",
                q_num_heads=4, kv_num_heads=2),
            2 * 6 * 9 * 32, None,
        ),
        (
            one("Attention", {"q": [2, 4, 6, 4], "k": [2, 2, 9, 4], "v": [2, 2, 9, 3]}, domain=""),
            2 * 4 * 6 * 9 * 7, None,
        ),
        (one("FusedMatMul", {"q": [2, 16, 6], "k": [2, 9, 16]}, transA=1, transB=1),
         2 * 6 * 9 * 16, (2, 6, 9)),
        (one("FusedMatMul", {"q": [6, 2, 16], "k": [2, 16, 9]}, transBatchA=1),
         2 * 6 * 9 * 16, (2, 6, 9)),
        (one("FusedGemm", {"q": [6, 16], "k": [9, 16], "c": [9]}, transB=1, activation="Relu"),
         6 * 9 * 16, (6, 9)),
        (one("Einsum", {"q": [2, 4, 6, 4], "k": [2, 4, 9, 4]}, domain="",
             equation="bhid,bhjd->bhij"), 2 * 4 * 6 * 9 * 4, (2, 4, 6, 9)),
        (one("Einsum", {"q": [2, 6, 5], "k": [5, 7]}, domain="", equation="...i,ij->...j"),
         2 * 6 * 5 * 7, (2, 6, 7)),
        (one("Einsum", {"q": [2, 6]}, domain="", equation="ij->ji"), 0, (6, 2)),
    ],
)  # fmt: skip
def test_a_product_is_counted_and_its_output_has_a_shape(made, macs, shape):
    cost = count_model(made)
    assert cost.macs == macs, cost.notes
    if shape is not None:
        fixed, _ = inferred(made, 1, {})
        assert Graph(fixed.graph).shape("y0") == shape


def test_keys_of_the_past_are_met_too():
    made = one(
        "Attention", {"x": [2, 6, 16], "w": None, "b": None, "": None, "past": [2, 2, 4, 5, 4]},
        num_heads=4, stored=[("w", weights(16, 48)), ("b", weights(48))],
    )  # fmt: skip
    assert count_model(made).macs == 2 * 6 * 16 * 48 + 2 * 6 * 11 * 32


def test_quantized_attention_projects_in_int8_and_scores_in_float():
    made = one(
        "QAttention", {"x": [2, 6, 16], "w": None}, num_heads=4,
        stored=[("w", np.zeros((16, 48), np.int8))],
    )  # fmt: skip
    assert count_model(made).macs_by_type == {"int8": 2 * 6 * 16 * 48, "float32": 2 * 36 * 32}
    assert [cost.type for cost in by_node(made)] == ["int8"]


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers_multiply_at_each_step(op, gates):
    stored = [("w", weights(2, gates * 5, 3)), ("r", weights(2, gates * 5, 5))]
    made = one(op, {"x": [7, 2, 3], "w": None, "r": None}, domain="", stored=stored, hidden_size=5,
               direction="bidirectional")  # fmt: skip
    assert count_model(made).macs == 7 * 2 * 2 * gates * 5 * (3 + 5)


def test_layouts_with_the_channels_last_have_shapes():
    stored = [
        ("s", np.float32(0.1)), ("z", np.uint8(0)), ("w", np.zeros((5, 3, 3, 3), np.uint8)),
    ]  # fmt: skip
    scale = "s z"
    nodes = [
        node("QLinearConv", f"x {scale} w {scale} {scale}", "c", MS, channels_last=1),
        node("NhwcMaxPool", "c", "p", MS, kernel_shape=[2, 2], strides=[2, 2]),
        node("QLinearAdd", f"p {scale} p {scale} {scale}", "a", MS),
        node("QLinearGlobalAveragePool", f"a {scale} {scale}", "y", MS, channels_last=1),
    ]
    ends = [("x", TensorProto.UINT8, ["n", 10, 12, 3])], [("y", TensorProto.UINT8, None)]
    made = model(nodes, *ends, stored, domain=MS)
    graph = Graph(inferred(made, 2, {})[0].graph)
    assert graph.shape("c") == (2, 8, 10, 5)
    assert graph.shape("p") == graph.shape("a") == (2, 4, 5, 5)
    assert graph.shape("y") == (2, 1, 1, 5)
    cost = count_model(made, 2)
    assert cost.macs_by_type == {"int8": 2 * 8 * 10 * 5 * 27}
    assert cost.activation_bytes == 2 * (360 + 400 + 100 + 100 + 5)


def test_linear_models_multiply_by_their_coefficients():
    made = one("LinearRegressor", {"x": [3, 4]}, domain="ai.onnx.ml", coefficients=[1.0] * 8,
               targets=2)  # fmt: skip
    assert count_model(made).macs == 3 * 8


def test_what_multiplies_two_is_in_the_table_and_the_type_of_most_products_is_the_operators():
    graph = Graph(inferred(fused_by_hand(), BATCH, SHAPES)[0].graph)
    kinds = {one.op_type: products(one, graph) for one in graph.nodes}
    assert {op for op, found in kinds.items() if found} == {"Attention", "MatMul"}
    assert "MatMul" in OPERANDS
    assert main_type({"int8": 3, "float32": 5}) == "float32"
    assert main_type({}) == ""
    assert WITHOUT_PRODUCTS.isdisjoint(OPERANDS)


def test_standing_in_replaces_only_what_onnx_does_not_know():
    made = fused_by_hand()
    assert number(made.graph.node[1], "num_heads", 0) == HEADS
    assert numbers(made.graph.node[1], "num_heads") == []
    copy = onnx.ModelProto()
    copy.CopyFrom(made)
    stand_in(copy)
    assert {one.domain for one in copy.graph.node} == {""}
    assert sum(one.op_type == "MatMul" for one in copy.graph.node) == 4


def test_functions_are_put_in_their_place_and_a_model_without_any_stays_itself():
    plain = fused_by_hand()
    assert inlined(plain) is plain
    body = [helper.make_node("MatMul", ["a", "b"], ["c"])]
    function = helper.make_function(
        "mine", "Dense", ["a", "b"], ["c"], body, [helper.make_opsetid("", 17)]
    )
    made = model(
        [node("Dense", "x w", "y", "mine")], [("x", FLOAT, [3, 4])], [("y", FLOAT, [3, 2])],
        [("w", weights(4, 2))], domain="mine", functions=[function],
    )  # fmt: skip
    assert by_node(made)[0].macs is None
    assert [cost.macs for cost in by_node(inlined(made))] == [24]
    assert of_model(inlined(made), 1, {}).nodes[0].weight.name == "w"


def test_the_root_of_a_chain_is_the_stored_tensor_and_its_first_reader():
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["d"], name="first"),
        helper.make_node("Transpose", ["d"], ["t"]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    ends = [("x", FLOAT, [1, 4])], [("y", FLOAT, [1, 4])]
    stored = [("q", np.zeros((4, 4), np.int8)), ("s", np.float32(1))]
    graph = Graph(model(nodes, *ends, stored).graph)
    roots = Roots(graph)
    root, reader = roots.of("t")
    assert (root, reader.name) == ("q", "first")
    assert roots.of("x") == ("x", None)
    assert StoredTensors(graph).parameters() == 16
    assert StoredTensors(graph).size() == 16 + 4
