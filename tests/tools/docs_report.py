"""The page of docs/ with every field of ``report.json``, made of the records and their docstrings.

report_page()       # '# Every field of report.json …'
"""

import ast
import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

Field = tuple[str, Any, str]
"""Its name, its type and what it says."""


def report_page() -> str:
    """Every record that a report is made of, the report itself first."""
    from edgestill.pipeline.records import SCHEMA_VERSION, Report

    parts = [
        "# Every field of report.json",
        "",
        f"Schema {SCHEMA_VERSION}; `edgestill schema report` prints it as JSON Schema. A figure is "
        "an [Estimate](#estimate): its value, its interval, where it comes from, and, where it "
        "could not be had, the reason. Fields that an older version did not write have a default.",
        "",
    ]
    for record in records_of(Report):
        parts += [f"## {record.__name__}", "", _cell(_first(record)), ""]
        parts += ["| field | type | what it is |", "|---|---|---|"]
        parts += [
            f"| `{name}` | {_linked(kind)} | {_cell(told)} |"
            for name, kind, told in fields_of(record)
        ]
        parts.append("")
    return "\n".join(parts)


def records_of(record: type) -> list[type]:
    """A record and all that it holds, each once, in the order of their fields."""
    found: dict[type, None] = {}

    def add(kind: type) -> None:
        if kind in found:
            return
        found[kind] = None
        for _, inner, _ in fields_of(kind):
            for one in _records_in(inner):
                add(one)

    add(record)
    return list(found)


def fields_of(record: type) -> list[Field]:
    """The fields of a record, with what stands below each or in the docstring of the class."""
    told = {**_attributes(record), **_below(record)}
    if is_dataclass(record):
        names = [field.name for field in fields(record)]
        hints = get_type_hints(record)
        return [(name, hints[name], told.get(name, "")) for name in names]
    assert issubclass(record, BaseModel)
    return [
        (name, field.annotation, told.get(name) or field.description or "")
        for name, field in record.model_fields.items()
    ]


def _records_in(kind: Any) -> Iterator[type]:
    if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, BaseModel)):
        yield kind
    for one in get_args(kind):
        yield from _records_in(one)


def _attributes(record: type) -> dict[str, str]:
    """Of the section Attributes of a docstring."""
    text = inspect.getdoc(record) or ""
    section = text.partition("Attributes:\n")[2]
    items = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.M)
    return {name: re.sub(r"\s+", " ", said) for name, said in items}


def _below(record: type) -> dict[str, str]:
    """What stands as a string below each field, in the class or in one that it is made from."""
    told: dict[str, str] = {}
    for kind in reversed(record.__mro__):
        if kind.__module__.startswith("edgestill."):
            told |= _strings(kind.__module__, kind.__name__)
    return told


def _strings(module: str, name: str) -> dict[str, str]:
    return {field: text for (kind, field), text in _of_module(module).items() if kind == name}


@cache
def _of_module(module: str) -> dict[tuple[str, str], str]:
    file = inspect.getsourcefile(__import__(module, fromlist=["_"]))
    assert file is not None
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    found = {}
    for kind in tree.body:
        if not isinstance(kind, ast.ClassDef):
            continue
        for field, below in zip(kind.body, kind.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                text = inspect.cleandoc(str(below.value.value))
                found[kind.name, field.target.id] = re.sub(r"\s+", " ", text)
    return found


def _first(record: type) -> str:
    return re.sub(r"\s+", " ", (inspect.getdoc(record) or "").partition("\n\n")[0])


def _linked(kind: Any) -> str:
    """A type in words, records as links to their tables."""
    if kind is type(None):
        return "null"
    if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, BaseModel)):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    origin, inner = get_origin(kind), [one for one in get_args(kind) if one is not Ellipsis]
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_linked(one) for one in inner))
    if origin is tuple:
        return f"list of {' and '.join(dict.fromkeys(_linked(one) for one in inner))}"
    if origin is dict:
        return f"{_linked(inner[1])} by {_linked(inner[0])}"
    if origin is not None and inner:
        plain = all(isinstance(one, str | int | float) for one in inner)
        return " or ".join(f"`{one}`" for one in inner) if plain else _linked(inner[0])
    names = {str: "text", int: "integer", float: "number", bool: "true or false"}
    return names.get(kind, getattr(kind, "__name__", str(kind)))


def _cell(text: str) -> str:
    return re.sub(r"``([^`]+)``", r"`\1`", text).replace("|", "\\|")
