"""A power meter's log: a CSV file of time and watts, matched to what was timed by the clock.

    >>> trace = read(Path("meter.csv"))      # doctest: +SKIP
    >>> trace.joules(1767225600.0, 1767225610.0)   # doctest: +SKIP
    43.7

Two columns named `time` and `watts` (others are passed over), or two columns without names. Time is
unix seconds, or ISO 8601 with its offset. The meter's clock and this machine's must agree.
"""

import csv
import math
import time
from datetime import datetime
from pathlib import Path

from ...errors import DataError, no_file
from .power import Trace

_EXPECTED = "columns time (unix seconds, or ISO 8601 with its offset) and watts"


def read(path: Path) -> Trace:
    """The samples of a meter's log.

    Raises:
        DataError: a file that cannot be read, without such columns, with a value that is no number,
            a time without offset, or times that do not rise.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except FileNotFoundError:
        raise no_file(path, DataError) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"a meter's log that cannot be read ({error})", where=str(path)) from None
    head = [name.strip().lower() for name in rows[0]] if rows else []
    named = "time" in head and "watts" in head
    if not named and len(head) != 2:
        columns = f"the columns {', '.join(head) or 'none'}"
        raise DataError(columns, expected=_EXPECTED, where=str(path))
    at = (head.index("time"), head.index("watts")) if named else (0, 1)
    times: list[float] = []
    watts: list[float] = []
    for line, row in enumerate(rows, 1):
        if not row or (named and line == 1):
            continue
        where = f"{path}: line {line}"
        if len(row) <= max(at):
            raise DataError(f"{len(row)} columns", expected=_EXPECTED, where=where)
        moment, power = _moment(row[at[0]], where), _number(row[at[1]], where)
        if times and moment <= times[-1]:
            raise DataError(f"the time {row[at[0]]!r}", expected="times that rise", where=where)
        times.append(moment)
        watts.append(power)
    return Trace(times, watts)


def read_until(path: Path, until: float, patience_s: float = 5.0) -> Trace:
    """The samples once they reach `until` (unix seconds); a logger may write late.

    Raises:
        DataError: as `read`. One that never gets there is returned as it is.
    """
    deadline = time.monotonic() + patience_s
    while True:
        trace = read(path)
        if (trace.times and trace.times[-1] >= until) or time.monotonic() >= deadline:
            return trace
        time.sleep(0.2)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(repr(text[:40]), expected="a number", where=where)
    return value


def _moment(text: str, where: str) -> float:
    try:
        return _number(text, where)
    except DataError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise DataError(repr(text[:40]), expected=_EXPECTED, where=where) from None
    if moment.tzinfo is None:
        raise DataError(
            f"the time {text[:40]!r} without its offset",
            expected="ISO 8601 with its offset",
            where=where,
            fix="write 2026-01-01T12:00:00+01:00, 2026-01-01T11:00:00Z or unix seconds",
        )
    return moment.timestamp()
