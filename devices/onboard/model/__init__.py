"""A model file: its graph, its inputs, its cost, its memory."""
