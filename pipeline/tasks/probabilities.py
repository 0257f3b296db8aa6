"""Softmax and sigmoid of logits, how far two models' probabilities diverge, and the way back.

>>> divergence(np.zeros((1, 2)), np.zeros((1, 2)))
array([0.])
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...exporters.interface import Activation
from .blocks import blocks
from .jackknife import Figure

DIVERGENCE = Figure("mean KL(teacher‖student) at temperature 1", "nats", perfect=0.0)
LEAST = 1e-7
"""A probability of 0 is taken for this: less than float32 can tell from 0 beside 1."""


@dataclass(frozen=True, slots=True)
class Probabilities:
    """How outputs that are probabilities become logits, and the way there.

    Attributes:
        activation: what makes probabilities of logits.
        of: ``(logits)``: float64 [n, k], the probabilities.
        recognized: ``(outputs)``: whether all rows [n, k] are probabilities of this task.
        logits: ``(probabilities)``: float32 [n, k] that give the probabilities back.
        odds: what the logarithm is taken of, for a note to the reader.
    """

    activation: Activation
    of: Callable[[NDArray[Any]], NDArray[np.float64]]
    recognized: Callable[[NDArray[np.float32]], bool]
    logits: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    odds: str


def log_softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Logarithm of the softmax of each row, float64 [n, k]."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """The softmax of each row, float64 [n, k]."""
    return np.asarray(np.exp(log_softmax(logits)))


def log_sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the sigmoid, finite for a logit of any size."""
    return -np.logaddexp(0.0, -x)


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x))."""
    return np.asarray(np.exp(log_sigmoid(x)))


def divergence(student: NDArray[Any], teacher: NDArray[Any]) -> NDArray[np.float64]:
    """KL(softmax(t) ‖ softmax(z)) of each sample, float64 [n], in nats."""
    nats = np.empty(len(student))
    for rows in blocks(*student.shape):
        log_p, log_q = log_softmax(teacher[rows]), log_softmax(student[rows])
        nats[rows] = (np.exp(log_p) * (log_p - log_q)).sum(1)
    return np.maximum(nats, 0.0)


def binary_divergence(student: NDArray[Any], teacher: NDArray[Any]) -> NDArray[np.float64]:
    """KL of each label's sigmoid, the mean over the labels of each sample, float64 [n]."""
    nats = np.empty(len(student))
    for rows in blocks(*student.shape):
        t, z = teacher[rows].astype(np.float64), student[rows].astype(np.float64)
        present = sigmoid(t) * (log_sigmoid(t) - log_sigmoid(z))
        absent = sigmoid(-t) * (log_sigmoid(-t) - log_sigmoid(-z))
        nats[rows] = (present + absent).mean(1)
    return np.maximum(nats, 0.0)
