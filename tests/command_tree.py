"""Every command of edgestill by its words, for tests that look at all of them."""

import click
from edgestill.pipeline.commands.cli import cli


def pages(group=cli, words="edgestill"):
    """Each command and group of commands, with the words that call it."""
    yield words, group
    for name, one in group.commands.items():
        if isinstance(one, click.Group):
            yield from pages(one, f"{words} {name}")
        else:
            yield f"{words} {name}", one


PAGES = dict(pages())
LEAVES = {words: one for words, one in PAGES.items() if not isinstance(one, click.Group)}
"""Commands that do something, without their groups."""
