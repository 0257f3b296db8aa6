"""Verify, benchmark and gate."""
