"""The manual page has every command and option, is current, and is roff without a warning."""

import re
import shutil
import subprocess

import click
import pytest
import tool_scripts
from command_tree import LEAVES


@pytest.fixture(scope="module")
def man():
    return tool_scripts.load("man_page")


def test_the_page_is_current(man):
    assert man.PAGE.read_text(encoding="utf-8") == man.page()


def test_every_command_has_a_part_with_its_options_and_examples(man):
    parts = dict(
        re.findall(r"^\.SS (edgestill [a-z\\ -]+)(.*?)(?=^\.S[SH]|\Z)", man.page(), re.M | re.S)
    )
    parts = {name.replace("\\-", "-").strip(): text for name, text in parts.items()}
    for words, command in LEAVES.items():
        text = next(text for name, text in parts.items() if name == words)
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.opts[-1].replace("-", "\\-") in text, (words, option.name)
        for example in command.examples:
            assert man._roff(example) in text


def test_nothing_of_a_text_is_taken_for_a_request(man):
    assert man._roff(".ort files, a-b, it's \\n") == "\\&.ort files, a\\-b, it\\(aqs \\en"


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_groff_reads_it_without_a_warning(man):
    ended = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-K", "utf8", "-z", str(man.PAGE)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
