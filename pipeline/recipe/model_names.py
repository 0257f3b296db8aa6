"""The names of models and teachers: which kinds and families there are, and what each name means.

>>> family_and_depth("resnet20")
('resnet', 20)

The tables stand here and not beside the builders, so that a recipe's names are checked before any
work and without importing torch.
"""

import difflib
import re
from typing import Literal, NamedTuple


class Takes(NamedTuple):
    """The samples that a family takes.

    Attributes:
        layouts: of the samples.
        words: for a message.
        reshape: the shape that rows of a table could get; empty if there is none.
    """

    layouts: frozenset[str]
    words: str
    reshape: str = ""


class Family(NamedTuple):
    """A model family: its depths are ``least``, ``least + step``, ``least + 2 * step``, ….

    Attributes:
        least: the smallest depth.
        step: from one depth to the next.
        takes: the samples that it takes.
    """

    least: int
    step: int
    takes: Takes


_IMAGES = Takes(frozenset({"hw", "hwc", "chw"}), "images", "[n, height, width]")
_TEXTS = Takes(frozenset({"tokens"}), "texts")
FAMILIES = {
    "mlp": Family(1, 1, Takes(frozenset({"table", "hw", "hwc", "chw", "tc"}), "numbers")),
    "resnet": Family(8, 6, _IMAGES),
    "mobilenet": Family(3, 1, _IMAGES),
    "dscnn": Family(1, 1, _IMAGES),
    "conv1d": Family(1, 1, Takes(frozenset({"tc", "hw"}), "windows", "[n, time, channels]")),
    "transformer": Family(1, 1, _TEXTS),
    "dan": Family(1, 1, _TEXTS),
}
"""Model families; ``models.FAMILIES`` has their builders."""
SUITED = {"table": "mlp2", "tc": "conv1d3", "tokens": "transformer4"}
"""A model to suggest for each layout of samples that are not images."""


class TeacherKind(NamedTuple):
    """A kind of teacher that is not trained here.

    Attributes:
        names: what follows the colon of ``KIND:…``.
        is_module: whether it is loaded as a torch module, which has weights and layers; a teacher
            that is not gives answers alone.
    """

    names: Literal["FILE", "FOLDER", "NAME"]
    is_module: bool


TEACHER_KINDS = {
    "onnx": TeacherKind("FILE", is_module=False),
    "logits": TeacherKind("FILE", is_module=False),
    "hf": TeacherKind("FOLDER", is_module=True),
    "timm": TeacherKind("NAME", is_module=True),
}
"""Kinds of teachers besides a family and a function of the user's; ``teachers`` reads them."""
PATH_KINDS = frozenset(name for name, kind in TEACHER_KINDS.items() if kind.names != "NAME")
"""Kinds of teachers that name a file or a folder."""
MODULE_KINDS = frozenset(name for name, kind in TEACHER_KINDS.items() if kind.is_module)
"""Kinds of teachers that are loaded as a torch module."""
ANSWER_KINDS = frozenset(TEACHER_KINDS) - MODULE_KINDS
"""Kinds of teachers of which only the answers are available."""
TEACHER_FORMS = [f"'{name}:{kind.names}'" for name, kind in TEACHER_KINDS.items()]
"""What a recipe may say: ``'onnx:FILE'``, …."""


NO_TEACHER = "none"
"""Name of no teacher: the student is trained on labels alone."""


def family_and_depth(model: str, *, also: str = "") -> tuple[str, int]:
    """The two parts of a model's name: ``("resnet", 20)`` of ``resnet20``.

    Args:
        model: the name.
        also: what the key takes besides, for the message: ``, or 'auto'``.

    Raises:
        ValueError: no such family or depth; the text says what was expected.
    """
    match = re.fullmatch(r"([a-z_]+|conv1d)([1-9][0-9]{0,5})", model)
    if match is None:
        raise ValueError(f"a family and a depth in one name, such as 'resnet20' or 'mlp2'{also}")
    family, depth = match[1], int(match[2])
    if family not in FAMILIES:
        near = difflib.get_close_matches(family, FAMILIES, n=1)
        hint = f"; did you mean '{near[0]}{depth}'?" if near else ""
        raise ValueError(f"one of the families {', '.join(FAMILIES)} and a depth{also}{hint}")
    least, step = FAMILIES[family].least, FAMILIES[family].step
    if depth < least or (depth - least) % step:
        below = max(least, depth - (depth - least) % step)
        raise ValueError(
            f"a depth of {least}, {least + step}, {least + 2 * step}, …, "
            f"such as '{family}{below}' or '{family}{below + step}'{also}"
        )
    return family, depth


def is_factory(model: str) -> bool:
    """Whether a model's name is a function of the user's: ``module:function``."""
    module, colon, name = model.partition(":")
    dotted = all(part.isidentifier() for part in module.split("."))
    return bool(colon) and name.isidentifier() and dotted
