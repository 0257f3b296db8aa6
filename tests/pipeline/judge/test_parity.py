"""Parity: a file answers as its torch model, at every batch and optimization level."""

from types import SimpleNamespace

import numpy as np
import onnx_files
import pytest
import torch
from edgestill.exporters.interface import INPUT, OUTPUT, PROBABILITIES
from edgestill.pipeline import tasks
from edgestill.pipeline.data.arrays import Arrays, draw
from edgestill.pipeline.judge import parity
from edgestill.pipeline.judge.answers import REFERENCE
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


def tuned(folder, expected, **record):
    """A student that a method trained on, with the answers of its torch model."""
    x = TEST.x[:5]
    np.savez(folder / REFERENCE, x=x, logits=expected(x))
    return SimpleNamespace(record=SimpleNamespace(**record), path=folder)


def test_a_file_in_int8_may_differ_by_one_level_of_256_or_as_its_own_model_moves(negated, tmp_path):
    spread = float(np.ptp(TEST.x[:5]))
    for moves, tolerance in ((0.0, spread / 255), (0.5, 0.5)):
        made = tuned(tmp_path, lambda x: 0.001 - x, rounds=True, moves=moves)
        found = parity.with_tuned(negated, made, precise=False)
        assert len(found) == 2 * len(parity.BATCHES)
        assert {one.samples for one in found} == {5}
        assert all(one.tolerance == pytest.approx(tolerance) for one in found)
        assert all(one.holds for one in found)
        assert found[0].max_abs_difference == pytest.approx(0.001, rel=1e-3)


def test_a_file_in_float_may_not(negated, tmp_path):
    made = tuned(tmp_path, lambda x: 0.001 - x, rounds=False, moves=0.5)
    found = parity.with_tuned(negated, made, precise=False)
    assert not any(one.holds for one in found)
    assert found[0].tolerance == pytest.approx(1e-4 * max(1.0, np.abs(0.001 - TEST.x[:5]).max()))


@pytest.mark.parametrize("precise", [True, False])
def test_a_file_in_int8_runs_as_on_the_target(negated, tmp_path, monkeypatch, precise):
    asked, logits = [], parity.logits

    def noted(path, x, **given):
        asked.append(given)
        return logits(path, x, **given)

    monkeypatch.setattr(parity, "logits", noted)
    parity.with_tuned(negated, tuned(tmp_path, np.negative, rounds=False), precise=precise)
    assert asked == [
        {"batch": batch, "optimization": level, "precise": precise}
        for batch in (1, 7, 64)
        for level in ("none", "all")
    ]
    asked.clear()
    parity.with_module(negated, Times(-1.0), TEST)
    assert {one["precise"] for one in asked} == {False}


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_the_tolerance_is_a_share_of_the_largest_answer_of_1_at_least(negated, factor):
    largest = max(1.0, factor * float(np.abs(draw(TEST, parity.SAMPLES).x).max()))
    found = parity.with_module(negated, Times(factor), TEST)
    assert {one.samples for one in found} == {64}
    assert all(one.tolerance == pytest.approx(1e-4 * largest) for one in found)


def test_a_file_of_another_runtime_is_held_at_its_batch_to_a_share_of_the_range(
    negated, tmp_path, monkeypatch
):
    asked, logits = [], parity.logits

    def noted(path, x, **given):
        asked.append((path, given))
        return logits(path, x, **given)

    monkeypatch.setattr(parity, "logits", noted)
    samples = draw(TEST, parity.SAMPLES).x
    for factor in (-1.01, -0.01):
        (found,) = parity.in_other_runtime(negated, Times(factor), TEST, 7)
        assert (found.batch, found.optimization, found.samples) == (7, "all", 64)
        apart = abs(1.0 + factor) * np.abs(samples).max()
        assert found.max_abs_difference == pytest.approx(apart, rel=1e-4)
        spread = max(1.0, abs(factor) * float(np.ptp(samples)))
        assert found.tolerance == pytest.approx(1e-3 * spread)
    assert asked == [(negated, {"batch": 7})] * 2


def test_a_tuned_file_of_another_runtime_is_held_to_its_torch_models_answers(negated, tmp_path):
    made = tuned(tmp_path, lambda x: -1.01 * x, rounds=False)
    (found,) = parity.with_tuned_elsewhere(negated, made, 5)
    assert (found.batch, found.samples) == (5, 5)
    assert found.max_abs_difference == pytest.approx(0.01 * np.abs(TEST.x[:5]).max(), rel=1e-3)
    assert found.tolerance == pytest.approx(1e-3 * max(1.0, 1.01 * float(np.ptp(TEST.x[:5]))))


def test_a_tuned_file_with_a_softmax_behind_it_is_held_to_probabilities(tmp_path):
    path = onnx_files.save(
        tmp_path / "m.onnx",
        [
            helper.make_node("Neg", [INPUT], ["n"]),
            helper.make_node("Softmax", ["n"], [PROBABILITIES]),
        ],
        [(INPUT, TensorProto.FLOAT, ["n", 3])],
        [(PROBABILITIES, TensorProto.FLOAT, ["n", 3])],
    )
    gives = tasks.of("classification").probabilities
    spread = float(np.ptp(TEST.x[:5]))
    for rounds, tolerance in ((True, spread / 255 / 2), (False, None)):
        made = tuned(tmp_path, np.negative, rounds=rounds, moves=0.0)
        (found, *others) = parity.with_tuned(path, made, precise=False, gives=gives)
        assert all(one.holds for one in (found, *others))
        assert found.max_abs_difference < 1e-6
        assert tolerance is None or found.tolerance == pytest.approx(tolerance)
    (found,) = parity.with_tuned_elsewhere(path, made, 5, gives=gives)
    assert found.max_abs_difference < 1e-6


def test_no_softmax_moves_further_than_its_tolerance_allows():
    random = np.random.default_rng(0)
    logits = random.normal(scale=3.0, size=(2000, 4))
    moved = logits + random.uniform(-0.1, 0.1, logits.shape)
    of = tasks.of("classification").probabilities.of
    assert 0.02 < np.abs(of(moved) - of(logits)).max() <= parity.STEEPEST * 0.1
