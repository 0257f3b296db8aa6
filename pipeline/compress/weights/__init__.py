"""Variants with smaller weights that are computed in float."""
