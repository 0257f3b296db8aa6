"""Errors that cross from a child process to its parent: JSON in the child, raised in the parent.

>>> from_json(as_json(UsageError("-1", expected="a number above 0")))
UsageError('-1', 'a number above 0', None, None)
"""

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import DataError, EdgestillError, MeasureError, ModelError, UsageError

_KINDS: Mapping[str, type[EdgestillError]] = {
    kind.__name__: kind for kind in (UsageError, DataError, ModelError, MeasureError)
}


def as_json(error: EdgestillError) -> dict[str, Any]:
    """An error as a JSON object; any other than the four kinds that cross is a `MeasureError`."""
    kinds = (name for name, kind in _KINDS.items() if isinstance(error, kind))
    return {
        "kind": next(kinds, "MeasureError"),
        "found": error.found,
        "expected": error.expected,
        "where": error.where,
        "fix": error.fix,
    }


def from_json(error: Mapping[str, Any]) -> EdgestillError:
    """The error that a child wrote with `as_json`."""
    return _KINDS[error["kind"]](
        error["found"], expected=error["expected"], where=error["where"], fix=error["fix"]
    )


def answer_or_refusal(
    work: Callable[[], dict[str, Any]], out_of_memory: Callable[[], EdgestillError]
) -> dict[str, Any]:
    """What a child answers: the result of its work, or `{"error": …}` where it is refused.

    Args:
        work: gives the answer.
        out_of_memory: makes the error for a `MemoryError`.
    """
    try:
        return work()
    except EdgestillError as error:
        return {"error": as_json(error)}
    except MemoryError:
        return {"error": as_json(out_of_memory())}


def raise_refusal(answer: Mapping[str, Any]) -> None:
    """Raise what a child refused with; nothing happens where it did not.

    Raises:
        UsageError, DataError, ModelError, MeasureError: what the child raised.
    """
    if (error := answer.get("error")) is not None:
        raise from_json(error)
