"""Every way edgestill can refuse or fail, as one tree.

    EdgestillError                 exit 70, a bug of ours if raised bare
    ├── UsageError                 exit 2   the command line
    │   ├── UnknownNameError       exit 2   result[name], and a KeyError of Python's
    │   └── RecipeError            exit 2   a recipe's file, key or value
    ├── MaterialError              exit 3   what the user brought
    │   ├── DataError              exit 3   a data set
    │   └── ModelError             exit 3   a model or its weights
    │       └── NoEffectError      exit 3   a compression that changed nothing
    └── HostError                  exit 4   this machine: disk, memory, a missing tool
        ├── StorageError           exit 4   a folder that cannot be written, a full disk
        └── MeasureError           exit 4   a measuring process that died or ran out of time
            └── ReachError         exit 4   a device that is not reached or lacks what it needs

It stands at the root, not under ``pipeline/``, because exporters and devices raise these too and
may not import the pipeline. The message names what was found, what was expected, where, and what to
do about it; ``pipeline/commands/cli.py`` turns it into one line and the exit code.

    >>> print(RecipeError(found="-1", expected="a number above 0", where="r.toml: seed"))
    r.toml: seed: found -1, expected a number above 0

Where several things are wrong at once, the first is raised and has the others beside it (``also``).
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def reason(error: BaseException, most: int = 200) -> str:
    """What another library's error says, on one line: its first line with text, else its class.

    Args:
        error: of any library; torch colours its texts and goes on with advice for its own users.
        most: characters.
    """
    lines = (line.strip() for line in _COLOUR.sub("", str(error)).splitlines())
    text = next(filter(None, lines), type(error).__name__)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def did_you_mean(given: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one resembles, as a question; None where none does.

        >>> did_you_mean("studnt", ("teacher", "student"))
        "did you mean 'student'?"

    Args:
        given: what was typed.
        known: all names that there are.
    """
    from difflib import get_close_matches

    near = get_close_matches(given, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else None


class EdgestillError(Exception):
    """A failure with its four parts.

    Attributes:
        found: what was there.
        expected: what should have been there, or None where ``found`` says it all.
        where: the file, key, row or stage, or None.
        fix: what to do, as an imperative, or None.
        also: further failures that were found together with this one.
    """

    exit_code = 70
    also: tuple["EdgestillError", ...] = ()

    def __init__(
        self,
        found: str,
        *,
        expected: str | None = None,
        where: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.found = found
        self.expected = expected
        self.where = where
        self.fix = fix
        super().__init__(found, expected, where, fix)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled whole: an exception's own way gives its parts by position, and loses ``also``."""
        parts = {"expected": self.expected, "where": self.where, "fix": self.fix}
        return _again, (type(self), self.found, parts, self.also)

    @property
    def problems(self) -> tuple["EdgestillError", ...]:
        """This failure and the further ones."""
        return (self, *self.also)

    def line(self) -> str:
        """This failure alone, in one line."""
        text = f"found {self.found}, expected {self.expected}" if self.expected else self.found
        if self.where:
            text = f"{self.where}: {text}"
        return f"{text}; {self.fix}" if self.fix else text

    def __str__(self) -> str:
        return "\n".join(one.line() for one in self.problems)


def _again(
    kind: type[EdgestillError],
    found: str,
    parts: dict[str, Any],
    also: tuple[EdgestillError, ...],
) -> EdgestillError:
    error = kind(found, **parts)
    error.also = also
    return error


def together(problems: Sequence[EdgestillError]) -> EdgestillError:
    """The first of several failures, with the others beside it, each once."""
    every = (one for problem in problems for one in problem.problems)
    first, *others = {one.line(): one for one in every}.values()
    for one in (first, *others):
        one.also = ()
    first.also = tuple(others)
    return first


def check_all(*checks: Callable[[], object]) -> None:
    """Make every check, and raise all that they refuse as one failure.

    Raises:
        EdgestillError: the first refusal, with the others beside it.
    """
    problems = []
    for check in checks:
        try:
            check()
        except EdgestillError as problem:
            problems.append(problem)
    raise_all(problems)


def raise_all(problems: Iterable[EdgestillError]) -> None:
    """Raise failures as one.

    Raises:
        EdgestillError: the first, with the others beside it.
    """
    found = list(problems)
    if found:
        raise together(found)


def no_name(name: object, known: Iterable[str]) -> "UnknownNameError":
    """The error where a result has nothing of a name.

    Args:
        name: that was asked for.
        known: all names that it has.
    """
    names = tuple(known)
    return UnknownNameError(
        repr(name),
        expected=f"one of {', '.join(map(repr, names))}" if names else "nothing: it is empty",
        fix=did_you_mean(str(name), names),
    )


def no_file(
    path: Path, kind: type[EdgestillError], fix: str = "check the path", what: str = "file"
) -> EdgestillError:
    """The error where a file is not there: every command and key says it alike.

    Args:
        path: that was named.
        kind: of the error.
        fix: what to do where no name in its folder is near.
        what: it should be, such as ``folder``.
    """
    try:
        beside = sorted(os.listdir(path.parent))  # noqa: PTH208 - names alone, as they are
    except (OSError, ValueError):
        beside = []
    if what == "file" and path.is_dir():
        return kind("a folder", expected="a file", where=str(path), fix="name a file in it")
    # Two names are not alike by their suffix alone; a link that leads nowhere has this very name.
    others = [name for name in beside if name != path.name]
    alike = [name for name in others if did_you_mean(path.stem, [Path(name).stem])]
    return kind(f"no such {what}", where=str(path), fix=did_you_mean(path.name, alike) or fix)


def no_read(
    path: Path, error: BaseException, kind: type[EdgestillError], fix: str = "check the path"
) -> EdgestillError:
    """The error where a file cannot be opened: it is not there, or the system says why.

    Args:
        path: that was named.
        error: what came of reading it.
        kind: of the error to raise.
        fix: what to do.
    """
    if isinstance(error, FileNotFoundError):
        return no_file(path, kind, fix)
    said = (isinstance(error, OSError) and error.strerror) or reason(error)
    return kind(f"a file that cannot be read ({said})", where=str(path), fix=fix)


class UsageError(EdgestillError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class UnknownNameError(UsageError, KeyError):
    """A result has nothing of that name; Python expects a ``KeyError`` of ``result[name]``."""


class RecipeError(UsageError):
    """A recipe's file, key or value is wrong."""


class MaterialError(EdgestillError):
    """Something the user brought cannot be worked with."""

    exit_code = 3


class DataError(MaterialError):
    """A data set is missing, malformed or unfit for the task."""


class ModelError(MaterialError):
    """A model or its weights are missing, malformed or wrong."""


class NoEffectError(ModelError):
    """A step that must change the model changed nothing."""


class HostError(EdgestillError):
    """This machine cannot do it."""

    exit_code = 4


class StorageError(HostError):
    """A folder cannot be written or a disk is full."""


class MeasureError(HostError):
    """A measuring process died, ran out of time or gave no answer."""


class ReachError(MeasureError):
    """A device cannot be reached, or lacks what measuring on it needs."""
