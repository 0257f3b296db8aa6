"""How long something took, or will take, as people say it."""

import math


def duration(seconds: float) -> str:
    """Seconds as people say them: ``3.2 s``, ``48 s``, ``1 min 03 s``, ``2 h 05 min``."""
    if seconds < 10.0:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def roughly(seconds: float) -> str:
    """An estimate of seconds, no more exact than it is: ``80 s``, ``4 min``, ``1.5 h``."""
    if seconds <= 90.0:
        return f"{max(10, 10 * math.ceil(seconds / 10.0))} s"
    if seconds <= 90.0 * 60.0:
        return f"{math.ceil(seconds / 60.0)} min"
    return f"{seconds / 3600.0:.1f} h"
