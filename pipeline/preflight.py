"""Checks of a recipe, by itself and against its data, before the first model is trained.

All that can be refused at one time is refused together.
"""

from collections.abc import Iterator
from functools import partial

from .. import toolchains
from ..devices.instructions import count
from ..devices.profiles.profile import load as load_profile
from ..errors import DataError, EdgestillError, RecipeError, check_all, did_you_mean, raise_all
from ..exporters import toolchains_of
from . import data as sources
from . import tasks
from .judge import task_budgets
from .recipe.architecture import Architecture
from .recipe.model_names import ANSWER_KINDS, FAMILIES, NO_TEACHER, SUITED, family_and_depth
from .recipe.recipe import Recipe
from .records import SPLITS, DataRecord
from .tasks.metric import slug
from .teachers import kind

OF_LABELS = ("label_smoothing", "control_smoothing", "class_weights")
"""Keys of a schedule that say something of labels alone."""
OF_TEACHER = ("max_drop_vs_teacher", "min_agreement", "max_worst_class_drop")
"""Budgets of what a student lost of its teacher."""


def known(recipe: Recipe) -> None:
    """Refuse what the task does not have and formats without a toolchain, before any data.

    Raises:
        RecipeError: a budget, ``data.select_by`` or ``export.inside``, the kind of a source, or
            what needs a teacher where there is none.
        UsageError: there is no such device.
        HostError: a format's toolchain is not set up.
    """
    check_all(*(partial(check, recipe) for check in KNOWN))


def _has_such_budgets(recipe: Recipe) -> None:
    task_budgets.check(recipe.gate, tasks.of(recipe.data.task))


def _sources_have_a_kind(recipe: Recipe) -> None:
    sources.find(recipe.data.source)


def _further_samples_have_a_kind(recipe: Recipe) -> None:
    if recipe.data.unlabelled is not None:
        sources.find(recipe.data.unlabelled, "data.unlabelled")


def _is_measured_on_a_device(recipe: Recipe) -> None:
    _is_device(recipe.benchmark.device, "benchmark.device")


def _is_made_for_a_device(recipe: Recipe) -> None:
    _is_device(recipe.compress.target, "compress.target")


def _is_device(name: str | None, where: str) -> None:
    if name is not None and not name.endswith(".toml"):
        load_profile(name, where=where)


def _learns_from_a_teacher(recipe: Recipe) -> None:
    """Refuse what needs a teacher where there is none."""
    if recipe.teacher.is_none:
        raise_all(_without_a_teacher(recipe))


def _without_a_teacher(recipe: Recipe) -> Iterator[EdgestillError]:
    task = tasks.of(recipe.data.task)
    needing = {
        "data.task": task.name if task.labels is None else None,
        "data.unlabelled": recipe.data.unlabelled,
        "distill.layers": len(recipe.distill.layers) or None,
        "distill.initialize": recipe.distill.initialize or None,
        **{f"gate.{key}": recipe.gate.budgets().get(key) for key in OF_TEACHER},
    }
    for key, value in needing.items():
        if value is not None:
            yield RecipeError(
                found=f"{value!r} and no teacher",
                expected="a teacher, whose answers it takes",
                where=key,
                fix=f"name a teacher in teacher.model, or leave {key} out",
            )


def _takes_shares_of_labels(recipe: Recipe) -> None:
    if recipe.student.sample_shares and not recipe.teacher.is_none:
        raise RecipeError(
            found="sample_shares and a teacher",
            expected=f"teacher.model = {NO_TEACHER!r}: its answers are stored for all samples",
            where="student.sample_shares",
            fix="leave student.sample_shares out",
        )


def _selects_by_a_metric(recipe: Recipe) -> None:
    select_by, task = recipe.data.select_by, tasks.of(recipe.data.task)
    names = [metric.name for metric in task.reported if metric.value is not None]
    if select_by is not None and slug(select_by) not in map(slug, names):
        raise RecipeError(
            found=repr(select_by),
            expected=f"a metric of {task.name}: {', '.join(names)}",
            where="data.select_by",
            fix=did_you_mean(select_by, names) or "leave data.select_by out",
        )


def _toolchains_are_set_up(recipe: Recipe) -> None:
    raise_all(
        toolchains.missing(f"export.formats: {format_}", toolchains.TOOLCHAINS[name].modules[0])
        for format_ in recipe.export.formats
        for name in toolchains_of(format_)
        if toolchains.python_of(name) is None
    )


def _has_such_probabilities(recipe: Recipe) -> None:
    """Refuse a softmax or a sigmoid that is not the task's."""
    task = tasks.of(recipe.data.task)
    asked, own = recipe.export.activation, task.probabilities
    if asked is None or (own is not None and asked == own.activation):
        return
    raise RecipeError(
        found=f"{asked!r} for {task.name}",
        expected=f"{own.activation!r}" if own else "no probabilities: its outputs are the answer",
        where="export.inside",
        fix=f'inside = ["normalize", "{own.activation}"]' if own else f"leave {asked!r} out",
    )


KNOWN = (
    _sources_have_a_kind,
    _further_samples_have_a_kind,
    _has_such_budgets,
    _has_such_probabilities,
    _selects_by_a_metric,
    _learns_from_a_teacher,
    _takes_shares_of_labels,
    _is_measured_on_a_device,
    _is_made_for_a_device,
    _toolchains_are_set_up,
)
"""What ``known`` asks, each of a few keys."""


def countable(recipe: Recipe) -> None:
    """Refuse now, not after an hour of training, what cannot be counted on this machine.

    Raises:
        HostError: instructions are to be counted, and a tool lacks.
    """
    if not recipe.effective_benchmark.instructions:
        return
    if (refusal := count.missing(load_profile(recipe.target))) is not None:
        raise refusal


def suits(recipe: Recipe, data: DataRecord) -> None:
    """What ``fits`` refuses and can be known without torch, for a plan.

    Raises:
        DataError, RecipeError: as ``fits``.
    """
    task = tasks.of(data.task)
    models = (*(teacher.model for teacher in recipe.teacher.teachers()), recipe.student.model)
    check_all(
        partial(_no_split_is_empty, data),
        partial(_fills_a_batch, recipe, data),
        partial(_normalizes, recipe, data),
        partial(_has_channels, recipe, data),
        *(partial(_takes, model, data) for model in dict.fromkeys(models)),
        partial(_views_differ, recipe),
        partial(_layers_are_at_hand, recipe),
        partial(_opens, recipe),
        partial(_labels_exist, recipe, task),
        partial(task_budgets.check, recipe.gate, task, data.labels),
    )


def fits(recipe: Recipe, data: DataRecord) -> None:
    """Refuse what cannot be trained, distilled or judged on this data.

    Raises:
        DataError: an empty split, a train set smaller than a batch, or samples that a model does
            not take.
        RecipeError: a loss, an augmentation or a budget that this task or these samples lack, or a
            share to prune that the student cannot lose.
        NoEffectError: a student to prune that has no channels that can go.
    """
    from .distill import losses, targets, views

    task = tasks.of(data.task)
    outputs = task.outputs(data)
    check_all(
        partial(suits, recipe, data),
        partial(losses.check, recipe.distill, task, outputs),
        *(partial(losses.layer_loss, pair.loss) for pair in recipe.distill.layers),
        partial(targets.kept_of, outputs or 0, recipe.distill.top_k, data),
        partial(views.check, recipe.augment, data.layout, data.sample_shape),
        partial(_can_be_pruned, recipe, data),
    )


def _no_split_is_empty(data: DataRecord) -> None:
    empty = [split for split in SPLITS if not data.samples(split)]
    if empty:
        raise DataError(
            found=f"no sample in {' and in '.join(empty)} ({data.dropped} dropped as duplicates)",
            expected="some in every split",
            where=data.source,
            fix="bring samples that stand in no other split",
        )


def _fills_a_batch(recipe: Recipe, data: DataRecord) -> None:
    learns = any(
        teacher.is_trained
        and teacher.weights is None
        and kind(teacher.model) in ("family", "factory")
        for teacher in recipe.teacher.teachers()
    )
    student = [("distill", recipe.distill.batch_size)]
    raise_all(
        DataError(
            found=f"{data.samples('train')} samples in train",
            expected=f"at least one batch of {batch}",
            where=f"{part}.batch_size",
            fix="lower batch_size or bring more samples",
        )
        for part, batch in [("teacher", recipe.teacher.batch_size)] * learns + student
        if data.samples("train") < batch
    )


def _normalizes(recipe: Recipe, data: DataRecord) -> None:
    """Refuse a key without effect: token ids are never normalized."""
    if data.layout == "tokens" and not all(t.normalize for t in recipe.teacher.teachers()):
        raise RecipeError(
            found="normalize = false for texts",
            expected="normalize = true: token ids are not normalized in any case",
            where="teacher.normalize",
            fix="leave it out",
        )


def _has_channels(recipe: Recipe, data: DataRecord) -> None:
    """Refuse channels last for samples that have none, or are no images."""
    if recipe.export.litert_layout == "nhwc" and data.layout not in ("chw", "hwc"):
        raise RecipeError(
            found=f"'nhwc' for samples of the layout {data.layout!r}",
            expected="images with channels",
            where="export.litert_layout",
            fix="leave litert_layout out",
        )


def _takes(model: str, data: DataRecord) -> None:
    if ":" in model:  # only the model itself can tell
        return
    takes = FAMILIES[family_and_depth(model)[0]].takes
    if data.layout in takes.layouts:
        return
    from .models.signature import signature

    suited = SUITED.get(data.layout, "resnet20")
    fix = f"use a model such as {suited!r}"
    if data.layout == "table" and takes.reshape:
        fix = f"reshape x to {takes.reshape} or {fix}"
    raise DataError(
        found=f"{signature(data).described} for {model!r}",
        expected=f"{takes.words}, or the family {suited.rstrip('0123456789')}",
        where=data.source,
        fix=fix,
    )


def _views_differ(recipe: Recipe) -> None:
    distill = recipe.distill
    if distill.views > 1 and not recipe.augment.varies:
        raise RecipeError(
            found=f"views = {distill.views}, and nothing in [augment]",
            expected="views = 1, as all of them would be alike",
            where="distill.views",
            fix="set crop, flip or another key of [augment]",
        )


def _layers_are_at_hand(recipe: Recipe) -> None:
    distill = recipe.distill
    if distill.layers and (distill.views or len(recipe.teacher.teachers()) > 1):
        raise RecipeError(
            found="losses between layers",
            expected="views = 0 and one teacher, whose layers are looked into at every step",
            where="distill.layers",
        )


def _opens(recipe: Recipe) -> None:
    """Refuse a student that needs the layers of a teacher that has none here."""
    distill = recipe.distill
    closed = [
        kind(model.model)
        for model in recipe.teacher.teachers()
        if kind(model.model) in ANSWER_KINDS
    ]
    if distill.needed and closed:
        raise RecipeError(
            found=f"a teacher of the kind {closed[0]!r}",
            expected="one that can be looked into",
            where="distill.layers" if distill.layers else "distill.initialize",
            fix="leave it out, or give the teacher as a model with its weights",
        )
    models = recipe.teacher, recipe.student
    if not distill.initialize or any(":" in model.model for model in models):
        return
    (family, deep), (own, depth) = (family_and_depth(model.model) for model in models)
    teacher, student = (f"{model.model!r} of width {model.width}" for model in models)
    alike = family == own == "transformer" and recipe.teacher.width == recipe.student.width
    if not alike or depth > deep:
        raise RecipeError(
            found=f"a student {student} and a teacher {teacher}",
            expected="transformers of one width, the student no deeper",
            where="distill.initialize",
            fix="leave distill.initialize out",
        )


def _can_be_pruned(recipe: Recipe, data: DataRecord) -> None:
    """Refuse a share that the student cannot lose; vectors have a length only the teacher knows."""
    if "pruned" not in recipe.compress.variants or tasks.of(data.task).outputs(data) is None:
        return
    from .compress.train import prune_and_distil

    _takes(recipe.student.model, data)
    student = recipe.student.only(Architecture)
    prune_and_distil.check_possible(student, data, recipe.compress.prune_share)


def _labels_exist(recipe: Recipe, task: tasks.Task) -> None:
    if task.has_classes:
        return
    raise_all(
        RecipeError(
            found=f"{key} for {task.name}",
            expected="a task of classes or labels",
            where=f"{part}.{key}",
            fix=f"leave {part}.{key} out",
        )
        for part, schedule in (("teacher", recipe.teacher), ("distill", recipe.distill))
        for key in OF_LABELS
        if getattr(schedule, key, False)
    )
