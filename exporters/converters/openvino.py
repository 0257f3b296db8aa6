"""``.onnx`` files into OpenVINO's ``.xml`` and ``.bin``."""

from pathlib import Path
from typing import Any

import openvino as ov

from .protocol import Request, each, serve


def convert(folder: Path, request: Request) -> dict[str, Any]:
    """Convert each file, and see that it compiles here."""
    del folder
    core = ov.Core()

    def one(model: Request) -> None:
        read = core.read_model(model["source"])
        core.compile_model(read, "CPU")
        # Weights stay as they are: what is measured is the variant, not a lighter copy of it.
        ov.save_model(read, model["target"], compress_to_fp16=False)

    refused = each(request["models"], one)
    return {"refused": refused, "by": f"OpenVINO {str(ov.__version__).partition('-')[0]}"}


if __name__ == "__main__":
    serve(convert)
