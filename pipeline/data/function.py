"""A function of the user: ``module:function`` returns a dict of arrays.

Every build calls the function, because only its arrays show whether the data changed. Later stages
are cached by the content of the arrays.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..recipe.user_function import load, quoted


def fingerprint(reference: str) -> str:
    """The hash of what the function returns."""
    digest = hashlib.sha256()
    for key, array in sorted(_call(reference).items()):
        digest.update(f"{key} {array.dtype.str} {array.shape}\0".encode())
        for start in range(0, len(array) if array.ndim else 0, 4096):
            digest.update(np.ascontiguousarray(array[start : start + 4096]).tobytes())
    return digest.hexdigest()


def read(reference: str, *_: object) -> dict[str, Any]:
    """The function's arrays."""
    return dict(_call(reference))


@cache
def _call(reference: str) -> Mapping[str, Any]:
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
        raise DataError(found=f"{key} that is no array ({error})", where=where) from None
    if array.dtype.hasobject:
        # Their bytes are memory addresses, so their hash would change with every build.
        raise DataError(found=f"{key} of Python objects", expected="numbers or text", where=where)
    return array
