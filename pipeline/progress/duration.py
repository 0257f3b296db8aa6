"""How long something took, or will take, as people say it."""


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
