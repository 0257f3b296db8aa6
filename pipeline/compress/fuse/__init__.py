"""Fusion of transformer operators."""
