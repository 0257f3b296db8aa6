"""A Gemm of any factors, shapes and places of its bias, against the standard's formula."""

import itertools

import numpy as np
import onnx
import pytest
from edgestill.devices.onboard.runtimes import load
from edgestill.devices.onboard.settings import Session
from edgestill.pipeline.compress.normalize.editing import Editor, attribute
from edgestill.pipeline.compress.normalize.products import plain_products
from edgestill.pipeline.compress.normalize.split_products import split_products
from foreign_graphs.building import drawn, foreign, node, normal

BIASES = [None, (), (1,), (6,), (1, 6), (4, 6), (4, 1)]


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("stored", ["weights", "bias", "both", "nothing"])
def test_every_gemm_becomes_plain_and_gives_what_the_standard_says(tmp_path, bias, stored):
    for (alpha, beta), left, right in itertools.product(
        [(1.0, 1.0), (0.5, 2.0), (1.7, 0.0), (1.0, -3.0)], (0, 1), (0, 1)
    ):
        random = drawn(1)
        arrays = {"a": normal(random, *((5, 4) if left else (4, 5)))}
        arrays["b"] = normal(random, *((6, 5) if right else (5, 6)))
        if bias is not None:
            arrays["c"] = np.asarray(normal(random, *bias))
        kept = {"weights": "b", "bias": "c", "both": "bc", "nothing": ""}[stored]
        inputs = {name: list(array.shape) for name, array in arrays.items() if name not in kept}
        gemm = node("Gemm", list(arrays), ["y"], alpha=alpha, beta=beta, transA=left, transB=right)
        model = foreign(
            [gemm], inputs, {"y": [4, 6]}, {n: a for n, a in arrays.items() if n in kept}, feeds={}
        ).model
        a, b = (arrays[n].T if turned else arrays[n] for n, turned in (("a", left), ("b", right)))
        expected = alpha * (a @ b) + (beta * arrays["c"] if bias is not None else 0)
        for rewrite in (plain_products, lambda e: (plain_products(e), split_products(e))):
            made = onnx.ModelProto()
            made.CopyFrom(model)
            rewrite(Editor(made))
            onnx.checker.check_model(made, full_check=True)
            path = tmp_path / "m.onnx"
            path.write_bytes(made.SerializeToString())
            feed = {name: array for name, array in arrays.items() if name in inputs}
            (found,) = load(path, Session(optimization="none")).answer(feed)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
            for one in made.graph.node:
                assert one.op_type in ("Gemm", "MatMul", "Add", "Mul", "Transpose")
                assert [attribute(one, key, 1.0) for key in ("alpha", "beta")] == [1.0, 1.0]
                assert not attribute(one, "transA", 0)
    assert {one.op_type for one in made.graph.node} <= {"MatMul", "Add", "Mul", "Transpose"}


def test_a_mask_is_no_bias():
    """-inf in a bias has no place in int8: it stays an Add behind the product."""
    w, mask = np.ones((3, 2), np.float32), np.array([0, -np.inf], np.float32)
    model = foreign(
        [node("Gemm", ["x", "w", "m"], ["y"])], {"x": ["N", 3]}, {"y": None}, {"w": w, "m": mask},
        feeds={},
    ).model  # fmt: skip
    assert plain_products(Editor(model)) == 1
    assert [(one.op_type, len(one.input)) for one in model.graph.node] == [("Gemm", 2), ("Add", 2)]


def test_a_plain_gemm_is_left_as_it_is():
    stored = {"w": np.ones((3, 2), np.float32), "b": np.ones(2, np.float32)}
    model = foreign(
        [node("Gemm", ["x", "w", "b"], ["y"])], {"x": ["N", 3]}, {"y": None}, stored, feeds={}
    ).model
    before = model.SerializeToString()
    assert plain_products(Editor(model)) == 0
    assert model.SerializeToString() == before
