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
    from ..devices import emulated, emulator

    def told(text: str) -> None:
        stderr().print(text, highlight=False, soft_wrap=True)

    made = emulator.setup_emulator(told)
    told("counting the instructions of a small model")
    runtime = emulated.try_out().runtime
    facts = {name: str(place) for name, place in asdict(made).items()}
    say(manner, {**facts, "runtime": runtime}, f"{made.folder}: ready, with {runtime}")
