"""What a recipe names outside itself: files and modules by their hash, and the device."""

from dataclasses import replace
from typing import NamedTuple

from ..devices.place.place import place_of
from ..devices.profiles.profile import Profile
from ..devices.profiles.profile import load as load_profile
from ..errors import ModelError, RecipeError
from . import teachers as teacher_kinds
from .data import fingerprint, tokenizer_fingerprint
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
        losses: hash of the module of each loss that is a user's function.
        device: the device to measure on, without its figures, which change no measurement.
    """

    data: str
    unlabelled: str | None
    tokenizer: str | None
    teachers: tuple[str | None, ...]
    student: str | None
    losses: tuple[str, ...]
    device: Profile


def outside(recipe: Recipe) -> Outside:
    """Hash the data set, the tokenizer, teachers and user modules; read the device's profile.

    Raises:
        DataError: there is no such data.
        ModelError: there is no such file or module.
        RecipeError: there is no module of such a loss.
        UsageError: there is no such device, or no way to it.
    """
    tokenizer, student = recipe.data.text.tokenizer, recipe.student.model
    device = load_profile(recipe.benchmark.device, where="benchmark.device")
    place_of(device, where="benchmark.device")
    return Outside(
        data=fingerprint(recipe.data.source),
        unlabelled=fingerprint(recipe.data.unlabelled, "data.unlabelled")
        if recipe.data.unlabelled
        else None,
        tokenizer=tokenizer_fingerprint(tokenizer) if tokenizer else None,
        teachers=tuple(
            teacher_kinds.fingerprint(teacher.model, teacher.weights)
            for teacher in recipe.teacher.teachers()
        ),
        student=user_function.fingerprint(student, "student.model", ModelError)
        if is_factory(student)
        else None,
        losses=tuple(
            user_function.fingerprint(name, key, RecipeError)
            for key, name in recipe.distill.user_losses
        ),
        device=replace(device, figures={}),
    )
