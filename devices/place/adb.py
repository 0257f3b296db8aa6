"""An Android device behind adb: the argument list that runs one command there.

>>> Adb(Reach(via="adb", host="0123ABCD")).words(["python3", "-V"])
['adb', '-s', '0123ABCD', 'shell', '-T', 'python3 -V']

The device needs a Python with numpy and the runtime that adb's user may run; `reach.python` names
it. Since Android 7 `adb shell` hands on stdin, stderr and the exit status, which this relies on.
Tested with a program that behaves so; not run on a phone yet.
"""

import re
import shlex
from collections.abc import Sequence

from ...errors import ReachError
from ..onboard.machine.child import last_line
from ..profiles.connection import Reach

_OWN_FAILURE = re.compile(
    "^(adb: |error: )|no devices/emulators found|device offline|device unauthorized"
    "|more than one device",
    re.MULTILINE,
)


class Adb:
    """An Android device behind adb.

    Attributes:
        name: for messages.
        folder: where files go there, if the profile names none.
    """

    folder = "/data/local/tmp/edgestill"

    def __init__(self, reach: Reach) -> None:
        self._serial = reach.host
        self.name = f"adb {reach.host}" if reach.host else "adb"

    def words(self, command: Sequence[str]) -> list[str]:
        """The argument list that runs a command there; the far shell sees each word quoted."""
        which = ["-s", self._serial] if self._serial is not None else []
        return ["adb", *which, "shell", "-T", shlex.join(command)]

    def failure(self, status: int, stderr: str) -> ReachError | None:
        """What went wrong with the connection itself, None where the command ended by itself."""
        if status == 0 or not _OWN_FAILURE.search(stderr):
            return None
        return ReachError(
            f"a device that adb does not reach{last_line(stderr)}",
            where=self.name,
            fix="see what `adb devices` lists, and allow this computer on the device",
        )
