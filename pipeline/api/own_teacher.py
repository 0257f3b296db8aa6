"""A teacher that a user holds in memory, as what a recipe can name.

    teacher_of(module, arrays, artifacts)      # 'onnx:artifacts/given/teacher-<hash>.onnx'

A module of torch becomes an ``.onnx`` file: its answers are what a student learns from, and its
file is a black box, so its layers are not. A recipe names more of it as ``module:function``.
"""

import copy
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError, ModelError, UsageError
from ..engine.store import disk_errors, write_atomic
from .given import FOLDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OPSET = 20
_EXAMPLE = 2
"""Samples of the example: one would be taken for a constant."""
_FIX = "export it yourself and give its path, or name it in the recipe as 'module:function'"


def teacher_of(teacher: Any, samples: "Mapping[str, NDArray[Any]] | None", artifacts: Path) -> str:
    """The name of a teacher, as ``teacher.model`` of a recipe.

    Args:
        teacher: a trained ``torch.nn.Module`` that gives logits (of a regression: numbers in the
            units of the labels) for samples as the data have them; the path of an ``.onnx`` file;
            or a name as a recipe has it.
        samples: arrays of the data, by name; the module is exported for samples of their shape.
        artifacts: the folder that builds write to.

    Raises:
        UsageError: it is none of these.
        DataError: a module without data in memory.
        ModelError: the module cannot be exported.
    """
    if isinstance(teacher, Path):
        return f"onnx:{teacher.absolute()}"
    if isinstance(teacher, str):
        return teacher
    if "torch" not in sys.modules or not isinstance(teacher, sys.modules["torch"].nn.Module):
        raise UsageError(
            f"a {type(teacher).__name__}",
            expected="a torch.nn.Module, the path of an .onnx file, or a name as teacher.model has",
            where="teacher",
        )
    if samples is None:
        raise DataError(
            "a module, and no samples to know its input by",
            expected="data=(x, y) beside it",
            where="teacher",
            fix=_FIX,
        )
    return f"onnx:{_exported(teacher, _example(samples), artifacts)}"


def _example(samples: "Mapping[str, NDArray[Any]]") -> "NDArray[Any]":
    """The first samples, float32 where they are floats or pixels."""
    import numpy as np

    x = next((samples[name] for name in ("x", "x_train") if name in samples), None)
    if x is None or len(x) < _EXAMPLE:
        raise DataError(
            f"arrays {', '.join(samples)}",
            expected=f"x or x_train of at least {_EXAMPLE} samples",
            where="data",
        )
    integers = x.dtype.kind in "iu" and x.dtype.itemsize > 1
    return np.ascontiguousarray(x[:_EXAMPLE], np.int64 if integers else np.float32)


def _exported(module: Any, example: "NDArray[Any]", artifacts: Path) -> Path:
    """The module as an ``.onnx`` file that is named by its content."""
    import tempfile

    import torch

    from ...exporters.onnx import export

    try:
        # Exporting puts a module into eval mode; the user's stays as it is.
        taken = copy.deepcopy(module).cpu().eval()
        with torch.no_grad():
            answer = taken(torch.from_numpy(example))
    except Exception as error:
        raise ModelError(
            f"a module that does not take the samples ({type(error).__name__}: {error})",
            expected=f"one that takes {example.dtype} {list(example.shape)}",
            where="teacher",
            fix="give data as the module takes them",
        ) from error
    if not isinstance(answer, torch.Tensor) or len(answer) != len(example):
        raise ModelError(
            f"an answer that is a {type(answer).__name__}",
            expected="one tensor of logits, a row a sample",
            where="teacher",
            fix="wrap it in a module that returns its logits",
        )
    with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
        draft = Path(folder) / "teacher.onnx"
        export(taken, torch.from_numpy(example), draft, opset=_OPSET)
        content = draft.read_bytes()
    name = f"teacher-{hashlib.sha256(content).hexdigest()[:20]}.onnx"
    path = (artifacts / FOLDER / name).absolute()
    with disk_errors(path, opening=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_atomic(path, content)
    return path
