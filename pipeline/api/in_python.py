"""A function as Python users get it: its errors name parameters, not options of a command line.

>>> in_python(refuse)(out="there")                                         # doctest: +SKIP
UsageError: there: found a file that exists, …; name another folder with out=
"""

import functools
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ...errors import EdgestillError

P = ParamSpec("P")
R = TypeVar("R")

_NAMES = {
    "set": "overrides",
    "shape": "shapes",
    "batch-axis": "batch_axes",
    "method": "methods",
    "format": "formats",
    "zip": "zipped",
    "inspect": "inspection",
}
"""Parameters that are called otherwise than their option."""
_SHAPE = re.compile(r"--shape ([^\s=]+)=([\w,]+)")
_OPTION = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)")
_PARTS = ("found", "expected", "where", "fix")


def in_python(function: Callable[P, R]) -> Callable[P, R]:
    """The same function; an error of ours that leaves it speaks of its parameters."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except EdgestillError as error:
            for problem in (error, *error.also):
                for part in _PARTS:
                    setattr(problem, part, as_parameters(getattr(problem, part)))
                if problem.where is not None:  # which names a parameter and gives it no value
                    problem.where = re.sub("=(?=:|$)", "", problem.where)
            raise

    return call


def as_parameters(text: str | None) -> str | None:
    """A part of an error with parameters for options; one that names a command stays as it is."""
    if text is None or "edgestill " in text:
        return text
    shaped = _SHAPE.sub(lambda match: f"shapes={{{match[1]!r}: ({match[2]})}}", text)
    return _OPTION.sub(lambda match: f"{_NAMES.get(match[1], match[1].replace('-', '_'))}=", shaped)
