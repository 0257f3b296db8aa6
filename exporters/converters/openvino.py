"""``.onnx`` files into OpenVINO's ``.xml`` and ``.bin``."""

import re
from pathlib import Path
from typing import Any

import openvino as ov

from .protocol import Request, each, serve

_OF_THIS_MACHINE = "conversion_parameters"
"""A note in the file about how it was converted; it names files of this machine."""
_BETWEEN_TAGS = re.compile(rb">\s+<")


def convert(folder: Path, request: Request) -> dict[str, Any]:
    """Convert each file, and see that it compiles here."""
    del folder
    core = ov.Core()

    def one(model: Request) -> None:
        # Reading the file alone leaves how scales and biases get their shapes as operators: the
        # graph, not the weights, is most of a small int8 file.
        converted = ov.convert_model(model["source"])
        core.compile_model(converted, "CPU")
        del converted.get_rt_info()[_OF_THIS_MACHINE]
        # Weights stay as they are: what is measured is the variant, not a lighter copy of it.
        ov.save_model(converted, model["target"], compress_to_fp16=False)
        without_indents(Path(model["target"]))

    refused = each(request["models"], one)
    return {"refused": refused, "by": f"OpenVINO {str(ov.__version__).partition('-')[0]}"}


def without_indents(file: Path) -> None:
    """Leave out the white space between the tags of an XML file, a sixth of it.

    A tag opens nowhere else: ``<`` in an attribute is ``&lt;``.
    """
    file.write_bytes(_BETWEEN_TAGS.sub(b"><", file.read_bytes()))


if __name__ == "__main__":
    serve(convert)
