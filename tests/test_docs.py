"""Docs that cannot drift: commands, keys, versions and code blocks are held against the code."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import get_args

import click
import edgestill
import pytest
from edgestill import __version__
from edgestill.pipeline.commands.cli import cli
from edgestill.pipeline.recipe.files import bundled
from edgestill.pipeline.recipe.part import Part
from edgestill.pipeline.recipe.recipe import Recipe
from edgestill.pipeline.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]
OURS = ("devices", "docs", "exporters", "pipeline", "tests")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
}


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_has_help_and_stands_in_the_page_of_commands(name):
    assert cli.commands[name].get_short_help_str()
    assert f"`edgestill {name}" in COMMANDS
    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Option) and parameter.name not in (
            "batch",
            "threads",
            "processes",
        ):
            assert parameter.help, f"{name} --{parameter.name}"


def test_the_readme_is_read_in_five_minutes():
    assert len(README.split()) <= 900


def test_every_page_is_reached_from_the_readme():
    linked = set(re.findall(r"\]\(((?:docs/)?[\w-]+\.md)\)", README))
    apart = {"README.md", "CHANGELOG.md"}
    reached = {
        (Path(page).parent / name).as_posix() for page in linked for name in _links(PAGES[page])
    }
    assert set(PAGES) - linked - reached - apart == set()


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_a_command_that_does_not_exist(page):
    assert set(re.findall(r"`edgestill ([a-z]+)", PAGES[page])) <= set(cli.commands)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def _links(text):
    return re.findall(r"\]\(([\w-]+\.md)\)", text)


def keys_of(model, prefix=""):
    for name, field in model.model_fields.items():
        # A section that may be left out is ``Part | None``.
        kinds = get_args(field.annotation)
        kind = kinds[0] if type(None) in kinds else field.annotation
        if isinstance(kind, type) and issubclass(kind, Part):
            yield from keys_of(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def test_every_recipe_key_stands_in_the_recipe_that_init_writes():
    section, found = "", set()
    for line in bundled("start").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"(?:# )?\[([\w.]+)\]", line):
            section = f"{match[1]}."
        elif match := re.match(r"(?:# )?(\w+) = ", line):
            found.add(section + match[1])
    wanted = {key for key, _ in keys_of(Recipe)}
    assert found == wanted


def test_every_metric_that_can_be_a_budget_stands_in_the_recipe_that_init_writes():
    (gate,) = re.findall(r"^\[gate\].*", bundled("start").read_text(encoding="utf-8"), re.S | re.M)
    for task in TASKS.values():
        lines = re.findall(rf"^#   {task.name} .*", gate, re.M) or [gate]
        for metric in task.reported:
            assert re.search(rf"\b{metric.key}\b", gate if metric is task.metric else lines[0])


def test_every_recipe_key_is_described_in_the_schema():
    assert [key for key, field in keys_of(Recipe) if not field.description] == []


def test_the_changelog_has_the_version():
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [README, COMMANDS], ids=["readme", "commands"])
def test_every_exit_code_that_is_told_is_one_of_ours(text):
    from edgestill import errors
    from edgestill.pipeline.commands.cli import INTERRUPTED
    from edgestill.pipeline.judge.gate import EXIT_CODES

    ours = {e.exit_code for e in vars(errors).values() if hasattr(e, "exit_code")}
    rows = re.findall(r"^\| ([0-9, ]+) \|", text, re.MULTILINE)
    told = {int(code) for row in rows for code in row.split(",")}
    assert told == ours | set(EXIT_CODES.values()) | {INTERRUPTED}


def test_every_make_target_in_the_docs_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_every_edgestill_line_of_a_page_parses(page):
    for block in re.findall(r"```\n(.*?)```", PAGES[page], re.DOTALL):
        for line in block.splitlines():
            if not line.startswith("edgestill "):
                continue
            name, *arguments = shlex.split(line, comments=True)[1:]
            if ">" in arguments:
                arguments = arguments[: arguments.index(">")]
            command = cli.commands[name]
            if isinstance(command, click.Group):
                name, *arguments = arguments
                command = command.commands[name]
            context = command.make_context(name, arguments, obj=object())
            assert context.params or not any(one.expose_value for one in command.params)


def test_the_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + [each for extra in extras.values() for each in extra]
    names = {re.split(r"[<>=]", w)[0].lower() for w in wanted if not w.startswith("edgestill[")}
    assert {"pyarrow", "scipy", "soundfile", "tokenizers"} <= names
    pins = (ROOT / "constraints.txt").read_text().lower()
    pinned = set(re.findall(r"^([a-z0-9_.-]+)==", pins, re.MULTILINE))
    assert names - pinned == set()
    assert "torch==2.13.0" in pins


def test_the_tests_have_every_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (named,) = [each for each in extras["dev"] if each.startswith("edgestill[")]
    assert set(re.findall(r"[\w-]+", named)[1:]) == set(extras) - {"dev"}


def texts():
    """Every file of the repository that may name a module or a path of ours."""
    for folder in (".", ".ci", *OURS):
        for pattern in ("*.py", "*.md", "*.toml", "Makefile", "run"):
            for path in (ROOT / folder).glob(pattern if folder[0] == "." else f"**/{pattern}"):
                if path.parent.name != "tools":  # its tests make up names
                    yield path, path.read_text(encoding="utf-8")


def is_ours(name):
    """Whether a dotted name is a module, or the name that follows one."""
    path = ROOT
    for part in name.split("."):
        if path.joinpath(f"{part}.py").exists():
            return True
        if not path.joinpath(part).is_dir():
            return path.joinpath("__init__.py").exists() and bool(
                re.search(rf"\b{part}\b", path.joinpath("__init__.py").read_text())
            )
        path /= part
    return True


def test_every_extra_stands_in_the_page_of_installation():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    rows = re.findall(r"^\| (`[^|]+) \|", PAGES["docs/install.md"], re.M)
    told = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert extras.keys() - {"dev"} <= told


def test_every_folder_stands_in_the_table_of_the_architecture():
    rows = re.findall(r"^\| (`[^|]+) \|", PAGES["docs/architecture.md"], re.M)
    told = {name for row in rows for name in re.findall(r"`([\w/]+)`", row)}
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for whole in ("devices", "pipeline")
        for path in (ROOT / whole).glob("*/__init__.py")
    }
    assert folders <= told


@pytest.mark.parametrize("page", ["docs/commands.md", "docs/peers.md"])
def test_every_function_of_python_that_is_a_command_is_told(page):
    functions = {name for name in edgestill.__all__ if name in cli.commands}
    (told,) = (line for line in PAGES[page].splitlines() if "`bench`, `compare`, `export`" in line)
    assert functions <= set(re.findall(r"`(?:edgestill\.)?(\w+)`", told))


def test_every_module_that_is_named_exists():
    named = re.compile(r"\bedgestill\.((?:devices|exporters|pipeline)(?:\.\w+)*)")
    stale = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path, text in texts()
        for match in named.finditer(text)
        if not is_ours(match[1]) and not match[1].endswith(".toy")
    }
    assert stale == set()


def test_every_name_that_a_text_imports_from_a_folder_is_a_module_of_it():
    imported = re.compile(r"from edgestill\.([\w.]+) import (\w+)")
    stale = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path, text in texts()
        for match in imported.finditer(text)
        if not is_ours(f"{match[1]}.{match[2]}")
    }
    assert stale == set()


def test_every_path_that_is_named_exists():
    named = re.compile(r"(?<![\w/.-])(?:devices|docs|exporters|pipeline|tests)/[\w/]+\.[a-z]+")
    stale = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path, text in texts()
        for match in named.finditer(text)
        if not (ROOT / match[0]).exists() and "NAME" not in match[0]
    }
    assert stale == set()
