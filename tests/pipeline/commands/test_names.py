"""Names that a shell completes come from the tables, so none is missing."""

import click
import pytest
from edgestill.devices.profiles import profile
from edgestill.exporters import EXPORTERS
from edgestill.pipeline.commands import names
from edgestill.pipeline.stages import STAGES
from edgestill.toolchains import TOOLCHAINS


@pytest.mark.parametrize(
    ("completer", "table"),
    [
        (names.devices, profile.names()),
        (names.stages, STAGES),
        (names.formats, EXPORTERS),
        (names.toolchains, TOOLCHAINS),
    ],
)
def test_every_name_of_the_table_is_offered(completer, table):
    command = click.Command("x")
    found = completer(click.Context(command), click.Option(["--x"]), "")
    assert [item.value for item in found] == list(table)
