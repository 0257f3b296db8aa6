"""Help reads well at 80 columns: in groups, with examples that parse, and it is fast."""

import os
import re
import shlex
import subprocess
import sys

import click
import pytest
from command_tree import LEAVES, PAGES
from edgestill.pipeline.commands.bench import bench
from edgestill.pipeline.commands.cli import COMMANDS, SECTIONS, main
from edgestill.pipeline.commands.help import REST, Command


def page(words):
    context = PAGES[words].make_context(words, ["-h"], resilient_parsing=True)
    return PAGES[words].get_help(context)


@pytest.mark.parametrize("words", PAGES)
def test_no_line_of_help_is_wider_than_80_columns_or_cut(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = page(words).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert [line for line in lines[1:] if line.endswith("...")] == []
    assert "RANGE" not in page(words)


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_has_examples_that_parse(words):
    assert LEAVES[words].examples
    for example in LEAVES[words].examples:
        typed = shlex.split(example.partition("$(")[2].partition(")")[0] or example, comments=True)
        typed = typed[: typed.index(">")] if ">" in typed else typed
        names = words.split()
        assert typed[: len(names)] == names
        context = LEAVES[words].make_context(words, typed[len(names) :], obj=object())
        assert context.params or not any(one.expose_value for one in LEAVES[words].params)
        assert f"  {example}\n" in page(words) + "\n"


def test_help_lists_every_command_below_the_heading_of_its_group():
    headings, below = list(SECTIONS), {}
    for line in page("edgestill").splitlines():
        if line.rstrip(":") in headings:
            heading = line.rstrip(":")
        elif line.startswith("  ") and line.split()[0] in COMMANDS:
            below.setdefault(heading, []).append(line.split()[0])
    assert below == {heading: list(commands) for heading, commands in SECTIONS.items()}
    assert "Commands:" not in page("edgestill")


def test_options_without_a_group_stand_last_below_a_heading_of_their_own():
    one = Command("x", params=[click.Option(["--a"]), click.Option(["--b"])], groups={"B": ["b"]})
    found = [
        (heading, [o.opts[0] for o in options])
        for heading, options in one.grouped(click.Context(one))
    ]
    assert found == [("B", ["--b"]), (REST, ["--a", "--help"])]


def test_options_stand_in_groups_and_each_is_shown_once():
    shown = page("edgestill bench").partition("Examples:")[0]
    grouped = [name for names in bench.groups.values() for name in names]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= {one.name for one in bench.params}
    for option in bench.params:
        if isinstance(option, click.Option):
            assert len(re.findall(rf"\n  {option.opts[0]}\b(?!-)", shown)) == 1, option.name
    assert "MODELS..." not in shown.partition("What is asked")[2]


@pytest.mark.parametrize("words", [[], ["devices"], ["toolchains"]])
def test_a_group_alone_prints_its_help_and_is_a_wrong_use(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["edgestill", *words])
    with pytest.raises(SystemExit) as left:
        main()
    out, err = capsys.readouterr()
    assert (left.value.code, out) == (2, "")
    assert err.startswith(f"Usage: {' '.join(['edgestill', *words])} [OPTIONS] COMMAND")
    assert "error" not in err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["benhc"], "'bench'"),
        (["devices", "shwo"], "'show'"),
        (["bench", "--divice", "x", "m.onnx"], "'--device'"),
        (["build", "--util", "data"], "'--until'"),
    ],
)
def test_wrong_words_are_met_with_the_ones_that_are_meant(words, meant, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["edgestill", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert f"Did you mean {meant}?" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['edgestill', '--help']\n"
        "from edgestill.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('rich', 'pydantic', 'numpy', 'onnx', 'torch') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colour_is_for_who_wants_it(variables, coloured):
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    for words in (["--help"], ["benhc"]):
        ended = subprocess.run(
            [sys.executable, "-m", "edgestill", *words],
            env={**kept, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ("\x1b[" in ended.stdout + ended.stderr) is coloured
