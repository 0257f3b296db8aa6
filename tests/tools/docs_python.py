"""The page of docs/ with every function and result of the package, made of their docstrings.

    python_page()       # '# Every function and result …'

Docstrings are in Google's style; ``sections`` reads what there is of it here. A library for it
(mkdocstrings) would be three more packages and a configuration; see DECISIONS.md.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Example):$")
_ITEM = re.compile(r"(?P<names>[\w, ]+): (?P<text>.*)")
_RESULTS = (
    "Run",
    "Stopped",
    "Frontier",
    "Planned",
    "Quantized",
    "Explained",
    "Measured",
    "Profiled",
    "InstructionsCounted",
    "ArenaCounted",
    "Compared",
    "Exported",
    "Bundled",
    "Gated",
    "History",
    "Recorded",
    "Verified",
    "Event",
)
_HEADS = {"Args": "parameter", "Attributes": "attribute", "Raises": "raises"}


def python_page() -> str:
    """Every function of the package with its parameters and example, and every result."""
    import edgestill

    parts = ["# Every function and result", "", "[How they are used](python.md).", ""]
    for name in edgestill._FUNCTIONS:
        parts += _described(f"edgestill.{name}", getattr(edgestill, name))
    for name in _RESULTS:
        kind = getattr(edgestill, name)
        parts += _described(f"edgestill.{name}", kind, signature=False)
        parts += _members(kind)
    parts += [
        "## Errors",
        "",
        "| error | what it says | exit code of the command |",
        "|---|---|---|",
    ]
    for name in sorted(edgestill.__all__):
        if name.endswith("Error"):
            error = getattr(edgestill, name)
            first = (inspect.getdoc(error) or "").split("\n")[0]
            parts.append(f"| `edgestill.{name}` | {_cell(first)} | {error.exit_code} |")
    return "\n".join(parts) + "\n"


def sections(text: str) -> dict[str, list[str]]:
    """The lines of each section of a docstring, unindented; ``""`` is what comes first."""
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in inspect.cleandoc(text).split("\n"):
        if match := _SECTION.match(line):
            name = match[1]
            found[name] = []
        else:
            found[name].append(line.removeprefix("    ") if name else line)
    return found


def items(lines: list[str]) -> Iterator[tuple[str, str]]:
    """``name: text`` of a section; a line that is indented goes on with the one before."""
    told: list[list[str]] = []
    for line in lines:
        match = _ITEM.match(line)
        if match and not line.startswith(" "):
            told.append([match["names"], match["text"]])
        elif told and line.strip():
            told[-1][1] += f" {line.strip()}"
    yield from ((names, text) for names, text in told)


def _described(name: str, thing: Any, *, signature: bool = True) -> Iterator[str]:
    """A heading, the signature, and each section of the docstring."""
    yield from (f"## {name}", "")
    if signature:
        yield from ("```python", _signature(name, thing), "```", "")
    found = sections(thing.__doc__ or "")
    yield from (_text("\n".join(found[""]).strip()), "")
    for section, head in _HEADS.items():
        if section in found:
            yield from (f"| {head} | |", "|---|---|")
            for names, text in items(found[section]):
                told = ", ".join(f"`{one.strip()}`" for one in names.split(","))
                yield f"| {told} | {_cell(text)} |"
            yield ""
    if "Returns" in found:
        yield from (f"Returns: {_cell(' '.join(found['Returns']))}", "")
    if "Example" in found:
        yield from ("```python", *_trimmed(found["Example"]), "```", "")


def _trimmed(lines: list[str]) -> list[str]:
    return "\n".join(lines).strip("\n").split("\n")


def _signature(name: str, function: Any) -> str:
    """One parameter a line; types as they are written."""
    told = inspect.signature(function)
    lines = [f"{name}("]
    starred = False
    for parameter in told.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            lines.append("    *,")
            starred = True
        lines.append(f"    {_plain(str(parameter))},")
    return "\n".join([*lines, f") -> {_plain(inspect.formatannotation(told.return_annotation))}"])


def _plain(text: str) -> str:
    """Types by their last name: ``Run`` of ``edgestill.pipeline.api.run.Run``."""
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)


def _members(kind: Any) -> Iterator[str]:
    """Properties and methods of a result."""
    rows = []
    for name, member in inspect.getmembers(kind):
        own = any(name in vars(base) for base in kind.__mro__ if "edgestill" in base.__module__)
        public = not name.startswith("_") and own and name not in ("screen", "records")
        if public and isinstance(member, property):
            rows.append((f"`{name}`", inspect.getdoc(member)))
        elif public and inspect.isroutine(member):
            rows.append((f"`{name}()`", inspect.getdoc(member)))
    if rows:
        yield from ("| | |", "|---|---|")
        for shown, doc in rows:
            first = sections(doc or "")[""]
            yield f"| {shown} | {_cell(' '.join(first))} |"
        yield ""


def _text(text: str) -> str:
    return text.replace("``", "`")


def _cell(text: str) -> str:
    return _text(" ".join(text.split()).replace("|", "\\|"))
