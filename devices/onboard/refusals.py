"""Errors that cross from a child process to its parent: written as JSON there, raised again here.

>>> refusal(told(UsageError("-1", expected="a number above 0")))
UsageError('-1', 'a number above 0', None, None)
"""

from collections.abc import Mapping
from typing import Any

from ...errors import DataError, EdgestillError, MeasureError, ModelError, UsageError


def told(error: EdgestillError) -> dict[str, Any]:
    """A refusal as JSON, for the parent to raise again."""
    known = (UsageError, DataError, ModelError, MeasureError)
    kind = next((one.__name__ for one in known if isinstance(error, one)), "MeasureError")
    return {
        "kind": kind,
        "found": error.found,
        "expected": error.expected,
        "where": error.where,
        "fix": error.fix,
    }


_KINDS: Mapping[str, type[EdgestillError]] = {
    one.__name__: one for one in (UsageError, DataError, ModelError, MeasureError)
}


def refusal(error: Mapping[str, Any]) -> EdgestillError:
    """A worker's refusal, as `worker.told` wrote it, to be raised again."""
    return _KINDS[error["kind"]](
        error["found"], expected=error["expected"], where=error["where"], fix=error["fix"]
    )


def last_line(said: str) -> str:
    """What a process said last, in brackets and printable; empty if it said nothing."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    shown = "".join(c if c.isprintable() else "?" for c in lines[-1])
    return f" ({shown[:300]})"
