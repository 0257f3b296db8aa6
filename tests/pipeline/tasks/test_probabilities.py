"""Softmax, sigmoid and divergences by scipy; which outputs are probabilities, at the edge."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import blocks, of
from edgestill.pipeline.tasks.probabilities import (
    LEAST,
    binary_divergence,
    divergence,
    log_sigmoid,
    log_softmax,
    sigmoid,
)
from scipy import special

CLASSES, LABELS = (of(t).probabilities for t in ("classification", "multi-label"))
Z, T = np.random.default_rng(0).normal(0.0, 3.0, (2, 20, 3))


def test_logarithms_and_shares_are_scipys():
    assert log_softmax(Z) == pytest.approx(special.log_softmax(Z, 1))
    assert log_sigmoid(Z) == pytest.approx(special.log_expit(Z))
    assert sigmoid(Z) == pytest.approx(special.expit(Z))
    huge = np.array([-1e5, 1e5])
    assert log_sigmoid(huge) == pytest.approx([-1e5, 0.0])
    assert log_softmax(huge[None].astype(np.float32)).tolist() == [[-2e5, 0.0]]


@pytest.mark.parametrize("cells", [1, 12, 2**20])
def test_divergences_are_scipys_in_blocks_of_any_size(cells, monkeypatch):
    monkeypatch.setattr(blocks, "_CELLS", cells)
    p, q = special.softmax(T, 1), special.softmax(Z, 1)
    assert divergence(Z, T) == pytest.approx(special.rel_entr(p, q).sum(1))
    p, q = special.expit(T), special.expit(Z)
    each = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    assert binary_divergence(Z, T) == pytest.approx(each.mean(1))


def test_a_divergence_is_never_below_0():
    random = np.random.default_rng(1)
    z = random.normal(size=(2000, 3))
    near = z + 1e-9 * random.normal(size=z.shape)
    assert divergence(near, z).min() == 0.0
    assert binary_divergence(near, z).min() == 0.0


def test_single_precision_does_not_reach_the_divergence():
    z, t = Z.astype(np.float32), (Z + 1e-3).astype(np.float32)
    exact = binary_divergence(z.astype(np.float64), t.astype(np.float64))
    assert binary_divergence(z, t) == pytest.approx(exact, rel=1e-9)
    exact = divergence(z.astype(np.float64), T)
    assert divergence(z, T.astype(np.float32).astype(np.float64)) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize(
    ("row", "yes"),
    [
        ([0.25, 0.75], True),
        ([0.0, 1.0], True),
        ([0.25, 0.7509], True),
        ([0.25, 0.7491], True),
        ([0.25, 0.752], False),
        ([0.25, 0.748], False),
        ([-0.25, 1.25], False),
        # Of a single number 1 it says nothing.
        ([1.0], False),
    ],
)
def test_probabilities_of_classes_add_up_to_1(row, yes):
    assert CLASSES.recognized(np.array([row], np.float32)) is yes
    both = np.array([np.full(len(row), 1 / len(row)), row], np.float32)
    assert CLASSES.recognized(both) is yes


@pytest.mark.parametrize(
    ("row", "yes"), [([0.0, 1.0], True), ([0.5, 1.001], False), ([-0.001, 0.5], False)]
)
def test_probabilities_of_labels_lie_between_0_and_1(row, yes):
    assert LABELS.recognized(np.array([[0.5, 0.5], row], np.float32)) is yes


def test_probabilities_of_0_and_1_have_logits_as_large_as_float32_can_tell():
    found = CLASSES.logits(np.array([[0.0, 0.25, 1.0]], np.float32))
    assert found.dtype == np.float32
    assert found[0] == pytest.approx(np.log([1e-7, 0.25, 1.0]))
    found = LABELS.logits(np.array([[0.0, 0.25, 1.0]], np.float32))
    assert found.dtype == np.float32
    assert found[0] == pytest.approx(special.logit([LEAST, 0.25, 1.0 - LEAST]), rel=1e-5)
