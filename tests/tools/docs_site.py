"""What the pages of docs/ need to become a site: a hook of MkDocs.

    make docs    # build/site/index.html

The site has the pages of the root as well, those that are made of the code (every command with its
options, every key of a recipe, every function), and the notebooks. They are made anew with each
site, so they cannot be old.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parent))  # a hook is loaded by its file
import docs_python
import docs_report
import notebooks

ROOT = Path(__file__).resolve().parents[2]
FROM_ROOT = {
    "README.md": "index.md",
    "DECISIONS.md": "DECISIONS.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
}
"""Pages of the root, and what they are called in the site, where all pages lie in one folder."""
_BOUNDS = (
    ("minimum", "from {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "to {}"),
    ("exclusiveMaximum", "below {}"),
    ("minItems", "at least {} of them"),
)


def on_files(files: Any, config: Any) -> Any:
    """MkDocs asks for it when it has found the files of docs/."""
    from mkdocs.structure.files import File

    made = {site: (ROOT / root).read_text(encoding="utf-8") for root, site in FROM_ROOT.items()}
    made["reference-commands.md"] = commands_page()
    made["reference-recipe.md"] = recipe_page()
    made["reference-python.md"] = docs_python.python_page()
    made["reference-report.md"] = docs_report.report_page()
    for path in sorted(notebooks.FOLDER.glob("*.ipynb")):
        made[f"notebook-{path.stem}.md"] = notebooks.page(notebooks.read(path), path.stem)
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs asks for it before it turns a page into HTML."""
    return in_one_folder(markdown)


def in_one_folder(text: str) -> str:
    """The links of a page as they are where all pages lie in one folder."""
    text = re.sub(r"\]\(notebooks/([\w-]+)\.ipynb\)", r"](notebook-\1.md)", text)
    return re.sub(r"\]\((?:\.\./|docs/)", "](", text)


def commands_page() -> str:
    """Every command with its arguments and options, as its ``--help`` has them."""
    from edgestill.pipeline.commands.cli import cli

    parts = ["# Every command and option", ""]
    for words, command in _commands("edgestill", cli):
        usage = " ".join(
            [words, *command.collect_usage_pieces(click.Context(command, info_name=words))]
        )
        help_text = cleandoc((command.help or "").split("\f")[0].replace("\b\n", ""))
        parts += [f"## {words}", "", f"`{usage}`", "", help_text, ""]
        context = click.Context(command, info_name=words)
        for heading, options in command.grouped(context):
            parts += [heading + ":", "", "| option | what it does |", "|---|---|"]
            parts += [f"| `{_names(one)}` | {_cell(one.help or '')} |" for one in options]
            parts.append("")
        parts += ["```", *command.examples, "```", ""]
    return "\n".join(parts)


def _commands(words: str, group: click.Group) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(f"{words} {name}", command)
        else:
            yield f"{words} {name}", command


def _names(option: click.Option) -> str:
    names = "/".join((*option.opts, *option.secondary_opts))
    if option.is_flag or option.count:
        return names
    return f"{names} {option.metavar or option.type.name.upper().removesuffix(' RANGE')}"


def recipe_page() -> str:
    """Every key of a recipe with its values, its default and what it decides."""
    from edgestill.pipeline.recipe.recipe import Recipe

    schema = Recipe.model_json_schema()
    parts = ["# Every key of a recipe", "", "`edgestill init DIR` writes them all, commented.", ""]
    for section, keys in _sections(schema, schema["$defs"]):
        parts += [f"## {section}", "", "| key | values | default | what it decides |"]
        parts += ["|---|---|---|---|"]
        parts += [
            f"| `{key}` | {_cell(_values(one, schema['$defs']))} | {_default(one)} "
            f"| {_cell(one.get('description', ''))} |"
            for key, one in keys.items()
        ]
        parts.append("")
    return "\n".join(parts)


def _sections(
    part: Mapping[str, Any], parts: Mapping[str, Any], name: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The keys of a part, and after them those of the parts in it."""
    inner = {key: _part_of(one, parts) for key, one in part["properties"].items()}
    plain = {key: one for key, one in part["properties"].items() if inner[key] is None}
    if plain:
        yield (f"[{name}]" if name else "Above all sections"), plain
    for key, one in inner.items():
        if one is not None:
            yield from _sections(one, parts, f"{name}.{key}".lstrip("."))


def _part_of(value: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The part that a key holds; None where it holds a value, or a list of parts."""
    for one in (value, *value.get("anyOf", ())):
        if "$ref" in one:
            found: Mapping[str, Any] = parts[one["$ref"].rsplit("/", 1)[1]]
            return found if "properties" in found else None
    return None


def _values(value: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """What a key takes, in words."""
    if "anyOf" in value:
        kinds = [_values(one, parts) for one in value["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[1]
        return f"a table: {', '.join(f'`{key}`' for key in parts[name].get('properties', ()))}"
    if "enum" in value or "const" in value:
        return ", ".join(f"`{one}`" for one in value.get("enum", [value.get("const")]))
    kind = str(value.get("type", "any"))
    if kind == "array":
        inner = value.get("items", {})
        kind = f"list of {_values(inner, parts)}" if inner else "list"
    if kind == "object":
        kind = "table"
    return " ".join([kind, *(words.format(value[key]) for key, words in _BOUNDS if key in value)])


def _default(value: Mapping[str, Any]) -> str:
    if "default" not in value:
        return "must be set"
    return "none" if value["default"] is None else f"`{json.dumps(value['default'])}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
