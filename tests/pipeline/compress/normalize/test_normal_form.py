"""The normal form answers as the original on every foreign graph, and is what it promises."""

import foreign_graphs
import numpy as np
import onnx
import pytest
from edgestill.devices.onboard.model.names import nodes_of
from edgestill.devices.onboard.model.samples import samples_of
from edgestill.devices.onboard.runtimes import load
from edgestill.devices.onboard.settings import Session
from edgestill.errors import ModelError
from edgestill.pipeline.compress.normalize import normal_form
from edgestill.pipeline.compress.normalize.editing import attribute
from edgestill.pipeline.compress.normalize.normal_form import TOLERANCE, normalize
from edgestill.pipeline.compress.normalize.opsets import OLDEST, opset_of
from foreign_graphs.building import foreign, node

REFUSED = {
    "newer_than_the_runtime": "does not load",
    "custom_operator": "does not load",
    "training_left_on": "normal form is not the same",
}
ROUNDED = {"gemm_transposed"}
"""Graphs with a factor that is no power of two: those alone may change a bit."""


def outputs(path, feed):
    return load(path, Session(optimization="none")).answer(feed)


def normal(name, folder):
    """The original, the normal form, one query, and what was said."""
    graph = foreign_graphs.GRAPHS[name]()
    path, _ = foreign_graphs.write(graph, folder, name)
    schema = load(path, Session(optimization="none")).inputs
    feed = next(samples_of(graph.feeds, schema, where="here").batches(32))
    notes = normalize(path, folder / "normal.onnx", [feed])
    return path, folder / "normal.onnx", feed, notes


@pytest.mark.parametrize("name", [name for name in foreign_graphs.GRAPHS if name not in REFUSED])
def test_answers_as_the_original_and_keeps_the_promises_of_the_form(name, tmp_path):
    path, made, feed, _ = normal(name, tmp_path)
    for before, after in zip(outputs(path, feed), outputs(made, feed), strict=True):
        if name in ROUNDED:
            assert np.abs(before - after).max() <= TOLERANCE * np.abs(before).max()
        else:
            np.testing.assert_equal(before, after)
    model = onnx.load(made, load_external_data=False)
    stored = {tensor.name for tensor in model.graph.initializer}
    assert all(not tensor.external_data for tensor in model.graph.initializer)
    assert opset_of(model) >= OLDEST
    assert not model.functions
    assert stored.isdisjoint(value.name for value in model.graph.input)
    names = [one.name for one in model.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    biases = []
    for one in model.graph.node:
        assert one.op_type != "Constant"
        if one.op_type == "Gemm":
            assert [attribute(one, key, 1.0) for key in ("alpha", "beta")] == [1.0, 1.0]
            assert not attribute(one, "transA", 0)
        if one.op_type in ("Gemm", "Conv", "ConvTranspose"):
            biases += [name for name in one.input[2:] if name]
    assert len(set(biases)) == len(biases), "each layer has a bias of its own"
    kept = {name for one in model.graph.node for name in one.output}
    read = {name for one in nodes_of(model.graph) for name in one.input}
    ends = {value.name for value in model.graph.output}
    assert stored <= read | ends, "nothing is stored that nobody reads"
    assert any(kept & read) or len(model.graph.node) == 1 or kept & ends


@pytest.mark.parametrize("name", REFUSED)
def test_a_graph_that_cannot_run_or_repeat_is_refused(name, tmp_path):
    graph = foreign_graphs.GRAPHS[name]()
    path, _ = foreign_graphs.write(graph, tmp_path, name)
    with pytest.raises(ModelError, match=REFUSED[name]):
        normalize(path, tmp_path / "n.onnx", [graph.feeds])


def test_weights_are_seen_wherever_they_were(tmp_path):
    for name in ("constants_for_weights", "weights_behind_operators", "paddle_convolutions"):
        _, made, _, _ = normal(name, tmp_path)
        model = onnx.load(made)
        stored = {tensor.name for tensor in model.graph.initializer}
        layers = [n for n in model.graph.node if n.op_type in ("MatMul", "Conv")]
        assert all(layer.input[1] in stored for layer in layers), name


def test_what_was_rewritten_is_said(tmp_path):
    assert normal("gemm_with_every_bias", tmp_path)[3] == ("a factor or bias of 4 Gemm rewritten",)
    assert normal("constants_for_weights", tmp_path)[3] == ()


def test_a_form_that_answers_otherwise_is_refused(tmp_path, monkeypatch):
    """The comparison is what stands between a wrong rewriting and the user."""

    def wrong(editor):
        for tensor in editor.graph.initializer:
            if tensor.name == "b":
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.full(32, 9, np.float32), "b"))
        return 1

    monkeypatch.setattr(normal_form, "plain_products", wrong)
    with pytest.raises(ModelError, match=r"its outputs differ by .* of the largest"):
        normal("gemm_with_factors", tmp_path)


def test_an_opset_that_onnx_converts_wrongly_or_not_at_all_stays(tmp_path, monkeypatch):
    def refusing(model):
        raise ModelError("no")

    monkeypatch.setattr(normal_form, "converted", refusing)
    graph = foreign_graphs.GRAPHS["opset_9"]()
    path, _ = foreign_graphs.write(graph, tmp_path, "old")
    normalize(path, tmp_path / "n.onnx", [graph.feeds])
    assert opset_of(onnx.load(tmp_path / "n.onnx")) == 9


def test_a_constant_that_would_make_the_file_much_larger_stays_computed(tmp_path):
    shape = node("Constant", [], ["shape"], value_ints=[300, 300])
    nodes = [
        shape,
        node("ConstantOfShape", ["shape"], ["zeros"]),
        node("Add", ["x", "zeros"], ["y"]),
    ]
    graph = foreign(
        nodes, {"x": [300, 300]}, {"y": [300, 300]},
        feeds={"x": np.ones((300, 300), np.float32)},
    )  # fmt: skip
    path, _ = foreign_graphs.write(graph, tmp_path, "large")
    normalize(path, tmp_path / "n.onnx", [graph.feeds])
    assert path.stat().st_size < 1000
    assert (tmp_path / "n.onnx").stat().st_size < 1000
