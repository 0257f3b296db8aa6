"""Parity: a file answers as its torch model, at every batch and optimization level."""

import numpy as np
import onnx_files
import pytest
import torch
from edgestill.exporters.interface import INPUT, OUTPUT
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.judge import parity
from onnx import TensorProto, helper

TEST = Arrays(
    np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32), np.zeros(80, np.int64)
)


@pytest.fixture
def negated(tmp_path):
    """A file that answers with minus its input."""
    return onnx_files.save(
        tmp_path / "m.onnx",
        [helper.make_node("Neg", [INPUT], [OUTPUT])],
        [(INPUT, TensorProto.FLOAT, ["n", 3])],
        [(OUTPUT, TensorProto.FLOAT, ["n", 3])],
    )


class Times(torch.nn.Module):
    """Its input times a number."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def test_a_file_that_answers_as_its_module_holds_at_every_batch_and_level(negated):
    parities = parity.with_module(negated, Times(-1.0), TEST)
    assert {(one.batch, one.optimization) for one in parities} == {
        (batch, level) for batch in parity.BATCHES for level in ("none", "all")
    }
    assert all(one.holds and one.max_abs_difference == 0.0 for one in parities)


def test_a_file_that_answers_otherwise_says_by_how_much(negated):
    parities = parity.with_module(negated, Times(-1.01), TEST)
    assert not any(one.holds for one in parities)
    assert parities[0].max_abs_difference > 10 * parities[0].tolerance


def test_the_distance_is_that_of_the_number_furthest_apart():
    assert parity.distance(np.array([1.0, 2.0]), np.array([1.5, -1.0])) == 3.0
