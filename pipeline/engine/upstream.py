"""The stages that a stage's inputs hold: found, and replaced when the inputs travel.

>>> [made.stage.name for made in upstream(inputs)]                        # doctest: +SKIP
['data', 'teacher']

Recipe parts travel by value, other stages by key: ``by_key`` takes record and folder off them, and
``resolved`` gives them those of the store where the inputs arrived.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import HostError
from ..recipe.part import Part
from ..records import Record
from .stage import Made
from .store import Entry, Store


def upstream(inputs: Any) -> Iterator[Made[Any]]:
    """Every stage's output in some inputs, each once."""
    found: dict[str, Made[Any]] = {}

    def keep(made: Made[Any]) -> Made[Any]:
        found.setdefault(made.key, made)
        return made

    _mapped(inputs, keep)
    yield from found.values()


def by_key(inputs: Any) -> Any:
    """The same inputs with other stages by key alone."""
    return _mapped(inputs, lambda made: Made(made.stage, made.key))


def resolved(inputs: Any, store: Store) -> Any:
    """The same inputs, with the record and the folder of other stages from a store.

    An entry is looked up when it is asked for, so that a stage reads no more than it needs.
    """
    return _mapped(inputs, lambda made: stored(made, store))


def stored(made: Made[Any], store: Store) -> Made[Any]:
    """A stage's output as the store has it."""
    return Made(made.stage, made.key, _pending=Stored(made, store))


_checked: dict[tuple[str, str], Entry] = {}
"""Entries whose digests this process has checked: a worker reads the same data for each task."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry of a store, read when it is needed."""

    made: Made[Any]
    store: Store

    def record(self) -> Any:
        """The stage's record."""
        return self.made.stage.gives.model_validate(self._entry().record)

    def path(self) -> Path:
        """The folder of the stage's files."""
        return self._entry().path

    def _entry(self) -> Entry:
        place = (str(self.store.root), self.made.key)
        if place not in _checked or not self.store.has(self.made.key):
            entry = self.store.read(self.made.key)
            if entry is None:
                raise HostError(
                    f"no output of the stage {self.made.stage.name} ({self.made.key[:12]})",
                    expected="what another machine wrote there",
                    where=str(self.store.root),
                    fix="give --artifacts a folder that all machines share, or a --store",
                )
            _checked[place] = entry
        return _checked[place]


def _mapped(value: Any, change: Callable[[Made[Any]], Made[Any]]) -> Any:
    """Inputs with each stage's output changed; the walk is that of the key (``keys``)."""
    if isinstance(value, Made):
        return change(value)
    if isinstance(value, Part | Record):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        inner = {field.name: getattr(value, field.name) for field in fields(value)}
        changed = {name: _mapped(one, change) for name, one in inner.items()}
        same = all(changed[name] is inner[name] for name in inner)
        return value if same else replace(value, **changed)
    if isinstance(value, Mapping):
        changed = {key: _mapped(item, change) for key, item in value.items()}
        return value if all(changed[key] is value[key] for key in value) else changed
    if isinstance(value, tuple | list):
        items = [_mapped(item, change) for item in value]
        return (
            value if all(a is b for a, b in zip(items, value, strict=True)) else type(value)(items)
        )
    return value
