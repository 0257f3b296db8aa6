"""The `[reach]` table of a profile, and that relative files lie beside the profile."""

from pathlib import Path

import pytest
from edgestill.devices.profiles.connection import Reach, read
from edgestill.errors import UsageError


def test_a_table_becomes_a_connection_with_local_files_beside_the_profile():
    table = {"via": "ssh", "host": "board.local", "identity": "key", "cores": [2, 3], "port": 22}
    reach = read(table, "board.toml: reach", Path("/profiles"))
    assert reach == Reach(
        via="ssh", host="board.local", identity="/profiles/key", cores=(2, 3), port=22
    )


def test_absolute_files_stay_as_they_are():
    table = {"via": "ssh", "host": "b", "known_hosts": "/etc/hosts"}
    assert read(table, "w", Path("/profiles")).known_hosts == "/etc/hosts"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (3, "w.via: found 3, expected a table with one of local, ssh, adb, emulated"),
        ({"via": "emulated", "threads": 1}, "expected only the key via"),
        ({"via": "local", "threads": True}, "found True, expected a whole number from 1 to 1024"),
        ({"via": "adb", "python": "~/p"}, "expected a path that begins with neither - nor ~"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_key(table, says):
    with pytest.raises(UsageError) as refusal:
        read(table, "w", Path("/profiles"))
    assert says in str(refusal.value)


def test_every_problem_of_a_table_is_told(tmp_path):
    with pytest.raises(UsageError) as refused:
        read({"via": "shh", "hst": "board", "port": 0}, "w", tmp_path)
    told = [one.line() for one in refused.value.problems]
    assert [line.partition(":")[0] for line in told] == ["w.via", "w.hst", "w.port"]
    assert told[0].endswith("did you mean 'ssh'?")
    assert told[1].endswith("did you mean 'host'?")
