"""Benchmarks: fresh processes that take turns, until the measurement is precise enough."""
