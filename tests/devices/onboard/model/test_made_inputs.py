"""Random inputs: their shapes, their values, what is refused."""

import numpy as np
import pytest
from edgestill.devices.onboard.model.made_inputs import batch_axis, make_inputs, resolve_shapes
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.runtimes import load
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import ModelError, UsageError
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT


def _relu(path, inputs):
    """A model that takes anything and gives it back as it is."""
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name, *_ in inputs]
    return save(path, nodes, inputs, [(f"{name}_out", *rest) for name, *rest in inputs])


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (FLOAT, ["n", 3]),
        (TensorProto.FLOAT16, ["n", 3]),
        (TensorProto.DOUBLE, [1, 3]),
        (TensorProto.INT64, ["n", 5]),
        (TensorProto.INT32, ["n", 5]),
        (TensorProto.UINT8, ["n", 2, 2]),
        (TensorProto.INT8, ["n", 2]),
        (TensorProto.BOOL, ["n", 2]),
        (FLOAT, []),
    ],
)
def test_inputs_of_every_numeric_kind_are_made_up(tmp_path, kind, shape):
    model = load(_relu(tmp_path / "m.onnx", [("x", kind, shape)]))
    feed = make_inputs(model.inputs)
    assert feed["x"].shape == tuple(1 if one == "n" else one for one in shape)
    (out,) = model.answer(feed)
    assert np.array_equal(out, feed["x"])
    if np.issubdtype(feed["x"].dtype, np.floating):
        assert np.all(np.isfinite(feed["x"]))
    else:
        assert set(np.unique(feed["x"]).tolist()) <= {0, 1}


def test_made_up_inputs_repeat_with_their_seed():
    schema = (Input("x", "tensor(float)", ("n", 4)),)
    first, again, other = (make_inputs(schema, Feed(batch=2, seed=seed))["x"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_made_up_mask_is_never_empty():
    mask = make_inputs((Input("mask", "tensor(int64)", ("n", 3)),), Feed(batch=200))["mask"]
    assert mask.any(axis=1).all()


def test_a_symbol_means_the_same_extent_in_every_input():
    schema = (
        Input("ids", "tensor(int64)", ("batch", "length")),
        Input("mask", "tensor(int64)", ("batch", "length")),
        Input("state", "tensor(float)", (1, "batch", 8)),
    )
    found = resolve_shapes(schema, Feed(batch=2, shapes={"ids": (2, 7)}))
    assert found == {"ids": (2, 7), "mask": (2, 7), "state": (1, 2, 8)}


@pytest.mark.parametrize(
    ("shape", "batch", "shapes", "words"),
    [
        (("n", "length"), 1, {}, r"no extent for axis 1 \('length'\) of input 'x'"),
        (("n", None), 1, {}, r"no extent for axis 1 \(unnamed\)"),
        (("n", 4), 1, {"y": (1, 4)}, r"a shape for 'y'.*expected one of 'x'"),
        (("n", 4), 1, {"x": (1, 5)}, "expected one that fits"),
        (("n", 4), 1, {"x": (4,)}, "expected one that fits"),
        (("n", 4), 1, {"x": (0, 4)}, "expected one that fits"),
        ((1, 4), 8, {}, "a fixed first axis of 1"),
    ],
)
def test_shapes_that_cannot_be_are_refused_by_name(shape, batch, shapes, words):
    with pytest.raises(UsageError, match=words):
        make_inputs((Input("x", "tensor(float)", shape),), Feed(batch=batch, shapes=shapes))


def test_a_text_input_is_refused_clearly():
    with pytest.raises(ModelError, match=r"tensor\(string\)"):
        make_inputs((Input("x", "tensor(string)", ("n",)),))


def test_the_axis_of_samples_is_the_first_unless_another_is_named():
    schema = (
        Input("x", "tensor(float)", ("length", None, 3)),
        Input("state", "tensor(float)", (2, None, 8)),
        Input("rate", "tensor(int64)", ()),
        Input("table", "tensor(float)", ("rows", 2)),
    )
    named = {"": 1, "table": None}
    feed = Feed(batch=4, batch_axes=named, shapes={"table": (9, 2)})
    assert [batch_axis(port, feed) for port in schema] == [1, 1, None, None]
    with pytest.raises(UsageError, match="no extent for axis 0"):
        resolve_shapes(schema, feed)
    given = Feed(batch=4, batch_axes=named, shapes={"table": (9, 2), "x": (5, 4, 3)})
    found = resolve_shapes(schema, given)
    assert found == {"x": (5, 4, 3), "state": (2, 4, 8), "rate": (), "table": (9, 2)}
    with pytest.raises(UsageError, match="axis 3 of 'x', which has 3"):
        batch_axis(schema[0], Feed(batch_axes={"x": 3}))
