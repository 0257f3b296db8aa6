"""Variants whose weights alone are made smaller."""
