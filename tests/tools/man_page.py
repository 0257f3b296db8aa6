"""Write docs/edgestill.1, the manual page of the command, from what click knows of it.

    python tests/tools/man_page.py            # write it
    python tests/tools/man_page.py --check    # fail when it is not current

One page has every command, as ``man edgestill`` is typed. The wheel installs it below share/man.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
from edgestill import errors
from edgestill.pipeline.commands.cli import INTERRUPTED, TERMINATED, cli
from edgestill.pipeline.judge.gate import EXIT_CODES
from edgestill.version import __version__

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "edgestill.1"
ENVIRONMENT = {
    "NO_COLOR": "No colours.",
    "FORCE_COLOR": "Colours where the output is no terminal, too.",
    "CI": "Plain lines of progress, also on a terminal.",
    "OMP_NUM_THREADS": "Threads for training, where the recipe names none.",
    "EDGESTILL_TOOLCHAINS": "The folder of toolchains; default: in the user's cache folder.",
    "TMPDIR": "The folder of temporary files.",
}
FILES = {
    "recipe.toml": "What a build is told; edgestill init writes one with every key.",
    "artifacts/store/": "The output of each stage, by the hash of all that went into it.",
    "artifacts/runs/NAME/TIME/": "One build: models, records, report.html, report.json.",
    "artifacts/runs/NAME/latest": "A link to the run that the last build of this name gave.",
    "artifacts/bench/": "Raw samples of edgestill bench and compare.",
}


def page() -> str:
    """The page in roff."""
    return "\n".join([*_head(), *_commands(), *_foot()]) + "\n"


def _head() -> Iterator[str]:
    text = cleandoc(cli.help or "")
    yield f'.TH EDGESTILL 1 "" "edgestill {__version__}" "User Commands"'
    yield ".SH NAME"
    yield f"edgestill \\- {_roff(text.splitlines()[0].rstrip('.'))}"
    yield ".SH SYNOPSIS"
    yield ".B edgestill"
    yield ".I COMMAND"
    yield "[OPTIONS] [ARGUMENTS]"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(cli.epilog or "")


def _commands() -> Iterator[str]:
    """Every command below the heading of its group."""
    for heading, names in cli.sections.items():
        yield f".SH {heading.upper()}"
        for name in names:
            yield from _command(f"edgestill {name}", cli.commands[name])


def _command(words: str, command: Any) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command(f"{words} {name}", inner)
        return
    context = click.Context(command, info_name=words)
    usage = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    yield f".SS {_roff(' '.join([words, *usage]))}"
    yield from _paragraphs(command.help or "")
    for _, options in command.grouped(context):
        for option in options:
            if (record := option.get_help_record(context)) and "--help" not in option.opts:
                term, meaning = record
                yield from (".TP", f".B {_roff(term)}", _roff(meaning))
    if command.examples:
        yield from (".PP", "Examples:", ".PP", ".nf", ".RS")
        yield from map(_roff, command.examples)
        yield from (".RE", ".fi")


def _foot() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    codes = {code: outcome for outcome, code in EXIT_CODES.items()}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.EdgestillError):
            codes.setdefault(kind.exit_code, (kind.__doc__ or "").splitlines()[0].rstrip("."))
    codes[errors.EdgestillError.exit_code] = "a bug in edgestill"
    codes |= {INTERRUPTED: "interrupted", TERMINATED: "ended by SIGTERM"}
    for code, meaning in sorted(codes.items()):
        yield from (".TP", f".B {code}", _roff(meaning))
    for heading, facts in (("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        yield f".SH {heading}"
        for name, meaning in facts.items():
            yield from (".TP", f".B {_roff(name)}", _roff(meaning))


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(cleandoc(text).replace("\b\n", "").split("\n\n")):
        if number:
            yield ".PP"
        yield _roff(" ".join(paragraph.split()))


def _roff(text: str) -> str:
    """Text as roff takes it: nothing in it is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^\.", "\\&.", text)


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    wanted = page()
    if not parser.parse_args().check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write(f"{PAGE.relative_to(ROOT)} is not current; run: make man\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
