"""Static int8 ``.tflite`` files whose input and output are int8, too, by LiteRT's quantizer.

    answer = convert_static(job, ("int8-static",), ".tflite")
    answer["scales"]["int8-static"]          # of its input and output

The converter quantizes a float input, so the torch module is captured with samples in float32. Of
uint8 every value is kept: the scale is 1.
"""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .as_floats import as_floats
from .conversion import convert
from .from_torch import request
from .package import Job

_SCHEME = "int8-static-inputs"
_BYTE = (0.0, 255.0)


def convert_static(job: Job, names: Iterable[str], suffix: str) -> dict[str, Any]:
    """Write a file for each model; the converter's answer.

    Args:
        job: the models, one of which has the torch module that each is made of.
        names: of the models to convert.
        suffix: of the files.

    Raises:
        HostError: the toolchain litert is not set up.
        ModelError: no calibration samples, or the converter failed.
    """
    import numpy as np

    samples = job.calibration
    if samples is None:
        raise ModelError("no calibration samples", where="export.formats")
    limits = _BYTE if samples.dtype == np.uint8 else None
    job = replace(job, calibration=as_floats(samples))
    with tempfile.TemporaryDirectory(prefix="edgestill-") as work:
        wanted = request(job, dict.fromkeys(names, _SCHEME), Path(work), suffix)
        return convert("litert", wanted | {"limits": limits}, Path(work), job.log)
