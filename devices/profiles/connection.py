"""How a device is reached and used: the `[reach]` table of a profile.

    [reach]
    via = "ssh"
    host = "board.local"
    user = "pi"
    cores = [2, 3]

Only what `via` has a use for may be given, and every value is checked before anything is started:
they end up in argument lists here and in commands on the device.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...errors import UsageError

Via = Literal["local", "ssh", "adb", "emulated"]


@dataclass(frozen=True, slots=True)
class Reach:
    """How to get to a device, and what its measuring processes are given.

    Attributes:
        via: this machine, OpenSSH, Android's adb, or an emulator, which gives no times.
        host: name or address; with adb the serial number, None for the only device.
        port: of the ssh server; None: as ssh's own configuration has it.
        user: to log in as; None: as ssh's own configuration has it.
        identity: file of the private key, here; None: as ssh's own configuration has it.
        known_hosts: file of the host keys to trust, here; None: as ssh's own configuration has it.
        python: the far side's Python.
        folder: where models and the worker are kept there; a relative one lies below the folder
            one arrives in.
        cores: to pin measuring processes to; none: any.
        memory_mib: what a measuring process may have, MiB; None: no limit.
        threads: intra-op threads where nobody asks for another number.
        spinning: whether idle threads spin, where nobody asks.
    """

    via: Via = "local"
    host: str | None = None
    port: int | None = None
    user: str | None = None
    identity: str | None = None
    known_hosts: str | None = None
    python: str = "python3"
    folder: str | None = None
    cores: tuple[int, ...] = ()
    memory_mib: int | None = None
    threads: int | None = None
    spinning: bool | None = None


# A word that an option parser or a shell could take for something else never gets that far.
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9._:%-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_far_path(value: Any) -> bool:
    # Quoted as it is, ~ would be a folder of that name.
    return isinstance(value, str) and value[:1] not in ("", "-", "~") and value.isprintable()


def _is_own_path(value: Any) -> bool:
    # ssh expands these in file names of its options, and has no way to say that it should not.
    return isinstance(value, str) and value.isprintable() and not set(value) & set('"\\$%')


def _is_whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    )


def _are_cores(value: Any) -> bool:
    whole = _is_whole(0, 4095)
    return (
        isinstance(value, list)
        and bool(value)
        and all(map(whole, value))
        and len(set(value)) == len(value)
    )


_FAR_PATH = "a path that begins with none of - and ~"
_OWN_PATH = "a path without double quotes, backslashes, $ and %"
_KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "host": (_matches(_HOST), "a name or address of letters, digits and . _ : % -, no - in front"),
    "port": (_is_whole(1, 65535), "a whole number from 1 to 65535"),
    "user": (_matches(_USER), "a name of letters, digits and . _ -, no - in front"),
    "identity": (_is_own_path, _OWN_PATH),
    "known_hosts": (_is_own_path, _OWN_PATH),
    "python": (_is_far_path, _FAR_PATH),
    "folder": (_is_far_path, _FAR_PATH),
    "cores": (_are_cores, "a list of different core numbers, from 0"),
    "memory_mib": (_is_whole(1, 2**40), "a whole number above 0"),
    "threads": (_is_whole(1, 1024), "a whole number from 1 to 1024"),
    "spinning": (lambda value: isinstance(value, bool), "true or false"),
}
_OWN = ("identity", "known_hosts")
_HERE = ("cores", "memory_mib", "threads", "spinning")
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "local": _HERE,
    "ssh": (*_HERE, "host", "port", "user", "identity", "known_hosts", "python", "folder"),
    "adb": (*_HERE, "host", "python", "folder"),
    "emulated": (),
}


def read(table: Any, where: str, folder: Path) -> Reach:
    """The `[reach]` table of a profile, checked.

    Args:
        table: as TOML gives it.
        where: file and key, for a refusal.
        folder: what relative paths of this machine start from: the profile's own.

    Raises:
        UsageError: no table, an unknown key, a value out of its range, or one without a use.
    """
    via: Any = table.get("via") if isinstance(table, dict) else None
    if not isinstance(via, str) or via not in _ALLOWED:
        raise UsageError(
            repr(via) if isinstance(table, dict) else repr(table)[:80],
            expected=f"a table with one of {', '.join(_ALLOWED)}",
            where=f"{where}.via",
        )
    checked = {
        key: _own_path(value, folder) if key in _OWN else value for key, value in table.items()
    }
    for key in sorted(checked.keys() - {"via"}):
        _check(via, key, checked[key], f"{where}.{key}"[:200])
    if via == "ssh" and "host" not in checked:
        raise UsageError("no host", expected="the name or address to log in to", where=where)
    return Reach(**{**checked, "cores": tuple(checked.get("cores", ()))})


def _check(via: str, key: str, value: Any, where: str) -> None:
    allowed = _ALLOWED[via]
    if key not in allowed:
        raise UsageError(
            "a key without a use" if key in _KEYS else "an unknown key",
            expected=f"one of via, {', '.join(allowed)}" if allowed else "via alone",
            where=where,
        )
    fits, expected = _KEYS[key]
    if not fits(value):
        raise UsageError(repr(value)[:80], expected=expected, where=where)


def _own_path(value: Any, folder: Path) -> Any:
    """A path of this machine made absolute; what is none, as it is."""
    if not isinstance(value, str) or not value:
        return value
    try:
        return str(folder.absolute() / Path(value).expanduser())
    except RuntimeError:  # no such home
        return value
