"""What users give in memory, as files: arrays as ``.npz``, named by their content where they stay.

    with as_file({"input": x}, "inputs") as path: ...      # removed afterwards
    path = kept(Path("artifacts"), {"x": x, "y": y})       # artifacts/given/<hash>.npz

A build's stages are found again by the hash of their data, and a run names its data: so what a
build is given stays where its store is.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ..engine.store import disk_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = "given"
"""Below the folder that builds write to."""
ArraysOrPath = Path | str | Mapping[str, Any]
"""An ``.npz`` file, or arrays by name."""
_NAME = 20


@contextmanager
def as_file(given: ArraysOrPath | None, what: str) -> Iterator[Path | None]:
    """The path of a file that was given, or of one with the arrays that were given.

    Args:
        given: a path, or arrays by name: of numpy, of torch, or what numpy makes an array of.
        what: the parameter, for a message.

    Raises:
        DataError: it is neither, or what numpy makes no plain array of.
    """
    if given is None or isinstance(given, Path | str):
        yield None if given is None else Path(given)
        return
    arrays = arrays_of(given, what)
    with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
        path = Path(folder) / f"{what}.npz"
        _write(path, arrays)
        yield path


def kept(artifacts: Path, arrays: "Mapping[str, NDArray[Any]]") -> Path:
    """The arrays in a file that is named by their content; written where it is not there yet.

    Raises:
        StorageError: the folder cannot be written.
    """
    path = artifacts / FOLDER / f"{_hash(arrays)}.npz"
    if path.exists():
        return path
    with disk_errors(path, opening=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".given-") as folder:
            _write(Path(folder) / path.name, arrays)
            (Path(folder) / path.name).replace(path)
    return path


def samples_of(data: Any) -> "dict[str, NDArray[Any]]":
    """The arrays of a build's data by name: of ``(x, y)``, or of what is a mapping already.

    Raises:
        DataError: it is neither.
    """
    if isinstance(data, tuple | list) and len(data) == 2:
        return arrays_of({"x": data[0], "y": data[1]}, "data")
    if isinstance(data, Mapping):
        return arrays_of(data, "data")
    raise DataError(
        f"a {type(data).__name__}",
        expected="(x, y), or a dict of x and y, or of x_train, y_train, x_test and y_test",
        where="data",
        fix="name a file or a function as data.source in the recipe instead",
    )


def arrays_of(given: Any, what: str) -> "dict[str, NDArray[Any]]":
    """Arrays by name, each a plain array of numpy.

    Raises:
        DataError: no mapping, or a value that numpy makes no plain array of.
    """
    if not isinstance(given, Mapping):
        raise DataError(
            f"a {type(given).__name__}",
            expected="the path of an .npz file, or a dict of arrays by the names of inputs",
            where=what,
        )
    return {str(name): _array(value, f"{what}[{str(name)!r}]") for name, value in given.items()}


def _array(value: Any, where: str) -> "NDArray[Any]":
    import numpy as np

    if hasattr(value, "detach"):  # a tensor of torch, which may be on a GPU and part of a graph
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"no array ({error})", where=where) from None
    if array.dtype.hasobject and all(isinstance(one, str) for one in array.ravel().tolist()):
        array = array.astype(np.str_)
    if array.dtype.hasobject:
        raise DataError(
            "Python objects",
            expected="numbers or texts, each sample of the same shape",
            where=where,
            fix="convert it, such as with numpy.stack and .astype(numpy.float32)",
        )
    return array


def _write(path: Path, arrays: "Mapping[str, NDArray[Any]]") -> None:
    import numpy as np

    np.savez(path, allow_pickle=False, **arrays)


def _hash(arrays: "Mapping[str, NDArray[Any]]") -> str:
    import numpy as np

    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:_NAME]
