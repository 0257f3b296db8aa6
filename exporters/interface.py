"""What every exported model calls its input, its output and its dynamic axis."""

INPUT = "input"
OUTPUT = "logits"
BATCH = "batch"
