"""A file that answers one input in several ways is found by asking it."""

from functools import partial

import numpy as np
import pytest
from edgestill.devices.onboard.settings import Session
from edgestill.pipeline.judge.steadiness import (
    _has_rows,
    _in_half,
    _largest,
    _row_apart,
    answers_alone,
    steadiness,
)
from onnx import TensorProto, helper
from onnx_files import dense, save

FLOAT = TensorProto.FLOAT
X = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)


@pytest.fixture
def asked(tmp_path):
    """The steadiness of a graph from ``x`` [n, 8] to ``y``."""

    def steady(*nodes, batch="n", x=X, kind=FLOAT, stored=(), alone=True):
        ends = [("x", FLOAT, [batch, 8])], [("y", kind, None)]
        path = save(tmp_path / "m.onnx", nodes, *ends, stored)
        return steadiness(path, {"x": x}, Session(), alone=alone)

    return steady


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


def test_a_plain_model_answers_in_one_way(tmp_path):
    path = dense(tmp_path / "m.onnx", layers=2, width=8)
    found = steadiness(path, {"x": X}, Session(), alone=True)
    assert (found.samples, found.again, found.session) == (16, 0.0, 0.0)
    assert found.alone < 1e-5
    assert found.faults == ()


@pytest.mark.promise("A file that answers one input in several ways is found by asking it again")
def test_a_model_that_draws_is_found_in_one_session(asked):
    found = asked(node("RandomNormalLike", ["x"], ["r"]), node("Add", ["x", "r"], ["y"]))
    assert found.again > 0.1
    (fault,) = found.faults
    assert fault.startswith("answers one input in several ways: asked again, an output differs by")


def test_a_model_that_is_seeded_is_found_all_the_same(asked):
    draw = node("RandomNormalLike", ["x"], ["r"], seed=1.0)
    assert asked(draw, node("Add", ["x", "r"], ["y"])).faults


@pytest.mark.parametrize("seed", [{}, {"seed": 1.0}])
def test_a_model_that_draws_in_few_queries_is_found_by_the_further_ones(tmp_path, seed):
    ends = [("x", FLOAT, ["n", 8])], [("y", FLOAT, ["n", 8])]
    path = save(tmp_path / "m.onnx", [node("Bernoulli", ["x"], ["y"], **seed)], *ends)
    certain, drawn = np.ones((1, 8), np.float32), np.full((1, 8), 0.5, np.float32)
    ask = partial(steadiness, path, {"x": certain}, Session(), alone=True)
    assert ask().faults == ()
    assert ask(further=[{"x": certain}, *[{"x": drawn}] * 4]).faults


def test_an_answer_that_depends_on_the_batch_is_found_by_asking_alone(asked):
    mean = node("ReduceMean", ["x"], ["m"], axes=[0])
    found = asked(mean, node("Sub", ["x", "m"], ["y"]))
    assert (found.again, found.session) == (0.0, 0.0)
    assert found.alone > 0.1
    (fault,) = found.faults
    assert fault.startswith("answers depend on the other samples of a batch: alone, an output")


@pytest.mark.parametrize("claims", [{"alone": False}, {"batch": 16}, {"x": X[:1]}])
def test_what_does_not_claim_to_answer_a_sample_alone_is_not_asked(asked, claims):
    mean = node("ReduceMean", ["x"], ["m"], axes=[0])
    found = asked(mean, node("Sub", ["x", "m"], ["y"]), **claims)
    assert found.alone is None
    assert found.faults == ()


def test_an_output_of_the_whole_batch_is_no_answer_to_a_sample(asked):
    turned = node("Transpose", ["x"], ["t"], perm=[1, 0])
    found = asked(turned, node("MatMul", ["x", "t"], ["y"]))
    assert found.alone is None


def test_a_model_that_takes_no_single_sample_does_not_claim_to(asked):
    shape = [("s", np.array([16, 8], np.int64))]
    found = asked(node("Reshape", ["x", "s"], ["y"]), stored=shape)
    assert (found.again, found.alone) == (0.0, None)


def test_integers_and_masks_of_infinity_are_compared_too(asked):
    least = [("low", np.array(-np.inf, np.float32)), ("zero", np.zeros((), np.float32))]
    masked = node("Where", ["c", "x", "low"], ["y"])
    assert asked(node("Greater", ["x", "zero"], ["c"]), masked, stored=least).faults == ()
    drawn = node("RandomUniformLike", ["x"], ["r"])
    chosen = node("ArgMax", ["r"], ["y"], axis=1)
    assert asked(drawn, chosen, kind=TensorProto.INT64).faults


@pytest.mark.parametrize(
    ("kind", "claims"),
    [
        ("Relu", True),
        ("MatMul", True),
        ("QuantizeLinear", False),
        ("DynamicQuantizeMatMul", False),
        ("MatMulInteger", False),
        ("QLinearConv", False),
    ],
)
def test_what_computes_in_int8_does_not_claim_to_answer_alone(tmp_path, kind, claims):
    ends = [("x", FLOAT, ["n", 8])], [("y", FLOAT, None)]
    assert answers_alone(save(tmp_path / "m.onnx", [node(kind, ["x"], ["y"])], *ends)) == claims


def test_half_precision_is_allowed_more(asked):
    half = node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16)
    assert asked(half, kind=TensorProto.FLOAT16).alone_tolerance == 1e-2


def test_two_samples_are_enough_to_be_asked_alone(asked):
    mean = node("ReduceMean", ["x"], ["m"], axes=[0])
    assert asked(mean, node("Sub", ["x", "m"], ["y"]), x=X[:2]).alone > 0.1


@pytest.mark.parametrize("row", [0, 3])
def test_one_sample_of_the_first_four_that_is_answered_otherwise_alone_is_enough(asked, row):
    x = np.zeros((16, 8), np.float32)
    x[row] = -1.0
    largest = node("ReduceMax", ["x"], ["m"], axes=[0])
    # Only the sample below the largest of the batch is moved by it.
    assert asked(largest, node("Sub", ["x", "m"], ["y"]), x=x).alone == 1.0


def test_the_fifth_sample_is_not_asked_alone(asked):
    x = np.zeros((16, 8), np.float32)
    x[4] = -1.0
    largest = node("ReduceMax", ["x"], ["m"], axes=[0])
    assert asked(largest, node("Sub", ["x", "m"], ["y"]), x=x).alone == 0.0


def test_answers_of_other_parts_have_nothing_in_common():
    one = {"s[0]": np.zeros(2)}
    assert _largest(one, {**one, "s[1]": np.zeros(2)}) == 1.0
    assert _largest(one, one) == _largest({}, {}) == 0.0


def test_a_model_with_a_seed_draws_anew_in_one_session_and_the_same_in_another(asked):
    draw = node("RandomNormalLike", ["x"], ["r"], seed=1.0)
    found = asked(draw, node("Add", ["x", "r"], ["y"]))
    assert found.again > 0.1
    assert found.session == 0.0


@pytest.mark.parametrize(("extents", "samples"), [(([5, 2], []), 5), (([2], [9]), 9), (([],), 1)])
def test_the_samples_of_a_query_are_the_longest_first_axis(tmp_path, extents, samples):
    names = [f"x{i}" for i in range(len(extents))]
    ends = [
        [(name, FLOAT, shape) for name, shape in zip(these, extents, strict=True)]
        for these in (names, [f"y{i}" for i in range(len(extents))])
    ]
    nodes = [node("Neg", [name], [f"y{i}"]) for i, name in enumerate(names)]
    path = save(tmp_path / "m.onnx", nodes, *ends)
    feed = {n: np.ones(shape, np.float32) for n, shape in zip(names, extents, strict=True)}
    found = steadiness(path, feed, Session(), alone=True)
    assert (found.samples, found.again, found.session, found.alone) == (samples, 0.0, 0.0, None)


@pytest.mark.parametrize(
    ("together", "single", "has"),
    [
        (np.zeros((4, 3)), np.zeros((1, 3)), True),
        (np.zeros(4), np.zeros(1), True),
        (np.zeros((4, 3), np.int64), np.zeros((1, 3), np.int64), False),
        (np.zeros((3, 4)), np.zeros((1, 4)), False),
        (np.zeros((4, 3)), np.zeros((1, 2)), False),
        (np.zeros((4, 3)), np.zeros((4, 3)), False),
        (np.zeros(()), np.zeros(()), False),
    ],
)
def test_a_float_output_with_one_row_a_sample_has_an_answer_to_each(together, single, has):
    assert _has_rows(together, single, 4) == has


def test_a_row_is_apart_by_a_share_of_the_largest_value_of_the_whole_output():
    together = np.array([[2.0, 0.0], [1.0, 4.0]])
    assert _row_apart(together, 1, np.array([[1.0, 3.0]])) == 0.25
    assert _row_apart(together, 0, np.array([[1.0, 3.0]])) == 0.75
    assert together.tolist() == [[2.0, 0.0], [1.0, 4.0]], "it stays as it is"


def test_one_output_in_half_precision_is_enough_for_its_tolerance():
    full, half = np.zeros(2, np.float32), np.zeros(2, np.float16)
    assert [_in_half(one) for one in ({"a": full, "b": half}, {"a": full}, {})] == [
        True, False, False,
    ]  # fmt: skip


def test_of_the_runtimes_own_format_nothing_is_known_so_it_claims_nothing(tmp_path):
    (tmp_path / "m.ort").write_bytes(b"\0\0\0\0ORTM and more")
    assert not answers_alone(tmp_path / "m.ort")


def test_outputs_of_several_names_are_as_far_apart_as_the_furthest():
    one = {"a": np.array([1.0, 2.0]), "b": np.array([4.0])}
    assert _largest(one, {"a": np.array([1.0, 1.5]), "b": np.array([5.0])}) == 0.25
    assert _largest(one, {"a": np.array([1.0, 1.0]), "b": np.array([5.0])}) == 0.5
