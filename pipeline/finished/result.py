"""What every result of a call from Python has: one screen of text, a small table, plain values.

    class Counted(Result):
        def screen(self) -> Screen: ...
        def records(self) -> list[dict[str, Any]]: ...
        def to_dict(self) -> dict[str, Any]: ...

A subclass holds frozen data and says what there is to show of it; ``screen`` draws it.
"""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from ...devices.onboard.stats.estimate import Estimate
from ...errors import HostError
from . import screen as drawing
from .screen import Screen

if TYPE_CHECKING:
    import pandas


class Result:
    """A frozen result that shows itself in a terminal and in a notebook."""

    __slots__ = ()

    def screen(self) -> Screen:
        """What there is to show."""
        raise NotImplementedError

    def records(self) -> list[dict[str, Any]]:
        """One mapping of plain values a model or file; a figure is three: itself and its ends."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of the command's ``--json``."""
        raise NotImplementedError

    def to_dataframe(self) -> "pandas.DataFrame":
        """One row a model or file, as a pandas data frame.

        Raises:
            HostError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise HostError(
                "pandas is not installed",
                where="to_dataframe()",
                fix="install it with: pip install pandas",
            ) from None
        return pandas.DataFrame(self.records())

    def __repr__(self) -> str:
        return drawing.text(self.screen())

    def _repr_html_(self) -> str:
        return drawing.html(self.screen())


def plain(document: Any) -> Any:
    """The same as JSON has it: lists for tuples, text for paths."""
    return json.loads(json.dumps(document, default=str))


def flat(record: Any) -> Iterator[tuple[str, Any]]:
    """The plain values of a dataclass by name; a figure as itself and both ends of its interval."""
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Estimate):
            yield from figure(field.name, value)
        elif value is None or isinstance(value, str | int | float):
            yield field.name, value
        elif is_dataclass(value):
            yield from flat(value)


def figure(name: str, value: Estimate | None) -> Iterator[tuple[str, float | None]]:
    """A figure under its name, and its interval under two more; None where it is unknown."""
    for end, number in (("", "value"), ("_low", "low"), ("_high", "high")):
        yield f"{name}{end}", None if value is None else getattr(value, number)
