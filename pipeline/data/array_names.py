"""What the arrays of an archive mean, by the names that people give them.

>>> meanings(["X_train", "y_train", "x_val", "test_images"], NUMBERS, "d.npz")
{'x_train': 'X_train', 'y_train': 'y_train', 'x_validation': 'x_val', 'x_test': 'test_images'}

A name is a word for a role, a word for a split, in either order and case. Whatever is left over is
refused, for a misspelt ``x_vla`` would otherwise be missing in silence.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from ...errors import DataError
from ..recipe.data import Data
from .split_names import EXPECTED, SPLIT_NAMES

Words = Mapping[str, Sequence[str]]
"""Roles, and the words that mean them, in lower case."""
LABEL_NAMES = ("labels", "classes", "class_names", "label_names", "target_names")
"""Words for the names of classes or numbers; ``labels`` of a split are the labels themselves."""
LABELS: Words = {
    "y": ("y", "label", "labels", "target", "targets"),
    "group": ("group", "groups"),
    "id": ("id", "ids"),
}
NUMBERS: Words = {
    "x": ("x", "data", "images", "samples", "inputs", "features"),
    **LABELS,
}
"""Of an archive whose samples are one array of numbers."""
_SEPARATORS = ("_", "", "-", ".", " ")


def meanings(
    names: Iterable[str],
    words: Words,
    where: str,
    *,
    data: Data,
    keep: bool = False,
    single: Collection[str] = (),
) -> dict[str, str]:
    """The name of the array for each role and split.

    Args:
        names: of all arrays.
        words: the roles that there may be.
        where: the archive, for a message.
        data: the recipe's section, which may give ``y``, ``group`` and ``id`` names of their own
            and name arrays to ignore.
        keep: whether names of the recipe stay as they are in the result, with their split.
        single: further names without a split, which stand for themselves.

    Returns:
        The name by role, such as ``x``, or by role and split, such as ``x_train``; ``labels`` for
        the names of classes.

    Raises:
        DataError: an array without a meaning, or two with the same one.
    """
    names = list(names)
    ignored = set(data.ignore)
    if absent := sorted(ignored - set(names)):
        raise DataError(
            found=f"no {absent[0]!r} among the keys {_some(names)}", where="data.ignore"
        )
    renamed = _renamed(data)
    own = {name: (name,) for its in renamed.values() for name in its} if keep else renamed
    table = _table({**words, **dict.fromkeys(renamed, ()), **own})
    ordinary = _table(words) if renamed else {}
    result: dict[str, str] = {}
    for name in names:
        if name in ignored:
            continue
        key = table.get(name) or table.get(name.lower()) or (name if name in single else None)
        if key is None and name.lower() not in ordinary:
            raise _unknown(name, names, words, single, where)
        if key is not None and key in result:
            raise DataError(
                found=f"{result[key]!r} and {name!r}, which both mean {key!r}",
                expected="one of them",
                where=where,
                fix=f'remove one, or name it in data.ignore = ["{name}"]',
            )
        if key is not None:
            result[key] = name
    has_y = "y" in renamed or any(key == "y" or key.startswith("y_") for key in result)
    if not has_y and result.get("labels", "").lower() in words.get("y", ()):
        # Beside x alone, an array called labels holds the labels.
        result["y"] = result.pop("labels")
    return result


def require_named(result: Mapping[str, str], data: Data, where: str, names: Iterable[str]) -> None:
    """Refuse a name of the recipe that no array has.

    Args:
        result: as ``meanings`` returns it.
        data: the recipe's section.
        where: the archive, for a message.
        names: of all arrays.

    Raises:
        DataError: names the key of the recipe.
    """
    for role, renaming in _renamed(data).items():
        if renaming and not any(key == role or key.startswith(f"{role}_") for key in result):
            key = "target" if role == "y" else role
            raise DataError(
                found=f"no {renaming[0]!r} among the keys {_some(names)}",
                where=where,
                fix=f"correct data.{key} in the recipe",
            )


def _renamed(data: Data) -> dict[str, Sequence[str]]:
    """The roles that the recipe gives names of its own."""
    roles: dict[str, Sequence[str]] = {}
    if data.target:
        roles["y"] = data.target
    for role, name in (("group", data.group), ("id", data.id)):
        if name != Data.model_fields[role].default:
            roles[role] = (name,) if name else ()
    return roles


def _table(words: Words) -> dict[str, str]:
    """What every name that is understood means."""
    table = {}
    for role, its_words in words.items():
        for word in its_words:
            for split_word, split in SPLIT_NAMES.items():
                for separator in _SEPARATORS:
                    table[f"{word}{separator}{split_word}"] = f"{role}_{split}"
                    table[f"{split_word}{separator}{word}"] = f"{role}_{split}"
            table[word] = role
    return {**table, **dict.fromkeys(LABEL_NAMES, "labels")}


def _unknown(
    name: str, names: Sequence[str], words: Words, single: Collection[str], where: str
) -> DataError:
    """The error for an array without a meaning, with the nearest name that has one."""
    plain = [word for its_words in words.values() for word in its_words]
    understood = [f"{word}_{split}" for word in plain for split in SPLIT_NAMES]
    near = get_close_matches(name.lower(), [*plain, *single, *understood], n=1)
    suggestion = f"did you mean {near[0]!r}? If not, " if near else ""
    return DataError(
        found=f"an unknown key {name!r} among {_some(names)}",
        expected=f"{', '.join(w[0] for w in words.values())} or labels, each with or without a "
        f"split ({EXPECTED})",
        where=where,
        fix=f'{suggestion}rename it, or name it in data.ignore = ["{name}"]',
    )


def _some(names: Iterable[str]) -> str:
    return str(sorted(names)[:8])
