"""What a recipe names outside itself: files and modules by their hash, and the device."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar, cast

from ..devices.place.place import place_of
from ..devices.profiles.profile import Profile
from ..devices.profiles.profile import load as load_profile
from ..errors import EdgestillError, ModelError, RecipeError, check_all, raise_all
from . import teachers as teacher_kinds
from .data import fingerprint, tokenizer_fingerprint
from .preflight import known
from .recipe import user_function
from .recipe.model_names import is_factory
from .recipe.recipe import Recipe


class Outside(NamedTuple):
    """What a recipe names outside itself, by content: read once, and passed to every flow.

    Attributes:
        data: hash of the data set.
        unlabelled: hash of its unlabelled samples; None where the recipe names none.
        tokenizer: hash of the tokenizer; None where the recipe names none.
        teachers: hash of what each teacher names; None where it names nothing.
        student: hash of the module that makes the student; None for a family.
        start: hash of the weights that the student starts from; None where they are random.
        losses: hash of the module of each loss that is a user's function.
        device: the device to measure on, without its figures, which change no measurement.
    """

    data: str
    unlabelled: str | None
    tokenizer: str | None
    teachers: tuple[str | None, ...]
    student: str | None
    start: str | None
    losses: tuple[str, ...]
    device: Profile


T = TypeVar("T")


def outside(recipe: Recipe) -> Outside:
    """Hash the data set, the tokenizer, teachers and user modules; read the device's profile.

    Raises:
        EdgestillError: of the first problem, with all others beside it. A ``DataError``: there is
            no such data; a ``ModelError``: no such file or module; a ``RecipeError``: no module of
            such a loss; a ``UsageError``: no such device, or no way to it.
    """
    problems: list[EdgestillError] = []

    def tried(make: Callable[..., T], *given: object) -> T:
        try:
            return make(*given)
        except EdgestillError as problem:
            problems.append(problem)
            return cast("T", None)  # nothing reads it: the problems are raised

    data, student = recipe.data, recipe.student.model
    named = Outside(
        device=tried(_device, recipe.benchmark.device),
        data=tried(fingerprint, data.source),
        unlabelled=tried(fingerprint, data.unlabelled, "data.unlabelled")
        if data.unlabelled
        else None,
        tokenizer=tried(tokenizer_fingerprint, data.text.tokenizer)
        if data.text.tokenizer
        else None,
        teachers=tuple(
            tried(teacher_kinds.fingerprint, teacher.model, teacher.weights)
            for teacher in recipe.teacher.teachers()
        ),
        student=tried(user_function.fingerprint, student, "student.model", ModelError)
        if is_factory(student)
        else None,
        start=tried(teacher_kinds.hash_of_file, recipe.student.weights, "correct student.weights")
        if recipe.student.weights
        else None,
        losses=tuple(
            tried(user_function.fingerprint, name, key, RecipeError)
            for key, name in recipe.distill.user_losses
        ),
    )
    raise_all(problems)
    return named


def checked(recipe: Recipe) -> Outside:
    """What a recipe names outside itself, of one that can be built.

    Raises:
        EdgestillError: as ``preflight.known`` and ``outside``, of all problems.
    """
    named: list[Outside] = []
    check_all(partial(known, recipe), lambda: named.append(outside(recipe)))
    return named[0]


def _device(name: str) -> Profile:
    """Without its figures, which change no measurement."""
    device = load_profile(name, where="benchmark.device")
    place_of(device, where="benchmark.device")
    return replace(device, figures={})
