"""What every exported model calls its input, its output and its dynamic axes."""

INPUT = "input"
OUTPUT = "logits"
BATCH = "batch"
LENGTH = "length"
"""Tokens of a text."""
