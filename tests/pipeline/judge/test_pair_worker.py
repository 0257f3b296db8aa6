"""Two models are asked the same queries, and compared output by output."""

from dataclasses import asdict

import numpy as np
import pytest
from edgestill.devices.onboard.model.made_inputs import make_inputs
from edgestill.devices.onboard.runtimes import load
from edgestill.devices.onboard.settings import Feed, Session
from edgestill.errors import ModelError
from edgestill.pipeline.judge.pair_worker import QUERIES, _compared, _out_of_memory, _queries, reply
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT
W = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)


@pytest.fixture
def product(tmp_path):
    """A product of x [n, 8] by some weights, with as many outputs as there are weights."""

    def made(name, **weights):
        nodes = [helper.make_node("MatMul", ["x", f"w{out}"], [out]) for out in weights]
        ends = [("x", FLOAT, ["n", 8])], [(out, FLOAT, ["n", 4]) for out in weights]
        stored = [(f"w{out}", weight) for out, weight in weights.items()]
        return save(tmp_path / f"{name}.onnx", nodes, *ends, stored)

    return made


def asked(a, b, feed=Feed()):  # noqa: B008 - frozen
    found, arrays = reply({"a": str(a), "b": str(b), "feed": asdict(feed), "names": ["A", "B"]}, [])
    assert arrays == []
    return found


def test_every_output_is_compared_on_queries_that_differ(product):
    found = asked(product("a", y=W, z=W), product("b", y=W, z=-W))
    assert (found["queries"], found["missing"], found["unsteady"]) == (QUERIES, None, [(), ()])
    first, second = found["outputs"]
    assert (first["name"], first["changed"], first["rows"]) == ("y", 0, QUERIES)
    assert second["changed"] > QUERIES / 2
    assert second["destroyed"] is not None


def test_outputs_of_other_names_stand_in_their_order(product):
    (only,) = asked(product("a", y=W), product("b", logits=W))["outputs"]
    assert (only["name"], only["max_abs_difference"]) == ("y", 0.0)
    # The same names in another order are the same outputs.
    swapped = asked(product("c", y=W, z=-W), product("d", z=-W, y=W))["outputs"]
    assert [one["max_abs_difference"] for one in swapped] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("samples", "batch", "queries"), [(6, 3, 2), (6, 6, 1), (40, 1, QUERIES), (32, 1, QUERIES)]
)
def test_real_inputs_are_asked_in_their_batches(product, tmp_path, samples, batch, queries):
    np.savez(tmp_path / "x.npz", x=np.ones((samples, 8), np.float32))
    feed = Feed(str(tmp_path / "x.npz"), batch=batch)
    found = asked(product("a", y=W), product("b", y=W), feed)
    assert (found["queries"], found["outputs"][0]["rows"]) == (queries, queries * batch)


def test_generated_inputs_differ_by_their_seed(product):
    a, b = product("a", y=W), product("b", y=W + 0.01)
    errors = [
        asked(a, b, Feed(seed=seed))["outputs"][0]["max_abs_difference"] for seed in (0, 0, 90)
    ]
    assert errors[0] == errors[1] != errors[2]


def test_an_answer_that_depends_on_the_batch_is_told_of_a_float_file_only(product, tmp_path):
    """A file with int8 in it does not claim to answer a sample alone as among others."""
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(4, 8)).astype("f"))
    ends = [("x", FLOAT, ["n", 8])], [("y", FLOAT, ["n", 8])]
    stored = [("s", np.float32(0.1)), ("z", np.uint8(0))]
    less = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[0]),
        helper.make_node("Sub", ["x", "m"], ["d"]),
    ]
    plain = save(tmp_path / "f.onnx", [*less, helper.make_node("Identity", ["d"], ["y"])], *ends)
    quantized = [
        helper.make_node("QuantizeLinear", ["d", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    int8 = save(tmp_path / "q.onnx", [*less, *quantized], *ends, stored)
    found = asked(plain, int8, Feed(str(tmp_path / "x.npz"), batch=4))
    assert [len(faults) for faults in found["unsteady"]] == [1, 0]


def test_models_that_take_too_much_memory_are_refused_with_the_limit():
    told = _out_of_memory(123456)
    assert told.found == "two models that need more than 123456 bytes of memory"
    assert told.fix == "compare them on a machine with more memory"


def test_models_that_are_no_pair_are_not_compared(product, tmp_path):
    other = save(
        tmp_path / "o.onnx",
        [helper.make_node("Relu", ["image"], ["y"])],
        [("image", FLOAT, ["n", 5])],
        [("y", FLOAT, ["n", 5])],
    )
    assert asked(product("a", y=W), other)["missing"] == "A and B take other inputs"
    assert asked(product("a", y=W), product("b", y=W, z=W))["missing"] == (
        "A has 1 output and B has 2 outputs"
    )


@pytest.mark.parametrize("unsteady", ["a", "b"])
def test_a_model_that_draws_is_named_by_its_place(product, tmp_path, unsteady):
    drawing = save(
        tmp_path / "r.onnx",
        [helper.make_node("RandomNormalLike", ["x"], ["y"])],
        [("x", FLOAT, ["n", 8])],
        [("y", FLOAT, ["n", 8])],
    )
    pair = (drawing, product("p", y=W)) if unsteady == "a" else (product("p", y=W), drawing)
    found = asked(*pair)
    assert [bool(faults) for faults in found["unsteady"]] == [unsteady == "a", unsteady == "b"]


def test_a_model_that_does_not_run_is_refused(product, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"junk")
    with pytest.raises(ModelError):
        asked(product("a", y=W), tmp_path / "broken.onnx")


def test_queries_are_drawn_with_the_seeds_from_that_of_the_feed_on(product):
    model = load(product("a", y=W), Session())
    found = _queries(model, Feed(batch=3, seed=40))
    made = [make_inputs(model.inputs, Feed(batch=3, seed=seed)) for seed in range(40, 72)]
    assert len(found) == len(made) == QUERIES
    for query, wanted in zip(found, made, strict=True):
        np.testing.assert_array_equal(query["x"], wanted["x"])


def test_an_error_of_one_model_alone_says_which_of_the_two(product, tmp_path):
    """A reshape to 3 rows does not run where a query has 2."""
    fixed = save(
        tmp_path / "r.onnx",
        [
            helper.make_node("Reshape", ["x", "s"], ["r"]),
            helper.make_node("MatMul", ["r", "w"], ["y"]),
        ],
        [("x", FLOAT, ["n", 8])],
        [("y", FLOAT, ["n", 4])],
        [("s", np.array([3, 8], np.int64)), ("w", W)],
    )
    model, other = load(product("a", y=W), Session()), load(fixed, Session())
    query = {"x": np.ones((2, 8), np.float32)}
    missing = _compared(model, other, [query], ["A", "B"])["missing"]
    assert missing.startswith("B does not answer what A does: ")
    assert len(missing) > len("B does not answer what A does: None")


@pytest.mark.parametrize(("rows", "batch"), [(3, 3), (1, 1)])
def test_rows_are_counted_by_the_samples_of_a_query(product, rows, batch):
    found = asked(product("a", y=W), product("b", y=W), Feed(batch=batch))
    assert found["outputs"][0]["rows"] == rows * QUERIES


def test_a_query_of_scalars_alone_is_one_sample(tmp_path):
    pair = [
        save(
            tmp_path / f"{op}.onnx",
            [helper.make_node(op, ["x"], ["y"])],
            [("x", FLOAT, [])],
            [("y", FLOAT, [])],
        )
        for op in ("Identity", "Neg")
    ]
    (found,) = asked(*pair)["outputs"]
    assert (found["rows"], found["measure"]) == (QUERIES, "numbers")
