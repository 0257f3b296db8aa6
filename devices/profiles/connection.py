"""The connection to a device: the `[reach]` table of a profile.

    [reach]
    via = "ssh"
    host = "board.local"
    user = "pi"
    cores = [2, 3]

Only keys that apply to `via` are accepted. Every value is checked before anything is started,
because the values become arguments of programs here and parts of commands on the device.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ...errors import UsageError, check_all, did_you_mean

Via = Literal["local", "ssh", "adb", "emulated"]


@dataclass(frozen=True, slots=True)
class Reach:
    """How to connect to a device, and the limits of its measuring processes.

    Attributes:
        via: this machine, OpenSSH, Android's adb, or an emulator, which gives no times.
        host: name or address; with adb the serial number, None for the only device.
        port: port of the ssh server; None: from ssh's own configuration.
        user: login name; None: from ssh's own configuration.
        identity: local file of the private key; None: from ssh's own configuration.
        known_hosts: local file of trusted host keys; None: from ssh's own configuration.
        python: Python of the device.
        folder: folder on the device for models and the worker; relative to the login folder.
        cores: cores to which measuring processes are pinned; empty: any.
        memory_mib: memory limit of a measuring process, MiB; None: no limit.
        threads: default number of intra-op threads.
        spinning: default for whether idle threads spin.
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


# These patterns exclude words that an option parser or a shell would interpret.
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9._:%-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_device_path(value: Any) -> bool:
    # The path is quoted on the device, so ~ would be a folder of that name.
    return isinstance(value, str) and value[:1] not in ("", "-", "~") and value.isprintable()


def _is_local_path(value: Any) -> bool:
    # ssh expands these characters in file names of its options and offers no way to escape them.
    return isinstance(value, str) and value.isprintable() and not set(value) & set('"\\$%')


def _is_integer(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    )


def _are_core_numbers(value: Any) -> bool:
    is_core = _is_integer(0, 4095)
    return (
        isinstance(value, list)
        and bool(value)
        and all(map(is_core, value))
        and len(set(value)) == len(value)
    )


_DEVICE_PATH = "a path that begins with neither - nor ~"
_LOCAL_PATH = "a path without double quotes, backslashes, $ and %"
_KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "host": (
        _matches(_HOST),
        "letters, digits and . _ : % -, not starting with -",
    ),
    "port": (_is_integer(1, 65535), "a whole number from 1 to 65535"),
    "user": (_matches(_USER), "letters, digits and . _ -, not starting with -"),
    "identity": (_is_local_path, _LOCAL_PATH),
    "known_hosts": (_is_local_path, _LOCAL_PATH),
    "python": (_is_device_path, _DEVICE_PATH),
    "folder": (_is_device_path, _DEVICE_PATH),
    "cores": (_are_core_numbers, "a list of different core numbers, from 0"),
    "memory_mib": (_is_integer(1, 2**40), "a whole number above 0"),
    "threads": (_is_integer(1, 1024), "a whole number from 1 to 1024"),
    "spinning": (lambda value: isinstance(value, bool), "true or false"),
}
_LOCAL_FILES = ("identity", "known_hosts")
_ALWAYS = ("cores", "memory_mib", "threads", "spinning")
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "local": _ALWAYS,
    "ssh": (*_ALWAYS, "host", "port", "user", "identity", "known_hosts", "python", "folder"),
    "adb": (*_ALWAYS, "host", "python", "folder"),
    "emulated": (),
}


def read(table: Any, where: str, folder: Path) -> Reach:
    """The `[reach]` table of a profile, checked.

    Args:
        table: the parsed TOML value.
        where: file and key, for a message.
        folder: the profile's folder, to which relative local paths are relative.

    Raises:
        UsageError: the value is not a table, a key is unknown or does not apply to `via`, or a
            value is out of its range.
    """
    if not isinstance(table, dict):
        raise UsageError(
            repr(table)[:80],
            expected=f"a table with one of {', '.join(_ALLOWED)}",
            where=f"{where}.via",
        )
    via: Any = table.get("via")
    checked = {
        key: _absolute(value, folder) if key in _LOCAL_FILES else value
        for key, value in table.items()
    }
    check_all(
        partial(_check_via, via, f"{where}.via"),
        *(
            partial(_check, via, key, checked[key], f"{where}.{key}"[:200])
            for key in sorted(checked.keys() - {"via"})
        ),
    )
    if via == "ssh" and "host" not in checked:
        raise UsageError("no host", expected="the name or address to log in to", where=where)
    return Reach(**{**checked, "cores": tuple(checked.get("cores", ()))})


def _check_via(via: Any, where: str) -> None:
    if not isinstance(via, str) or via not in _ALLOWED:
        raise UsageError(
            "no via" if via is None else repr(via),
            expected=f"one of {', '.join(_ALLOWED)}",
            where=where,
            fix=did_you_mean(str(via), _ALLOWED) if via is not None else None,
        )


def _check(via: Any, key: str, value: Any, where: str) -> None:
    """One key; of a ``via`` that there is not, every key may be meant."""
    known = isinstance(via, str) and via in _ALLOWED
    allowed = _ALLOWED[via] if known else tuple(_KEYS)
    if key not in allowed:
        raise UsageError(
            f"a key that does not apply to via = {via!r}" if key in _KEYS else "an unknown key",
            expected=f"one of via, {', '.join(allowed)}" if allowed else "only the key via",
            where=where,
            fix=did_you_mean(key, allowed),
        )
    fits, expected = _KEYS[key]
    if not fits(value):
        raise UsageError(repr(value)[:80], expected=expected, where=where)


def _absolute(value: Any, folder: Path) -> Any:
    """A local path made absolute; any other value unchanged."""
    if not isinstance(value, str) or not value:
        return value
    try:
        return str(folder.absolute() / Path(value).expanduser())
    except RuntimeError:  # the home folder is unknown
        return value
