"""Settings as Python users give them, as the texts that recipes take.

>>> texts({"distill.temperature": 2, "export.formats": ["onnx", "ort"]})
('distill.temperature=2', 'export.formats=["onnx", "ort"]')
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..recipe.files import in_toml

Settings = Mapping[str, Any] | Iterable[str]
"""Values by key, or ``key=value`` texts as the command line takes them."""


def texts(settings: Settings, below: str = "") -> tuple[str, ...]:
    """The settings as ``key=value`` texts.

    Args:
        settings: values by key; a value is what TOML knows: text, numbers, booleans, lists, dicts.
        below: the section that the keys are of, with its dot: ``gate.``.
    """
    if isinstance(settings, str):
        settings = (settings,)
    if not isinstance(settings, Mapping):
        return tuple(f"{below}{text}" for text in settings)
    return tuple(f"{below}{key}={in_toml(_plain(value))}" for key, value in settings.items())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
