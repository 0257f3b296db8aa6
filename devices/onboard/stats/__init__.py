"""Intervals and tests for repeated measurements."""
