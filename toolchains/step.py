"""Run one step of a set-up: a program that may take minutes and say much.

>>> run_step((sys.executable, "-c", "print('done')"), where="a test", fix="try again")
'done'
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ..errors import HostError

_NONE: Mapping[str, str] = MappingProxyType({})


def run_step(
    words: Sequence[str],
    *,
    where: str,
    fix: str,
    minutes: int = 20,
    environment: Mapping[str, str] = _NONE,
) -> str:
    """Run a program and return the last line of its output.

    Args:
        words: the program and its arguments.
        where: what it is a step of, for a message.
        fix: what to do where it fails.
        minutes: until it is ended.
        environment: variables beside our own.

    Raises:
        HostError: it failed (with the last line of its output) or took too long.
    """
    try:
        done = subprocess.run(
            list(words),
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=60 * minutes,
        )
    except subprocess.TimeoutExpired:
        raise HostError(f"no end after {minutes} minutes", where=where, fix=fix) from None
    last = next((line for line in reversed(done.stdout.splitlines()) if line.strip()), "")
    if done.returncode != 0:
        raise HostError(last[:300] or f"status {done.returncode}", where=where, fix=fix)
    return last
