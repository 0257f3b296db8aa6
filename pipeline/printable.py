r"""Any text as one line that a terminal, a page or XML shows and does not obey; counts in words.

>>> printable("a\x1b[31mb")
'a�[31mb'
>>> how_many(1, "sample")
'1 sample'
"""

import unicodedata

_JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners belong to Persian, Indic scripts and emoji, and hide nothing."""


def printable(text: str) -> str:
    """Text on one line without control, surrogate, format or direction-override characters.

    Names inside models and data are anyone's: an escape code must not reach a terminal, a
    direction override must not turn a name round, and XML knows no control characters at all.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = (c if _shows(c) else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(kept)


def how_many(value: int, noun: str, plural: str | None = None) -> str:
    """``1 process``, ``9 processes``: a count with its noun."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def were(value: int, noun: str) -> str:
    """``1 choice was``, ``9 choices were``: a count as the subject of a sentence."""
    return f"{how_many(value, noun)} {'was' if value == 1 else 'were'}"


def _shows(character: str) -> bool:
    if character in _JOINERS:
        return True
    if character in "\ufffe\uffff":
        return False
    # Controls, surrogates, formats (of which the direction overrides), line and paragraph ends.
    return unicodedata.category(character) not in {"Cc", "Cs", "Cf", "Zl", "Zp"}
