"""What ``entry.json`` says: the stage of an entry, what went into it, its record, its files.

    >>> content = content_of("data", {"seed": 0}, {"samples": 3}, {"x.npy": "9f…"}, 0.2)
    >>> fault_of(content) is None
    True

Its last line is a digest of all the others, so that a change of any of them is found.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

ENTRY = "entry.json"
FORMAT = 1
_MACHINE = "machine"


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON value in its one canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def content_of(
    stage: str,
    ingredients: Mapping[str, Any],
    record: Mapping[str, Any],
    digests: Mapping[str, str],
    seconds: float | None,
) -> dict[str, Any]:
    """What ``entry.json`` says of a finished stage.

    Args:
        stage: its name.
        ingredients: all that went into its key.
        record: what it gave.
        digests: SHA-256 of each of its files by relative path.
        seconds: that it took; None where that is not known.

    Raises:
        ValueError: one of them has no JSON form.
    """
    content: dict[str, Any] = {
        "format": FORMAT,
        "stage": stage,
        "ingredients": dict(ingredients),
        "record": dict(record),
        "files": dict(digests),
        "seconds": seconds,
    }
    content["self"] = digest_of(content)
    return content


def text_of(content: Mapping[str, Any]) -> bytes:
    """The text of ``entry.json``, for people and for other versions to read."""
    return json.dumps(content, indent=1).encode()


def fault_of(content: Any) -> str | None:
    """What is wrong with the content of an ``entry.json``; None where nothing is."""
    if not isinstance(content, dict) or not isinstance(content.get("self"), str):
        return f"unreadable ({ENTRY} has no digest of itself)"
    rest = {name: value for name, value in content.items() if name != "self"}
    if content["self"] != digest_of(rest) or content.get("format") != FORMAT:
        return f"{ENTRY} does not match its own digest"
    if not isinstance(content.get("record"), dict) or not isinstance(content.get("files"), dict):
        return f"unreadable ({ENTRY} has no record or no files)"
    return None


def is_of_this_machine(ingredients: Any) -> bool:
    """Whether what went into an entry says that it holds for the machine that made it alone.

    Such is a measurement: no other machine takes it for its own.
    """
    return isinstance(ingredients, Mapping) and _MACHINE in ingredients
