"""What users name: a model's file or a run, as a path.

>>> path_of("model.onnx", "model").name
'model.onnx'
"""

import os
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ...errors import UsageError
from ..runs.latest import run_of


@runtime_checkable
class OnDisk(Protocol):
    """A run that was built or read."""

    @property
    def path(self) -> Path:
        """Its folder."""
        ...

    def file(self, name: str | None = None, /) -> Path:
        """The file of a variant; of what ships where none is named."""
        ...


def path_of(given: Any, what: str) -> Path:
    """A path that was given, or the folder of a run.

    Args:
        given: text, a path, or a run.
        what: the parameter, for a message.

    Raises:
        UsageError: it is none of these.
    """
    if isinstance(given, OnDisk):
        return given.path
    if isinstance(given, str | os.PathLike):
        return run_of(Path(given))
    raise UsageError(
        f"a {type(given).__name__}",
        expected="the path of a file or folder",
        where=what,
        fix="save it first, such as with onnx.save" if hasattr(given, "graph") else None,
    )


def model_of(given: Any, what: str) -> Path:
    """The file of a model; of a run the file that it ships.

    Raises:
        UsageError: it is neither, or the run ships nothing.
    """
    if not isinstance(given, OnDisk):
        return path_of(given, what)
    try:
        return given.file()
    except KeyError:
        raise UsageError(
            "a run that ships nothing", where=what, fix="name a file of it: run.file('fp32')"
        ) from None
