"""A device behind OpenSSH: the argument list that runs one command there.

>>> Ssh(Reach(via="ssh", host="board", user="pi")).words(["python3", "-V"])[-2:]
['board', 'python3 -V']

OpenSSH's client does the work, so keys, agents, jump hosts and aliases are those of the user's own
configuration. What is never left to it: the host key must be known beforehand, nothing is asked
for, and a silent connection ends.
"""

import re
import shlex
from collections.abc import Sequence

from ...errors import ReachError
from ..onboard.machine.child import last_line
from ..profiles.connection import Reach

_OPTIONS: tuple[str, ...] = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=15",
    "ConnectionAttempts=1",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "RequestTTY=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    # A master that is there is used; one that is left behind in the background is not started.
    "ControlMaster=no",
    "LogLevel=ERROR",
)
_OWN_FAILURE = 255  # ssh(1): the exit status of the command, or 255 if an error occurred
_CAUSES = (
    (
        re.compile("host key verification failed|remote host identification has changed", re.I),
        "a host whose key is not the known one, or not known",
        "compare the fingerprint with the device's own, then add it: ssh-keyscan, or log in once",
    ),
    (
        re.compile("permission denied", re.I),
        "a login that is refused",
        "give the device your public key: ssh-copy-id; nothing is asked for here",
    ),
    (
        re.compile("could not resolve|name or service not known", re.I),
        "a host name that leads nowhere",
        "check reach.host",
    ),
    (
        re.compile("connection refused|timed out|no route|unreachable", re.I),
        "a host that does not answer",
        "see that it is on, in reach, and that its ssh server runs",
    ),
)


class Ssh:
    """A device behind OpenSSH.

    Attributes:
        name: for messages.
        folder: where files go there, if the profile names none.
    """

    folder = ".cache/edgestill"

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        user = f"{reach.user}@" if reach.user else ""
        port = f" port {reach.port}" if reach.port else ""
        self.name = f"ssh {user}{reach.host}{port}"

    def words(self, command: Sequence[str]) -> list[str]:
        """The argument list that runs a command there; the far shell sees each word quoted."""
        reach = self._reach
        options = list(_OPTIONS)
        if reach.identity is not None:
            options += [f'IdentityFile="{reach.identity}"', "IdentitiesOnly=yes"]
        if reach.known_hosts is not None:
            options += [
                f'UserKnownHostsFile="{reach.known_hosts}"',
                "GlobalKnownHostsFile=none",
                "UpdateHostKeys=no",
            ]
        words = ["ssh", "-T"]
        for option in options:
            words += ["-o", option]
        if reach.port is not None:
            words += ["-p", str(reach.port)]
        if reach.user is not None:
            words += ["-l", reach.user]
        return [*words, "--", str(reach.host), shlex.join(command)]

    def failure(self, status: int, stderr: str) -> ReachError | None:
        """What went wrong with the connection itself, None where the command ended by itself."""
        if status != _OWN_FAILURE:
            return None
        for pattern, cause, fix in _CAUSES:
            if pattern.search(stderr):
                return ReachError(f"{cause}{last_line(stderr)}", where=self.name, fix=fix)
        return ReachError(f"a connection that was lost{last_line(stderr)}", where=self.name)
