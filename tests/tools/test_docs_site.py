"""The pages of the site that are made of the code, and the links of those that lie elsewhere."""

import re
from pathlib import Path

import click
import pytest
import tool_scripts
from command_tree import LEAVES
from edgestill.pipeline.recipe.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site():
    return tool_scripts.load("docs_site")


def test_every_command_has_a_heading_and_every_option_a_line(site):
    page = site.commands_page()
    parts = dict(re.findall(r"^## ([^\n]+)$\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    assert list(parts) == list(LEAVES)
    for words, command in LEAVES.items():
        for option in command.params:
            if isinstance(option, click.Option):
                assert f"| `{option.opts[0]}" in parts[words], words
        assert all(example in parts[words] for example in command.examples)
        assert command.examples


def test_every_key_has_its_values_its_default_and_its_description(site):
    page = site.recipe_page()
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", page, re.M)
    keys = [
        key
        for part in Recipe.model_json_schema()["$defs"].values()
        for key in part.get("properties", ())
    ]
    assert {name for name, *_ in rows} >= {"seed", "temperature", "max_p50_ms", "formats"}
    assert {name for name, *_ in rows} <= {*keys, *Recipe.model_fields}
    told = {name: words for name, *words in rows}
    assert told["seed"] == ["integer from 0 to 2147483647", "`0`", "Seed of every random choice."]
    assert told["test"][:2] == ["number above 0.0 below 1.0", "`0.2`"]
    assert told["source"][1] == "must be set"
    tasks = ("classification", "multi-label", "regression", "embedding", "class-logits")
    assert told["task"][0] == ", ".join(f"`{name}`" for name in (*tasks, "label-logits"))


def test_every_section_of_the_recipe_that_init_writes_is_on_the_page(site):
    from edgestill.pipeline.recipe.files import bundled

    written = re.findall(r"^(?:# )?\[([\w.]+)\]", bundled("start").read_text(), re.M)
    assert set(written) <= set(re.findall(r"^## \[(.+)\]$", site.recipe_page(), re.M))


@pytest.mark.parametrize(
    ("link", "there"),
    [
        ("[a](docs/devices.md)", "[a](devices.md)"),
        ("[a](../DECISIONS.md)", "[a](DECISIONS.md)"),
        ("[a](commands.md#exit-codes)", "[a](commands.md#exit-codes)"),
        ("[a](https://example.org/docs/x)", "[a](https://example.org/docs/x)"),
    ],
)
def test_links_lead_to_the_one_folder_of_the_site(site, link, there):
    assert site.on_page_markdown(link, page=None) == there


def test_every_page_stands_in_the_navigation():
    listed = re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert pages <= set(listed)
    assert len(listed) == len(set(listed))
