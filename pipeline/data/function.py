"""A function of the user: ``module:function`` returns a dict of arrays.

Every build calls the function, because only its arrays show whether the data changed. Later stages
are cached by the content of the arrays.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..recipe.data import Data
from ..recipe.user_function import folders, load, quoted
from .array_names import NUMBERS, meanings, require_named


def fingerprint(reference: str) -> str:
    """The hash of what the function returns."""
    digest = hashlib.sha256()
    for key, array in sorted(_call(reference, folders()).items()):
        digest.update(f"{key} {array.dtype.str} {array.shape}\0".encode())
        for start in range(0, len(array) if array.ndim else 0, 4096):
            digest.update(np.ascontiguousarray(array[start : start + 4096]).tobytes())
    return digest.hexdigest()


def read(reference: str, _scratch: object, data: Data, _: object = None) -> dict[str, Any]:
    """The function's arrays, by what their names mean.

    Raises:
        DataError: an array has no meaning, or the recipe names one that is not there.
    """
    arrays, where = _call(reference, folders()), f"data.source {reference}"
    names = meanings(arrays, NUMBERS, where, data=data, single=("layout", "notes"))
    require_named(names, data, where, arrays)
    return {key: arrays[name] for key, name in names.items()}


@cache
def _call(reference: str, _beside: tuple[Path, ...]) -> Mapping[str, Any]:
    """Called once for each place of the recipe: another one's module may have the same name."""
    where = f"data.source {reference}"
    function = load(reference, where, DataError)
    try:
        arrays = function()
    except (Exception, SystemExit) as error:
        raise DataError(f"failed with {quoted(error)}", where=where) from error
    if not isinstance(arrays, Mapping) or not arrays:
        raise DataError(
            found=f"a {type(arrays).__name__}",
            expected="a dict with x and y, or x_train, y_train, x_test, y_test",
            where=where,
        )
    return {str(key): _array(str(key), value, where) for key, value in arrays.items()}


def _array(key: str, value: object, where: str) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(
            found=f"{key} that is no array ({error})",
            where=where,
            fix="give every sample the same shape",
        ) from None
    return _of_one_type(key, array, where) if array.dtype.hasobject else array


def _of_one_type(key: str, array: NDArray[Any], where: str) -> NDArray[Any]:
    """Python objects, as pandas holds text, as text or numbers.

    Their bytes are memory addresses, so their hash would change with every build.
    """
    values = array.ravel().tolist()
    kinds = {type(value) for value in values}
    if kinds == {str}:
        return array.astype(np.str_)
    if kinds and kinds <= {int, float, bool}:
        return array.astype(np.float64 if float in kinds else np.int64)
    odd = next((i for i, v in enumerate(values) if type(v) is not type(values[0])), 0)
    raise DataError(
        found=f"{key} of Python objects ({', '.join(sorted(kind.__name__ for kind in kinds))}; "
        f"{type(values[odd]).__name__} in row {odd})",
        expected="numbers or text",
        where=where,
        fix=f"convert it: {key}.astype(str) for text, {key}.astype(float) for numbers",
    )
