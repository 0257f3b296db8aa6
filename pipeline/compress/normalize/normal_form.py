"""The graph that every compression method takes, with the answers of the user's graph.

    >>> normalize(Path("model.onnx"), Path("normal.onnx"), feeds)       # doctest: +SKIP
    ('a bias or factor of 2 Gemm rewritten',)

In the normal form a model is one file of opset 13 or later without functions of its own, every
operator has a name, whatever depends on no input is an initializer and no input, a Gemm is A B plus
one bias for each output, and layers that count channels differently share no tensor. The form is
compared with the original on samples: moves and copies change no bit, factors of a Gemm round once.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from ....devices.onboard.model.modelfile import load_whole
from ....devices.onboard.runtimes import load
from ....devices.onboard.settings import Session
from ....errors import ModelError
from ..parity import Feed
from .constants import fold
from .editing import Editor
from .opsets import converted
from .products import plain_products
from .sharing import separate
from .tidying import inlined, tidy

TOLERANCE = 1e-5
"""Of the largest output. A factor moved from a product into its weights changes a sum of n terms by
at most n units of float32 (6e-8), and by the root of n as a rule."""
COMPARED = 8
"""Samples on which the normal form has to answer as the original; more tell nothing more."""
_IR_VERSION = 8
"""Of opset 13 to 17; older files must list weights as inputs."""


def normalize(source: Path, target: Path, feeds: Sequence[Feed]) -> tuple[str, ...]:
    """Write the normal form.

    Args:
        source: the user's file; weights may be in external files.
        target: the file to write, one file.
        feeds: queries, on which both files must answer alike.

    Returns:
        What was changed beyond names and places of constants, as sentences for the report.

    Raises:
        ModelError: a file does not load or run, or no form answers as the original.
    """
    original = load_whole(source)
    answered = _answers(source, feeds)
    refusals = []
    for modern in (True, False):
        with TemporaryDirectory(dir=target.parent) as folder:
            try:
                model, notes = _normal(original, Path(folder), modern=modern)
            except ModelError as error:  # The methods that take any opset still can.
                refusals.append(str(error))
                continue
        target.write_bytes(model.SerializeToString(deterministic=True))
        difference = _difference(answered, _answers(target, feeds))
        if difference <= TOLERANCE:
            return notes
        refusals.append(f"its outputs differ by {difference:.2g} of the largest")
    raise ModelError(
        f"a graph whose normal form is not the same ({'; '.join(dict.fromkeys(refusals))})",
        where=str(source),
        fix="export it at opset 17, without random operators",
    )


def _normal(
    original: onnx.ModelProto, folder: Path, *, modern: bool
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    model = onnx.ModelProto()
    model.CopyFrom(original)
    model = inlined(model)
    tidy(Editor(model))
    model.ir_version = max(model.ir_version, _IR_VERSION)
    if modern:
        model = converted(model)
    editor = Editor(model)
    fold(editor, folder)
    rewritten = plain_products(editor)
    tidy(editor)
    separate(editor)
    return model, (f"a factor or bias of {rewritten} Gemm rewritten",) if rewritten else ()


def _answers(path: Path, feeds: Sequence[Feed]) -> list[Any]:
    model = load(path, Session(optimization="none"))
    return [output for feed in feeds for output in model.answer(feed)]


def _difference(before: Sequence[Any], after: Sequence[Any]) -> float:
    """The largest difference of a number over the largest of its output; infinity for others."""
    if len(before) != len(after):
        return float("inf")
    return max((_apart(a, b) for a, b in zip(before, after, strict=True)), default=0.0)


def _apart(before: Any, after: Any) -> float:
    if isinstance(before, dict) and isinstance(after, dict):
        before, after = list(before.items()), list(after.items())
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return _difference(before, after)
    a, b = np.asarray(before), np.asarray(after)
    if a.shape != b.shape or a.dtype != b.dtype:
        return float("inf")
    if not np.issubdtype(a.dtype, np.floating):
        return 0.0 if np.array_equal(a, b) else float("inf")
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    largest = float(np.abs(a[finite]).max(initial=0.0))
    apart = np.abs(a[finite].astype(np.float64) - b[finite].astype(np.float64)).max(initial=0.0)
    return float(apart) / largest if largest else float("inf")
