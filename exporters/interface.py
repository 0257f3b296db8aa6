"""What every exported model calls its input, its output and its dynamic axes."""

from typing import Literal

INPUT = "input"
OUTPUT = "logits"
PROBABILITIES = "probabilities"
"""The output where a softmax or a sigmoid is inside."""
BATCH = "batch"
LENGTH = "length"
"""Tokens of a text."""

Activation = Literal["softmax", "sigmoid"]
"""What may stand behind a model's logits in its file."""


def output_of(activation: Activation | None) -> str:
    """The name of a file's output, by what stands behind the logits."""
    return OUTPUT if activation is None else PROBABILITIES
