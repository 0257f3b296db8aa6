"""Sentences that say the same of several models, in one.

>>> said = ("a: 3 of 16 runs failed", "b: 5 of 16 runs failed", "c: 5 of 16 runs failed")
>>> together(said, ("a", "b", "c"))
('runs failed: a (3 of 16), b (5 of 16), c (5 of 16)',)
"""

import re
from collections.abc import Collection, Sequence
from itertools import takewhile

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def together(sentences: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
    """Sentences ``name: what`` that differ in names and numbers alone become one, at the first.

    Args:
        sentences: of models, ``name: what``, and others, which stay as they are.
        names: of the models.
    """
    groups: dict[tuple[bool, str], list[tuple[str, str]]] = {}
    for sentence in sentences:
        name, colon, what = sentence.partition(": ")
        if colon and name in names:
            groups.setdefault((True, _NUMBER.sub("#", what)), []).append((name, what))
        else:
            groups.setdefault((False, sentence), []).append(("", sentence))
    return tuple(
        line
        for (named, _), of in groups.items()
        for line in (_joined(of) if named else (sentence for _, sentence in of))
    )


def _joined(of: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    names, told = [name for name, _ in of], [what for _, what in of]
    if len(set(told)) == 1:
        return (f"{', '.join(names)}: {told[0]}",)
    words = [what.split(" ") for what in told]
    start = _shared(words)
    end = _shared([each[start:][::-1] for each in words])
    # ``3 of 16`` is read as one figure, whichever of its numbers differs.
    first = words[0]
    while start and _of_a_count(first[start - 1]):
        start -= 1
    while end and _of_a_count(first[-end]):
        end -= 1
    before, after = first[:start], first[len(first) - end :]
    apart = [" ".join(each[start : len(each) - end]) for each in words]
    # What differs is left out of the sentence; in the middle of it dots stand in its place.
    sentence = " ".join([*before, "…", *after] if before and after else [*before, *after])
    listed = ", ".join(f"{name} ({what})" for name, what in zip(names, apart, strict=True))
    return (f"{sentence}: {listed}",)


def _shared(words: Sequence[Sequence[str]]) -> int:
    """How many words all lists begin with."""
    alike = takewhile(lambda each: len(set(each)) == 1, zip(*words, strict=False))
    return sum(1 for _ in alike)


def _of_a_count(word: str) -> bool:
    return word == "of" or _NUMBER.fullmatch(word) is not None
