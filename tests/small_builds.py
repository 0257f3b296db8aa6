"""Builds as small as can be: a recipe, a data set of three clouds and teachers made by hand."""

import numpy as np
import pytest
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.runs.run import differences
from onnx import TensorProto, helper, numpy_helper

RECIPE = """
name = "small"
threads = 1
[teacher]
model = "mlp1"
width = 16
epochs = 8
batch_size = 16
learning_rate = 0.02
[student]
model = "mlp1"
width = 8
[distill]
epochs = 8
batch_size = 16
learning_rate = 0.05
[compress]
variants = ["fp32"]
[benchmark]
processes = 1
operators = false
footprint = false
seconds = 0.001
min_queries = 1
max_queries = 4
[gate]
max_size_kib = 1000
[data]
source = "npz:data.npz"
test = 0.3
validation = 0.15
calibration = 0.1
"""
"""What every build here shares; the rest is said by overrides."""


CENTRES = np.random.default_rng(0).standard_normal((3, 6)) * 2.0


CLASSES = 3


NETS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, inputs, hidden, outputs, frozen):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU())
        self.last = nn.Linear(hidden, outputs)
        self.frozen = frozen

    def forward(self, x):
        if self.frozen and self.training:
            raise RuntimeError("asked in training mode")
        return self.last(self.first(x))


def make(hidden=8, outputs=3):
    return Net(6, hidden, outputs, frozen=False)


def frozen(outputs=3):
    return Net(6, 6, outputs, frozen=True)
"""
"""A user's module: a network to train and one that may only be asked."""


def recipe(folder, *overrides):
    """A recipe file, and a read recipe with what the overrides say."""
    path = folder / "recipe.toml"
    path.write_text(RECIPE)
    return load(path, overrides)


def build(folder, *overrides, **more):
    """A finished build; its run is whole and its page drawn."""
    done = pipeline.build(recipe(folder, *overrides), artifacts=folder / "artifacts", **more)
    assert differences(done.run) == []
    assert (done.run / "report.html").stat().st_size > 10_000
    assert done.report.verdict.outcome == "ready", done.report.verdict.why
    fp32 = done.report.quality.variants[0]
    assert [p for p in fp32.parity if not p.holds] == []
    return done


def until(folder, stage, *overrides):
    """What a build that stops after a stage made last."""
    return pipeline.build(
        recipe(folder, *overrides), artifacts=folder / "artifacts", until=stage
    ).stopped


def points(number=240):
    """Three clouds in six dimensions."""
    y = np.arange(number) % CLASSES
    noise = np.random.default_rng(1).standard_normal((number, 6))
    return (CENTRES[y] + noise).astype(np.float32), y


def onnx_file(path, weights, bias):
    """A black box: one fully connected layer."""
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["z"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", len(bias)])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    saved(path, graph)


def saved(path, graph):
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    path.write_bytes(model.SerializeToString())


SAID = {"bad": ["dull", "broken", "awful"], "good": ["bright", "lovely", "superb"]}


def texts(folder, number=240):
    """Reviews of two kinds, told by a few words among many that say nothing."""
    pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    random = np.random.default_rng(0)
    idle = [f"word{i}" for i in range(30)]
    lines = ["text,label"]
    for i in range(number):
        label = ("bad", "good")[i % 2]
        words = [*random.choice(idle, random.integers(3, 12)), *random.choice(SAID[label], 2)]
        lines.append(f"{' '.join(random.permutation(words))},{label}")
    (folder / "reviews.csv").write_text("\n".join(lines))


def images(folder, number=96):
    """Small pictures with a bright left or right half."""
    random = np.random.default_rng(0)
    y = np.arange(number) % 2
    x = random.integers(0, 120, (number, 8, 8, 3))
    x[y == 0, :4] += 100
    x[y == 1, 4:] += 100
    np.savez(folder / "data.npz", x=x.astype(np.uint8), y=y)
