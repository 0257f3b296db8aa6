"""What a recipe names outside itself: files and modules by their hash, and the device."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from ..devices.place.place import Local, place_of
from ..devices.profiles.profile import Profile
from ..devices.profiles.profile import load as load_profile
from ..errors import EdgestillError, ModelError, ReachError, RecipeError, check_all, raise_all
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
            tried(_hash_of_teacher, teacher.model, teacher.weights)
            for teacher in recipe.teacher.teachers()
        ),
        student=tried(_hash_of_function, student, "student.model", ModelError)
        if is_factory(student)
        else None,
        start=tried(teacher_kinds.hash_of_file, recipe.student.weights, "correct student.weights")
        if recipe.student.weights
        else None,
        losses=tuple(
            tried(_hash_of_function, name, key, RecipeError)
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


def reached(device: Profile) -> None:
    """Refuse now, not after an hour of training, a device that is not reached.

    Raises:
        ReachError: it is not reached, or lacks what measuring needs.
    """
    place = place_of(device, where="benchmark.device")
    if isinstance(place, Local):
        return
    try:
        place.describe()
    except ReachError as error:
        raise ReachError(
            error.found,
            expected=error.expected,
            where=f"benchmark.device: {error.where or device.name}",
            fix=f"{error.fix or 'see that it is on'}; --until verify builds all but its figures",
        ) from error


def _hash_of_function(reference: str, where: str, error: type[EdgestillError]) -> str:
    user_function.check(reference, where, error)
    return user_function.fingerprint(reference, where, error)


def _hash_of_teacher(model: str, weights: Path | None) -> str | None:
    if teacher_kinds.kind(model) == "factory":
        user_function.check(model, "teacher.model", ModelError)
    return teacher_kinds.fingerprint(model, weights)


def _device(name: str) -> Profile:
    """Without its figures, which change no measurement."""
    device = load_profile(name, where="benchmark.device")
    place_of(device, where="benchmark.device")
    return replace(device, figures={})
