"""Loads other than one query after the other."""
