"""The version, on its own: what is recorded beside every result."""

__version__ = "0.1.0"
