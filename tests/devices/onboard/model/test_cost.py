"""Operations and bytes against hand counts, and model files that try to reach outside."""

import os
from functools import partial

import numpy as np
import onnx_files
import pytest
from edgestill.devices.onboard.model.cost import Cost, count, count_model
from edgestill.devices.onboard.model.modelfile import check_external_data, is_ort, load, printable
from edgestill.errors import ModelError
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


_model = partial(onnx_files.model, opset=21, ir_version=10)


def _floats(*shape):
    return np.zeros(shape, np.float32)


def test_a_convolution_is_counted_by_output_kernel_and_group():
    model = _model(
        [helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1], group=2)],
        [("x", FLOAT, ["n", 4, 8, 8])],
        [("y", FLOAT, ["n", 6, 8, 8])],
        [("w", _floats(6, 2, 3, 3)), ("b", _floats(6))],
    )
    for batch in (1, 5):
        cost = count_model(model, batch)
        assert cost.macs_by_type == {"float32": batch * 6 * 8 * 8 * 2 * 9}
        assert cost.activation_bytes == batch * 4 * (4 * 64 + 6 * 64)
    assert cost.parameters == 6 * 2 * 9 + 6
    assert cost.weight_bytes == 4 * cost.parameters
    assert cost.notes == ()


def test_a_transposed_convolution_is_counted_by_its_input():
    model = _model(
        [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])],
        [("x", FLOAT, [1, 3, 5, 5])],
        [("y", FLOAT, None)],
        [("w", _floats(3, 7, 2, 2))],
    )
    assert count_model(model).macs == 3 * 25 * 7 * 4


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_gemm_is_counted_whichever_way_its_matrices_lie(trans_a, trans_b):
    model = _model(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transA=trans_a, transB=trans_b)],
        [("x", FLOAT, [7, 2] if trans_a else [2, 7])],
        [("y", FLOAT, [2, 3])],
        [("w", _floats(3, 7) if trans_b else _floats(7, 3))],
    )
    assert count_model(model).macs == 2 * 7 * 3


def test_a_batched_matrix_product_of_activations_is_counted_for_the_sequence_given():
    model = _model(
        [helper.make_node("MatMul", ["q", "k"], ["y"])],
        [("q", FLOAT, ["n", 4, "s", 16]), ("k", FLOAT, ["n", 4, 16, "s"])],
        [("y", FLOAT, ["n", 4, "s", "s"])],
    )
    cost = count_model(model, 2, {"q": (2, 4, 10, 16)})
    assert cost.macs == 2 * 4 * 10 * 16 * 10
    assert cost.parameters == 0


def test_an_unknown_extent_is_a_note_and_no_guess():
    model = _model(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="one")],
        [("x", FLOAT, ["n", "s", 4])],
        [("y", FLOAT, ["n", "s", 8])],
        [("w", _floats(4, 8))],
    )
    cost = count_model(model)
    assert cost.macs is None
    assert "MatMul 'one': a shape is unknown" in cost.notes


def test_a_convolution_between_quantized_tensors_is_int8_and_folds_its_floats_away():
    scale, zero = ("s", np.float32(0.1)), ("z", np.int8(0))
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "s", "z"], ["y"]),
    ]
    model = _model(
        nodes,
        [("x", FLOAT, ["n", 3, 4, 4])],
        [("y", FLOAT, ["n", 5, 2, 2])],
        [(scale[0], scale[1]), zero, ("w", np.zeros((5, 3, 3, 3), np.int8))],
    )
    cost = count_model(model)
    assert cost.macs_by_type == {"int8": 5 * 4 * 27}
    assert cost.parameters == 5 * 27
    assert cost.weight_bytes == 5 * 27 + 4 + 1
    # x in float and in int8, and the convolution's output in int8; nothing else is written.
    assert cost.activation_bytes == 4 * 48 + 48 + 20


def test_quantized_operators_are_int8_and_dynamic_ones_too():
    stored = [
        ("w", np.zeros((4, 6), np.int8)),
        ("ws", np.float32(1)),
        ("wz", np.int8(0)),
    ]
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
        helper.make_node("MatMulInteger", ["xq", "w", "xz", "wz"], ["y"]),
    ]
    model = _model(nodes, [("x", FLOAT, [2, 4])], [("y", TensorProto.INT32, [2, 6])], stored)
    cost = count_model(model)
    assert cost.macs_by_type == {"int8": 48}
    assert cost.parameters == 24


def test_four_bit_weights_are_counted_unpacked_and_weighed_packed():
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=32, N=8, bits=4
    )
    stored = [("w", np.zeros((8, 1, 16), np.uint8)), ("s", _floats(8))]
    model = _model(
        [node], [("x", FLOAT, [3, 32])], [("y", FLOAT, [3, 8])], stored, domain="com.microsoft"
    )
    cost = count_model(model)
    assert cost.macs_by_type == {"float32": 3 * 32 * 8}
    assert (cost.parameters, cost.weight_bytes) == (256, 128 + 32)


def test_half_precision_has_its_own_type():
    model = _model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", TensorProto.FLOAT16, [1, 4])],
        [("y", TensorProto.FLOAT16, [1, 2])],
        [("w", np.zeros((4, 2), np.float16))],
    )
    assert count_model(model).macs_by_type == {"float16": 8}


def test_weights_in_constants_and_local_functions_count():
    constant = helper.make_node(
        "Constant", [], ["w"], value=numpy_helper.from_array(_floats(4, 2), "w")
    )
    body = [constant, helper.make_node("MatMul", ["a", "w"], ["b"])]
    function = helper.make_function(
        "mine", "Dense", ["a"], ["b"], body, [helper.make_opsetid("", 21)]
    )
    model = _model(
        [helper.make_node("Dense", ["x"], ["y"], domain="mine")],
        [("x", FLOAT, [3, 4])],
        [("y", FLOAT, [3, 2])],
        domain="mine",
        functions=[function],
    )
    cost = count_model(model)
    assert (cost.macs, cost.parameters, cost.weight_bytes) == (24, 8, 32)


@pytest.mark.parametrize(
    ("domain", "op", "words"),
    [
        ("acme", "Weird", "an operator of acme that is not known here"),
        ("com.microsoft", "QMoE", "an operator of com.microsoft that is not known here"),
        ("", "STFT", "its products are not counted"),
    ],
)
def test_what_cannot_be_counted_is_named(domain, op, words):
    node = helper.make_node(op, ["x", "x"], ["y"], name="e", domain=domain)
    model = _model([node], [("x", FLOAT, [2, 2])], [("y", FLOAT, [2, 2])], domain=domain)
    cost = count_model(model)
    assert f"{op} 'e': {words}" in cost.notes
    assert cost.macs is None


def test_counting_leaves_the_model_as_it_was():
    model = _model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", FLOAT, ["n", 4])],
        [("y", FLOAT, ["n", 2])],
        [("w", _floats(4, 2))],
    )
    before = model.SerializeToString()
    assert count_model(model, 3).macs == 24
    assert model.SerializeToString() == before


def test_a_cost_that_is_complete_sums_its_types():
    assert Cost({"float32": 2, "int8": 3}).macs == 5
    assert Cost({"float32": 2}, uncounted=1).macs is None


def test_operators_of_a_runtime_have_shapes_too():
    stored = [("w", _floats(4, 2)), ("s", np.float32(1)), ("z", np.uint8(0))]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("QuantizeLinear", ["h", "s", "z"], ["q"]),
        helper.make_node(
            "QLinearSigmoid", ["q", "s", "z", "s", "z"], ["y"], domain="com.microsoft"
        ),
        helper.make_node(
            "QLinearSigmoid", ["y", "s", "z", "s", "z"], ["u"], domain="com.microsoft"
        ),
    ]
    ends = [("x", FLOAT, [3, 4])], [("u", TensorProto.UINT8, [3, 2])]
    cost = count_model(_model(nodes, *ends, stored, domain="com.microsoft"))
    assert cost.macs == 24
    assert cost.parameters == 8
    # x in float; h is folded; q, y and u are one byte a number.
    assert cost.activation_bytes == 4 * 12 + 3 * 6
    assert cost.notes == ()


@pytest.mark.parametrize("batch", [1, 3])
def test_a_negative_extent_is_an_open_one_wherever_it_stands(batch):
    """Paddle and others write -1; a product of it would be negative."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Reshape", ["a", "to"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y"]),
    ]
    stored = [("w", _floats(8, 3, 3, 3)), ("v", _floats(8 * 36, 5)), ("to", np.array([0, -1]))]
    ends = [("x", FLOAT, [-1, 3, 8, 8])], [("y", FLOAT, [-1, 5])]
    model = _model(nodes, *ends, stored)
    model.graph.value_info.append(helper.make_tensor_value_info("a", FLOAT, [-1, 8, -1, -1]))
    cost = count_model(model, batch)
    assert cost.macs == batch * (8 * 36 * 27 + 8 * 36 * 5)
    assert cost.activation_bytes == 4 * batch * (3 * 64 + 8 * 36 + 5)
    assert cost.notes == ()


def test_a_negative_extent_besides_the_batch_is_unknown_and_said_to_be_so():
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="c")]
    ends = [("x", FLOAT, [1, 3, -1, -1])], [("y", FLOAT, [1, 8, -1, -1])]
    cost = count_model(_model(nodes, *ends, [("w", _floats(8, 3, 3, 3))]))
    assert cost.macs is None
    assert cost.activation_bytes is None
    assert "Conv 'c': a shape is unknown" in cost.notes
    given = count_model(_model(nodes, *ends, [("w", _floats(8, 3, 3, 3))]), 1, {"x": (1, 3, 8, 8)})
    assert given.macs == 8 * 36 * 27


def test_an_empty_tensor_costs_nothing():
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    cost = count_model(
        _model(nodes, [("x", FLOAT, [0, 4])], [("y", FLOAT, [0, 2])], [("w", _floats(4, 2))])
    )
    assert (cost.macs, cost.activation_bytes, cost.notes) == (0, 0, ())


def _external(folder, location, offset=0, length=32):
    """A model whose weights claim to lie at `location`."""
    model = _model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", FLOAT, ["n", 4])],
        [("y", FLOAT, ["n", 2])],
        [("w", _floats(4, 2))],
    )
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": offset, "length": length}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    folder.mkdir(exist_ok=True)
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_plain_external_data_beside_the_model_is_accepted(tmp_path):
    path = _external(tmp_path / "m", "sub/w.bin")
    (path.parent / "sub").mkdir()
    (path.parent / "sub/w.bin").write_bytes(bytes(32))
    assert check_external_data(path) == (path.parent / "sub/w.bin",)
    assert count(path).parameters == 8


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("../secret", "climbs out"),
        ("a/../../secret", "climbs out"),
        ("/etc/passwd", "absolute"),
        ("C:\\secret", "absolute"),
        ("C:secret", "absolute"),
        ("..\\secret", "absolute"),
        ("", "empty location"),
        ("absent.bin", "missing"),
        ("folder", "not a regular file"),
    ],
)
def test_external_data_elsewhere_is_refused(tmp_path, location, words):
    (tmp_path / "secret").write_bytes(bytes(32))
    path = _external(tmp_path / "m", location)
    (path.parent / "folder").mkdir()
    with pytest.raises(ModelError, match=words):
        check_external_data(path)
    with pytest.raises(ModelError):
        count(path)


def test_a_symbolic_link_on_the_way_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(32))
    path = _external(tmp_path / "m", "w.bin")
    (path.parent / "w.bin").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match="symbolic link"):
        check_external_data(path)
    path = _external(tmp_path / "n", "sub/secret")
    (path.parent / "sub").symlink_to(tmp_path)
    with pytest.raises(ModelError, match="symbolic link"):
        check_external_data(path)


def test_a_hard_link_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(32))
    path = _external(tmp_path / "m", "w.bin")
    os.link(tmp_path / "secret", path.parent / "w.bin")
    with pytest.raises(ModelError, match="2 names"):
        check_external_data(path)


def test_a_link_to_a_model_with_external_data_is_refused(tmp_path):
    path = _external(tmp_path / "m", "w.bin")
    (path.parent / "w.bin").write_bytes(bytes(32))
    (tmp_path / "w.bin").write_bytes(bytes(32))
    link = tmp_path / "link.onnx"
    link.symlink_to(path)
    with pytest.raises(ModelError, match="symbolic link to a model"):
        check_external_data(link)


@pytest.mark.parametrize(("offset", "length"), [(1, 32), (0, 33), (-1, 32), ("x", 32)])
def test_external_data_beyond_its_file_is_refused(tmp_path, offset, length):
    path = _external(tmp_path / "m", "w.bin", offset, length)
    (path.parent / "w.bin").write_bytes(bytes(32))
    with pytest.raises(ModelError, match=r"bytes|offset"):
        check_external_data(path)


def test_external_data_in_an_attribute_of_a_subgraph_is_found(tmp_path):
    hidden = TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    entry = hidden.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["b"], value=hidden)],
        "b",
        [],
        [helper.make_tensor_value_info("b", FLOAT, [1])],
    )
    model = _model(
        [helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)],
        [("c", TensorProto.BOOL, [])],
        [("y", FLOAT, [1])],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="absolute"):
        check_external_data(path)


@pytest.mark.parametrize("content", [b"", b"\x08\x0a", b"PK\x03\x04 not a model", b"\xff" * 100])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="expected an ONNX model"):
        load(path)


def test_a_missing_file_is_refused(tmp_path):
    for read in (load, is_ort, count, check_external_data):
        with pytest.raises(ModelError, match="no such file"):
            read(tmp_path / "absent.onnx")


def test_a_file_in_onnxruntimes_format_cannot_be_counted(tmp_path):
    path = tmp_path / "m.ort"
    path.write_bytes(b"\0\0\0\0ORTM")
    assert check_external_data(path) == ()
    with pytest.raises(ModelError, match="own format"):
        count(path)


def test_names_out_of_a_model_are_quoted_cut_and_printable():
    assert printable("a\n\x1b[31m") == r"'a\n\x1b[31m'"
    assert len(printable("x" * 1000)) == 82
