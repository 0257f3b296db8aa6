"""Every output of a quantized file is compared, and a model without one answer is refused."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
import shared_cases
from edgestill.errors import ModelError
from edgestill.pipeline.commands.quantize import summary
from edgestill.pipeline.finished.quantize import quantize
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.files import compress_part
from in_process_child import InProcess
from onnx import TensorProto, helper
from onnx_files import save
from rich.console import Console

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((32, 3, 16, 16)).astype(np.float32)
METHODS = ("int8-static", "int8-dynamic", "fp16")


def drawn(*shape):
    return (RANDOM.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


HEAD = [
    node("Conv", ["x", "w"], ["a"]),
    node("Relu", ["a"], ["r"]),
    node("GlobalAveragePool", ["r"], ["p"]),
    node("Flatten", ["p"], ["f"]),
    node("Gemm", ["f", "gw", "gb"], ["y"], transB=1),
]
STORED = [("w", drawn(8, 3, 3, 3)), ("gw", drawn(10, 8)), ("gb", drawn(10))]
Y = ("y", FLOAT, None)


def two_outputs():
    """The second output reads four channels that one scale for all channels rounds to 0."""
    scale = np.ones((1, 8, 1, 1), np.float32)
    scale[:, 4:] = 1e-4
    weights = np.concatenate([np.zeros((5, 4, 1, 1)), drawn(5, 4, 1, 1) * 1e4], 1)
    nodes = [
        *HEAD,
        node("Mul", ["r", "k"], ["s"]),
        node("Conv", ["s", "w2"], ["t"]),
        node("ReduceMean", ["t"], ["z"], axes=[2, 3], keepdims=0),
    ]
    return nodes, [Y, ("z", FLOAT, None)], [*STORED, ("k", scale), ("w2", np.float32(weights))]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Quantize a graph from ``x`` by some methods, without a process for each."""
    monkeypatch.setattr("edgestill.pipeline.finished.quantize.Child", InProcess)

    def made(graph, *methods, labels=None, settings=(), sequences=()):
        nodes, outputs, stored = graph
        path = tmp_path / "m.onnx"
        save(path, nodes, [("x", FLOAT, ["N", 3, 16, 16])], outputs, stored)
        model = onnx.load(path)
        for name in sequences:
            model.graph.output.append(helper.make_tensor_sequence_value_info(name, FLOAT, None))
        onnx.save(model, path)
        labelled = {} if labels is None else {"y": labels}
        np.savez(tmp_path / "c.npz", x=X, **labelled)
        part = compress_part(methods or ("int8-static",), "host", settings)
        return quantize(path, tmp_path / "c.npz", tmp_path / "out", part, Silent())

    return made


def text_of(result):
    console = Console(width=200)
    with console.capture() as captured:
        console.print(summary(result, verbose=True))
    return captured.get()


@pytest.mark.parametrize("outputs", [1, 2])
def test_no_figure_is_cut_in_80_columns(run, outputs):
    made = run(two_outputs())
    (file,) = made.files
    figures = {
        "rows": 1_234_567,
        "changed": 123_456,
        "relative_error": 0.0027,
        "max_abs_difference": 0.0123,
    }
    losses = tuple(
        one.model_copy(update={"name": f"logits_of_the_classes_{at}", **figures})
        for at, one in enumerate(file.outputs[:outputs])
    )
    path = "out/efficientnetlite0averylongpartofaname.int8-static-reduced.onnx"
    long = file.model_copy(update={"path": path, "bytes": 1_234_567_890, "outputs": losses})
    whole = made.model_copy(update={"files": (long,), "bytes": 2_000_000_000})
    console = Console(width=80)
    with console.capture() as captured:
        console.print(summary(whole, verbose=False, columns=80))
    text = captured.get()
    assert "…" not in text
    for figure in ("123,456 of 1,234,567", "0.0027 (51 dB)", "0.0123"):
        assert text.count(figure) == outputs
    assert ("output: logits_of_the_classes_0" in text) == (outputs == 1)


@pytest.mark.promise("Every output of a quantized file is compared, and a destroyed one is said")
def test_a_destroyed_second_output_is_said_on_every_surface(run):
    result = run(two_outputs())
    (file,) = result.files
    first, second = file.outputs
    assert (first.name, first.measure, first.destroyed) == ("y", "classes", None)
    assert (second.name, second.rows) == ("z", 32)
    assert second.relative_error > 0.9
    assert second.destroyed is not None
    assert file.lost == second.lost
    assert result.exit_code == 1
    text = text_of(result)
    assert "warning: int8-static destroys the output z: " in text
    assert [line.split()[-4:-2] for line in text.splitlines() if " dB)" in line]


def test_the_exit_code_and_the_document_agree_with_it(run, tmp_path):
    run(two_outputs())
    command = [sys.executable, "-m", "edgestill", "quantize", tmp_path / "m.onnx"]
    ended = subprocess.run(
        [*command, "--calibration", tmp_path / "c.npz", "--out", tmp_path / "o", "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    document = json.loads(ended.stdout)
    assert ended.returncode == document["exit_code"] == 1
    assert [one["name"] for one in document["files"][0]["outputs"] if one["destroyed"]] == ["z"]
    assert (tmp_path / "o" / "m.int8-static.onnx").is_file()


def test_mixed_precision_keeps_what_the_second_output_needs(run):
    (file,) = run(two_outputs(), "int8-mixed", settings=["mixed_max_loss=0.1"]).files
    second = file.outputs[1]
    assert second.destroyed is None
    assert second.lost <= 0.1
    assert file.curve[0].lost > 0.9


def test_an_output_of_every_kind_has_its_own_measure(run):
    nodes = [
        *HEAD,
        node("ArgMax", ["y"], ["class"], axis=1, keepdims=0),
        node("ReduceMax", ["y"], ["largest"], keepdims=0),
        node("SequenceConstruct", ["y"], ["all"]),
    ]
    outputs = [("class", INT64, None), Y, ("largest", FLOAT, None)]
    result = run((nodes, outputs, STORED), *METHODS, sequences=["all"])
    for file in result.files:
        kinds = {output.name: output.measure for output in file.outputs}
        kinds_of = {"class": "equality", "y": "classes", "largest": "numbers", "all": "none"}
        assert kinds == kinds_of
        assert file.destroyed == ()
    assert "output all is not compared: a sequence or a map" in text_of(result)
    assert result.exit_code == 0


def test_the_shared_case_of_a_destroyed_output_is_said(tmp_path):
    folder = shared_cases.made("second_output.py", tmp_path)
    part = compress_part(("int8-static", "int8-dynamic"), "host", ())
    model, data = folder / "second.onnx", folder / "second.npz"
    result = quantize(model, data, tmp_path / "out", part, Silent())
    static = result.files[0]
    assert [output.name for output in static.destroyed] == ["z"]
    assert result.exit_code == 1


def test_labels_belong_to_the_output_of_classes(run):
    labels = RANDOM.integers(0, 10, 32)
    (file,) = run(two_outputs(), labels=labels).files
    assert file.lost == pytest.approx(file.outputs[1].lost)


def test_a_model_that_draws_is_refused_by_its_operator(run):
    graph = ([*HEAD[:4], node("Bernoulli", ["f"], ["y"])], [Y], STORED[:1])
    with pytest.raises(ModelError, match="Bernoulli 'y' acts as in training"):
        run(graph)


def test_a_model_that_reads_the_batch_is_warned_of(run):
    nodes = [*HEAD[:-1], node("Gemm", ["f", "gw", "gb"], ["l"], transB=1)]
    nodes += [node("ReduceMean", ["l"], ["m"], axes=[0]), node("Sub", ["l", "m"], ["y"])]
    result = run((nodes, [Y], STORED))
    (warning,) = result.warnings
    assert warning.startswith("answers depend on the other samples of a batch: alone")
    assert f"warning: the model's {warning}" in text_of(result)
