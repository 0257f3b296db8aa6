"""Variants that the student is trained on for."""
