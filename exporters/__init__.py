"""One file a format, and one table of them.

A new format is a module with a function ``packages`` (see ``package.Exporter``) and a line here; a
recipe then names it in ``export.formats``.
"""

from . import onnx_file, ort
from .package import Exporter

ONNX = "onnx"
"""The format that every model has: it is what is measured, and what others are compared with."""

EXPORTERS: dict[str, Exporter] = {
    ONNX: onnx_file.packages,
    "ort": ort.packages,
}
"""By the name that a recipe gives in ``export.formats``."""
