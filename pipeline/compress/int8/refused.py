"""Which operators a tool cannot take, found by trying.

    >>> refused_nodes("abcd", lambda tried: "KeyError: 'b'" if "b" in tried else None)
    {'b': "KeyError: 'b'"}

A quantizer that fails seldom says at which operator, and fails with errors of every type. The
shortest beginning of the list that fails ends with an operator at fault, alone or together with
those before it; halving finds it in about log2 n tries.
"""

from collections.abc import Callable, Sequence

Attempt = Callable[[Sequence[str]], str | None]
"""Tries to take these operators and no others, at least one; gives why it failed, or None."""


def refused_nodes(names: Sequence[str], attempt: Attempt) -> dict[str, str]:
    """The operators to leave out so that the rest is taken, each with the reason.

    Args:
        names: the operators to take.
        attempt: tries any of them; the last call is for all that are taken.
    """
    taken, bad = list(names), dict[str, str]()
    while taken and (why := attempt(taken)) is not None:
        good, failing = 0, len(taken)  # taken[:good] is taken, taken[:failing] is not
        while failing - good > 1:
            middle = (good + failing) // 2
            found = attempt(taken[:middle])
            good, failing = (middle, failing) if found is None else (good, middle)
            why = found or why
        bad[taken.pop(failing - 1)] = why
    return bad
