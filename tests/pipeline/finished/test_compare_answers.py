"""What ``compare`` says of the answers of two models."""

import numpy as np
import pytest
import toolchain_tools
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import ModelError
from edgestill.pipeline.finished.compare import CompareOptions, compare
from edgestill.pipeline.finished.compare_answers import AnswersCompared, compare_answers
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.records import OutputLoss
from onnx import TensorProto, helper
from onnx_files import dense, save

FLOAT = TensorProto.FLOAT
DESTROYED = OutputLoss(
    name="z", measure="numbers", rows=32, relative_error=1.0, max_abs_difference=3.5,
    destroyed="its error is 1 times its deviation over the samples, at least 0.5",
)  # fmt: skip


def test_two_equal_models_answer_alike(tmp_path):
    a, b = (dense(tmp_path / f"{name}.onnx", layers=1, width=8) for name in "ab")
    found = compare_answers(a, b, Feed())
    assert found.lines() == (
        "answers to 32 generated queries, B against A: h1 0 of 32 changed, error 0, at most 0 "
        "apart",
    )
    assert found.cautions() == ()
    assert found.document()["outputs"][0]["name"] == "h1"


def test_a_destroyed_output_is_a_warning_and_a_field():
    found = AnswersCompared(32, False, (DESTROYED,), None, ())
    assert found.lines()[0].startswith("answers to 32 queries, B against A: z error 1 (0 dB)")
    (caution,) = found.cautions()
    assert caution == f"output z of B is not that of A: {DESTROYED.destroyed}"
    assert found.document()["outputs"][0]["destroyed"] == DESTROYED.destroyed


def test_what_is_not_compared_is_said():
    found = AnswersCompared(32, True, (), "A and B take other inputs", ())
    assert found.lines() == ("answers are not compared: A and B take other inputs",)
    sequence = OutputLoss(name="s", measure="none", rows=0, missing="a sequence or a map")
    (line,) = AnswersCompared(32, True, (sequence,), None, ()).lines()
    assert line.endswith("B against A: s not compared: a sequence or a map")


def test_a_model_that_draws_is_refused(tmp_path):
    ends = [("x", FLOAT, ["n", 8])], [("y", FLOAT, ["n", 8])]
    drawing = save(tmp_path / "r.onnx", [helper.make_node("Bernoulli", ["x"], ["y"])], *ends)
    half = save(tmp_path / "a.onnx", [helper.make_node("Sigmoid", ["x"], ["y"])], *ends)
    with pytest.raises(ModelError, match="answers one input in several ways") as told:
        compare_answers(half, drawing, Feed())
    assert told.value.where == str(drawing)


@pytest.mark.parametrize("place", [0, 1])
def test_compare_names_the_operator_before_anything_is_measured(tmp_path, place):
    plain = dense(tmp_path / "a.onnx", layers=1, width=8)
    ends = [("x", FLOAT, ["n", 8])], [("h1", FLOAT, ["n", 8])]
    drawing = save(
        tmp_path / "r.onnx", [helper.make_node("RandomNormalLike", ["x"], ["h1"])], *ends
    )
    pair = [plain, plain]
    pair[place] = drawing
    options = CompareOptions(out=tmp_path / "out")
    with pytest.raises(ModelError, match="RandomNormalLike 'h1' acts as in training") as told:
        compare(*pair, Silent(), options)
    assert told.value.where == str(drawing)
    assert not (tmp_path / "out").exists()


def test_answers_that_depend_on_the_batch_are_a_warning(tmp_path):
    ends = [("x", FLOAT, ["n", 8])], [("y", FLOAT, ["n", 8])]
    mean = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[0]),
        helper.make_node("Sub", ["x", "m"], ["y"]),
    ]
    path = save(tmp_path / "m.onnx", mean, *ends)
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32))
    found = compare_answers(path, path, Feed(str(tmp_path / "x.npz"), batch=4))
    assert [text[:3] for text in found.cautions()] == ["A: ", "B: "]
    assert "answers depend on the other samples of a batch" in found.cautions()[0]


TO_IR = """
import sys, openvino
openvino.save_model(openvino.Core().read_model(sys.argv[1]), sys.argv[2], compress_to_fp16=False)
"""


@pytest.mark.slow
def test_files_in_different_runtimes_are_asked_the_same(tmp_path):
    path = dense(tmp_path / "a.onnx", layers=2, width=8)
    ir = tmp_path / "a.xml"
    toolchain_tools.run_in("openvino", TO_IR, path, ir)
    found = compare_answers(path, ir, Feed())
    assert found.missing is None
    (output,) = found.outputs
    assert output.changed == 0
    assert output.max_abs_difference < 1e-5
    assert found.lines()[0].startswith("answers to 32 generated queries, B against A: ")
    other = dense(tmp_path / "b.onnx", layers=1, width=8)
    assert compare_answers(other, ir, Feed()).outputs[0].relative_error > 0.1
    renamed = save(
        tmp_path / "c.onnx",
        [helper.make_node("Sigmoid", ["z"], ["y"])],
        [("z", FLOAT, ["n", 8])],
        [("y", FLOAT, ["n", 8])],
    )
    assert compare_answers(renamed, ir, Feed()).missing == "A and B take other inputs"
