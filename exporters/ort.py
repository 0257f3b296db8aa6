"""``.ort`` files for ONNX Runtime Mobile, and what a reduced build of it must contain."""

import contextlib
import errno
import io
import logging
import os
import platform
import shutil
import warnings
from pathlib import Path

from ..errors import ModelError
from .package import File, Job, NotCarried, Package

OPERATORS = "required_operators_and_types.config"
LEAST_AGREEMENT = 0.95
"""A quantized file runs other kernels on this machine than on its target, so a few answers may
differ."""
_CPUS = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm", "arm64": "arm"}
"""The converter's names for CPUs, by the operating system's."""


def packages(job: Job) -> dict[str, Package | NotCarried]:
    """Convert the models of a folder.

    A file for another CPU runs here, but by other kernels than on its target.

    Raises:
        ModelError: a file cannot be converted.
        OSError: no space left.
    """
    convert(job.folder, target=job.cpu)
    operators = File.of(job.folder / OPERATORS)
    return {
        model.name: Package(
            format="ort",
            title="ONNX Runtime Mobile",
            suffix=".ort",
            model=File.of(model.onnx.with_suffix(".ort")),
            beside=(operators,),
            runtime="onnxruntime",
            answers_hold=_CPUS.get(platform.machine()) == job.cpu,
            least_agreement=LEAST_AGREEMENT,
            about="The .ort file is the same model in ONNX Runtime's mobile format. A reduced ONNX "
            f"Runtime Mobile build needs the operators that {OPERATORS} lists.",
        )
        for model in job.models
    }


def convert(folder: Path, *, target: str) -> tuple[Path, ...]:
    """Convert every ``.onnx`` file in a folder; ``OPERATORS`` is written beside them.

    Optimizations are applied before the file is saved ("Fixed" style). For ``arm`` the layouts of
    this host are kept out and int8 stays in the form that ARM kernels take.

    Args:
        folder: holds the ``.onnx`` files.
        target: ``arm`` or ``amd64``.

    Returns:
        The ``.ort`` files, in the order of their names.

    Raises:
        ModelError: a file cannot be converted; with the converter's words.
        OSError: no space left.
    """
    from onnxruntime.tools.convert_onnx_models_to_ort import (
        OptimizationStyle,
        convert_onnx_models_to_ort,
    )

    said = io.StringIO()
    logger = logging.getLogger("ort_format_model.utils")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with contextlib.redirect_stdout(said), warnings.catch_warnings():
            # The converter leaves the files it reads to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            convert_onnx_models_to_ort(
                folder,
                optimization_styles=[OptimizationStyle.Fixed],
                target_platform=target,
                enable_type_reduction=True,
            )
    except Exception as error:
        raise _refusal(folder, str(error) or said.getvalue()[-200:]) from error
    finally:
        logger.setLevel(level)
    # The converter names its sources by their full path: of a draft's folder, on this machine.
    operators = folder / OPERATORS
    text = operators.read_text(encoding="utf-8")
    operators.write_text(text.replace(f"{folder.resolve()}{os.sep}", ""), encoding="utf-8")
    return tuple(sorted(folder.glob("*.ort")))


def _refusal(folder: Path, reason: str) -> Exception:
    """Why a folder could not be converted: no space left, or the converter's words."""
    # onnxruntime says only that it failed to save; each file is about as large as its source.
    largest = max((file.stat().st_size for file in folder.glob("*.onnx")), default=0)
    if shutil.disk_usage(folder).free < largest:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    return ModelError(f"cannot be converted to .ort ({reason})", where=str(folder))
