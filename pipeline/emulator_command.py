"""``edgestill devices setup-emulator``: the one command that uses the network."""

from dataclasses import asdict

import click

from .command import Manner, command, say, stderr


@command()
@click.pass_obj
def setup_emulator(manner: Manner) -> None:
    """Download and set up what runs models on emulated ARM cores (Debian 12).

    The one command that uses the network: packages of Debian and of Python, by the servers that
    apt and pip here are set up for, into the user's cache folder; nothing is installed.
    """
    from ..devices import emulator

    made = emulator.setup_emulator(lambda text: stderr().print(text, highlight=False))
    facts = {name: str(place) for name, place in asdict(made).items()}
    say(manner, facts, f"{made.folder}: ready")
