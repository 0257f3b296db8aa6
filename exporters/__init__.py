"""One file a format, and one table of them.

A new format is a module with a function ``packages`` (see ``package.Exporter``) and a line here; a
recipe then names it in ``export.formats``. ``converters`` holds what runs in a toolchain's own
interpreter.
"""

from . import litert, onnx_file, openvino, ort
from .package import Exporter

ONNX = "onnx"
"""The format that every model has: it is what others are compared with."""

EXPORTERS: dict[str, Exporter] = {
    ONNX: onnx_file.packages,
    "ort": ort.packages,
    "litert": litert.packages,
    "openvino": openvino.packages,
}
"""By the name that a recipe gives in ``export.formats``."""

TOOLCHAINS = {"litert": "litert", "openvino": "openvino"}
"""The toolchain that a format is converted by and runs in; the others need none."""
