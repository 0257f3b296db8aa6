"""Variants for which the student is trained further."""
