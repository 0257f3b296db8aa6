"""What a key of a recipe takes, in words: as its JSON Schema has it.

>>> takes({"type": "integer", "minimum": 1, "maximum": 8192})
'a whole number from 1 to 8,192'
>>> takes({"type": "array", "items": {"type": "string"}})
'a list of texts in quotes, such as ["a", "b"]'
"""

import datetime
import math
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

Node = Mapping[str, Any]
"""A schema, or a part of one."""

_ONE = {"integer": "a whole number", "number": "a number", "string": "text in quotes"}
_MANY = {"integer": "whole numbers", "number": "numbers", "string": "texts in quotes"}
_SAMPLES = {"integer": "[8, 16]", "number": "[0.25, 0.5]", "string": '["a", "b"]'}
_PATTERNS = {
    ":": "'module:function'",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "a name of 1 to 64 letters from A to Z, digits, '.', '_' "
    "and '-', the first a letter or a digit",
}


def node_at(schema: Node, path: Sequence[str]) -> Node | None:
    """The schema of the value at a path of keys and places in lists; None: there is no such key."""
    node = schema
    for step in path:
        inner = _inside(_plain(node, schema), step)
        if inner is None:
            return None
        node = inner
    return _plain(node, schema)


def _plain(node: Node, schema: Node) -> Node:
    """A schema without references and without its null."""
    while True:
        others = [one for one in node.get("anyOf", ()) if one.get("type") != "null"]
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        elif len(others) == 1:
            node = others[0]
        else:
            return node


def _inside(node: Node, step: str) -> Node | None:
    if step in node.get("properties", {}):
        found: Node = node["properties"][step]
        return found
    if node.get("type") == "array" and step.isdecimal():
        first = node.get("prefixItems", ())
        return first[int(step)] if int(step) < len(first) else node.get("items")
    more = node.get("additionalProperties")
    return more if isinstance(more, Mapping) else None


def takes(node: Node, *, many: bool = False) -> str:
    """What a key takes, or the items of a list.

    Args:
        node: of ``node_at``, or an item's.
        many: in the plural.
    """
    if "anyOf" in node:
        members = [one for one in node["anyOf"] if _adds(one, node)]
        names = [repr(one) for member in members for one in member.get("enum", ())]
        forms = [takes(one, many=many) for one in members if "enum" not in one]
        return listed([*names, *forms])
    kind = node.get("type")
    if "enum" in node or "const" in node:
        return listed([repr(one) for one in node.get("enum", [node.get("const")])])
    if node.get("pattern") in _PATTERNS:
        return _PATTERNS[node["pattern"]]
    if kind == "boolean":
        return "true or false"
    if kind == "array":
        return f"{'lists' if many else 'a list'} of {_items(node)}"
    if kind == "string" and node.get("format") == "path":
        return "paths in quotes" if many else "a path in quotes"
    if kind in _ONE:
        return (_MANY if many else _ONE)[kind] + _range(node)
    return _table(node, many=many)


def _adds(one: Node, union: Node) -> bool:
    """Whether a member of a union says more than another: a number may be whole."""
    kinds = [other.get("type") for other in union["anyOf"]]
    return one.get("type") != "null" and not (one.get("type") == "integer" and "number" in kinds)


def _items(node: Node) -> str:
    first = node.get("prefixItems")
    if first:
        sample = ", ".join(["32"] * len(first))
        return f"{len(first)} {takes(first[0], many=True)}, such as [{sample}]"
    items: Node = node.get("items", {})
    least = "at least one of " if node.get("minItems") else ""
    if "enum" in items:
        return f'{least}{takes(items)}, such as ["{items["enum"][0]}"]'
    sample = _SAMPLES.get(str(items.get("type")), "")
    return f"{least}{takes(items, many=True)}" + (f", such as {sample}" if sample else "")


def _table(node: Node, *, many: bool) -> str:
    more = node.get("additionalProperties")
    table = "tables" if many else "a table"
    if "properties" in node or not isinstance(more, Mapping):
        return table
    names = "at least one name" if node.get("minProperties") else "names"
    return f"{table} of {names}, each with {takes(more)}"


def _range(node: Node) -> str:
    if node.get("type") == "string":
        least, most = node.get("minLength"), node.get("maxLength")
        return f" of {least or 0} to {most} characters" if most else ""
    low, above = node.get("minimum"), node.get("exclusiveMinimum")
    high, below = node.get("maximum"), node.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low:,g} to {_number(high)}"
    lower = f"of at least {_number(low)}" if low is not None else ""
    lower = f"above {_number(above)}" if above is not None else lower
    upper = f"at most {_number(high)}" if high is not None else ""
    upper = f"below {_number(below)}" if below is not None else upper
    limits = " and ".join(filter(None, (lower, upper))).removeprefix("at most ")
    return f" {limits if lower or below is not None else f'of at most {limits}'}" if limits else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence has them: ``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def shown(value: object, most: int = 60) -> str:
    """A value of a recipe as TOML has it, on one line; a table by what it is."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        text = f"[{', '.join(shown(one, most) for one in value)}]"
    else:
        text = repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def fix(value: object, node: Node, key: str) -> str | None:
    """What to write in place of a value that is nearly right; None: nobody can tell.

    Args:
        value: of the key.
        node: what the key takes.
        key: its last step.
    """
    meant = _meant(value, node, is_item=key.isdecimal())
    if meant is None:
        return None
    return (
        f"write {meant}" if key.isdecimal() or meant.startswith("[[") else f"write {key} = {meant}"
    )


def _meant(value: object, node: Node, *, is_item: bool) -> str | None:
    kind, number = node.get("type"), _is(value, {"type": "number"})
    if kind == "array":
        items = node.get("items", {})
        if isinstance(value, Mapping):
            return "[[…]], a header for each table of the list" if "$ref" in items else None
        return f"[{_written(value)}]" if _is(value, items) else None
    if isinstance(value, str):
        unquoted = _unquoted(value)
        return _written(unquoted) if _is(unquoted, node) else None
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return str(int(value))
    top = node.get("maximum", node.get("exclusiveMaximum"))
    if kind == "number" and top == 1.0 and number and 1.0 < value <= 100.0:  # type: ignore[operator]
        return f"{value / 100:g} for {value:g} %"  # type: ignore[operator]
    if is_item and kind == "string" and "enum" not in node and number:
        return f'"{value}"'
    return None


def _is(value: object, node: Node) -> bool:
    """Whether a value is of the type that a key takes, whatever the limits."""
    kind = node.get("type")
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "number":
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, {"integer": int, "string": str}.get(str(kind), ()))


def _written(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else shown(value)


def _unquoted(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}").get("value")
    except (ValueError, RecursionError):
        return None
