"""One file a format, and one table of them.

A new format is a module with a function ``packages`` (see ``package.Exporter``) and a line here; a
recipe then names it in ``export.formats``. ``converters`` holds what runs in a toolchain's own
interpreter.
"""

from ..errors import did_you_mean
from . import coreml, executorch, litert, ncnn, onnx_file, openvino, ort, tflite_micro
from .package import Exporter

ONNX = "onnx"
"""The format that every model has: it is what others are compared with."""

EXPORTERS: dict[str, Exporter] = {
    ONNX: onnx_file.packages,
    "ort": ort.packages,
    "litert": litert.packages,
    "openvino": openvino.packages,
    "tflite-micro": tflite_micro.packages,
    "executorch": executorch.packages,
    "ncnn": ncnn.packages,
    "coreml": coreml.packages,
}
"""By the name that a recipe gives in ``export.formats``."""

_OWN = ("litert", "openvino", "tflite-micro", "executorch", "ncnn")
TOOLCHAINS = {name: name for name in _OWN} | {"coreml": "executorch"}
"""The toolchain that a format runs in, and is converted by; the others need none."""
CONVERTED_BY = {"tflite-micro": "litert"}
"""Where another toolchain converts to a format than the one that it runs in."""


def toolchains_of(format_: str) -> tuple[str, ...]:
    """All that a format needs."""
    tables = (TOOLCHAINS, CONVERTED_BY)
    return tuple(table[format_] for table in tables if format_ in table)


_ALSO_CALLED = {
    "tflite": "litert",
    "tensorflow-lite": "litert",
    "onnxruntime": ONNX,
    "pte": "executorch",
    "xnnpack": "executorch",
    "mlpackage": "coreml",
    "mlmodel": "coreml",
    "tflm": "tflite-micro",
}
"""What a format is called elsewhere: by the ending of its files, or by its runtime."""


def format_meant(name: str) -> str | None:
    """The format that an unknown name stands for or resembles, as a question; None where none is.

    >>> format_meant(".tflite")
    "did you mean 'litert'?"
    """
    plain = name.strip().lstrip(".").lower().replace("_", "-")
    return did_you_mean(_ALSO_CALLED.get(plain, plain), EXPORTERS)


FROM_ONNX = (ONNX, "ort", "openvino")
"""The formats that are made of the ``.onnx`` file; all others need the torch module."""
LITERT = ("litert", "tflite-micro")
"""The formats whose files are ``.tflite``, made by LiteRT."""
