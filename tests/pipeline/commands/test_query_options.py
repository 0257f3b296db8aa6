"""One set of options says what every command queries models with."""

import json
from pathlib import Path

import click
import edgestill
import numpy as np
import onnx_files
import pytest
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import EdgestillError, UsageError
from edgestill.pipeline.commands.bench import bench
from edgestill.pipeline.commands.models import compare, explain
from edgestill.pipeline.commands.query_options import feed_of, given_shapes
from edgestill.pipeline.commands.shared import Invocation, axes_of
from onnx import TensorProto, helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


@pytest.fixture
def voice(tmp_path):
    """A recurrent step as a voice detector has it: audio, a state of layers first, a rate."""
    nodes = [
        helper.make_node("Cast", ["rate"], ["r"], to=FLOAT),
        helper.make_node("Div", ["audio", "r"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["h"]),
        helper.make_node("Add", ["h", "state"], ["next"]),
        helper.make_node("ReduceMean", ["next"], ["y"], axes=[0], keepdims=0),
    ]
    inputs = [("audio", FLOAT, ["n", 16]), ("state", FLOAT, [2, -1, 8]), ("rate", INT64, [])]
    outputs = [("y", FLOAT, ["n", 8]), ("next", FLOAT, [2, "n", 8])]
    stored = [("w", np.ones((16, 8), np.float32))]
    path = onnx_files.save(tmp_path / "voice.onnx", nodes, inputs, outputs, stored)
    np.savez(
        tmp_path / "real.npz",
        audio=np.ones((6, 16), np.float32),
        state=np.zeros((2, 6, 8), np.float32),
        rate=np.int64(16000),
        y=np.zeros(6, np.int64),
    )
    return path, tmp_path / "real.npz"


def run(command, *words):
    """The document that a command prints with --json."""
    printed = []
    invocation = Invocation(json=True)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("bench", "models"):
            patch.setattr(
                f"edgestill.pipeline.commands.{module}.print_json",
                lambda _, document: printed.append(json.loads(json.dumps(document))),
            )
        command.main([str(word) for word in words], obj=invocation, standalone_mode=False)
    return printed[0]


QUICK = ("--seconds", "0.01", "--processes", "1")


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.slow
def test_bench_takes_scalars_and_states_whose_samples_are_not_first(voice, batch, tmp_path):
    path, inputs = voice
    found = run(
        bench, path, "--inputs", inputs, "--batch", batch, *QUICK, "--out", tmp_path / "out"
    )
    (model,) = found["models"]
    assert model["macs"] == batch * 16 * 8
    assert found["settings"]["feed"]["inputs"] == "real.npz"


def test_operators_are_timed_with_real_inputs(voice):
    path, inputs = voice
    known = Path(edgestill.__file__).parent / "devices/profiles/raspberry-pi-4.toml"
    real = ("--inputs", inputs, "--batch", 2)
    found = run(bench, path, "--operators", "--host-profile", known, *real)
    operators = found["models"][0]["operators"]
    assert sum(one["macs"] or 0 for one in operators) == 2 * 16 * 8


def test_an_axis_can_be_named_where_nothing_tells_it(voice, tmp_path):
    path, _ = voice
    inputs = tmp_path / "other.npz"
    # As many rows as the state has layers: only the user knows which axis is which.
    arrays = {
        "audio": np.ones((1, 16), np.float32),
        "state": np.zeros((2, 4, 8), np.float32),
        "rate": np.int64(8000),
    }
    np.savez(inputs, **arrays)
    found = run(
        bench, path, "--inputs", inputs, "--batch-axis", "state=none", "--batch-axis", "audio=none",
        *QUICK, "--out", tmp_path / "out",
    )  # fmt: skip
    assert found["models"][0]["macs"] == 16 * 8
    with pytest.raises(EdgestillError, match=r"for .stat., expected one of"):
        run(bench, path, "--inputs", inputs, "--batch-axis", "stat=1", *QUICK)


def test_compare_and_explain_take_the_same_options():
    names = {option.name for option in bench.params}
    query = {"shapes", "inputs", "batch", "batch_axes"}
    assert query <= names
    for command in (compare, explain):
        assert query <= {option.name for option in command.params}
        assert isinstance(command, click.Command)


def test_the_options_become_a_feed():
    assert feed_of() == Feed()
    assert feed_of(("x=1,3",), batch=2) == Feed(batch=2, shapes={"x": (1, 3)})
    real = feed_of(inputs=Path("i.npz"), batch_axes=("state=1", "0", "sr=none"))
    assert real == Feed("i.npz", batch_axes={"state": 1, "": 0, "sr": None})
    assert given_shapes(("a=b=1,2",)) == {"a=b": (1, 2)}
    with pytest.raises(UsageError, match="--shape with --inputs"):
        feed_of(("x=1,3",), Path("i.npz"))


@pytest.mark.parametrize("text", ["=1", "state=", "state=first", "state=-1", ""])
def test_an_axis_of_another_form_is_refused(text):
    with pytest.raises(UsageError, match="--batch-axis"):
        axes_of((text,))
