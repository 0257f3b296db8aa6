"""The pipeline, top to bottom: one line a stage, in the order the data travels.

>>> built = build("recipe.toml")                                          # doctest: +SKIP
>>> built.report.verdict.outcome, built.run                               # doctest: +SKIP
"""

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..devices.energy.declared import prices_of
from ..devices.instructions import count as countable
from ..devices.place.place import place_of
from ..devices.profiles.profile import HOST, Profile, same_device
from ..devices.profiles.profile import load as load_profile
from ..errors import ModelError, UsageError
from . import tasks, teachers
from .compress.plan import plan as plan_of
from .data import fingerprint, tokenizer_fingerprint
from .engine.flow import Builder, Made, Planner, Step, StopHereError, Walk
from .engine.store import Store, disk_errors
from .judge.budgets import measured_budgets
from .preflight import fits
from .progress import Progress, Silent
from .recipe import user_function as reference
from .recipe.architecture import Architecture
from .recipe.distill import SoftLosses, SoftTargets, TeacherLayers
from .recipe.files import load
from .recipe.model_names import is_factory
from .recipe.recipe import Recipe
from .recipe.training import Schedule
from .records import (
    Report,
    TunedRecord,
)
from .runs import run as runs
from .runs.flow_result import Flow
from .stages import (
    BENCHMARK,
    DATA,
    STAGES,
    STUDENT,
    TARGETS,
    TEACHER,
    TUNED,
    TUNED_VARIANTS,
    VARIANTS,
    VERIFY,
)


class Outside(NamedTuple):
    """What a recipe names outside itself, by content: read once, not at every walk."""

    data: str
    tokenizer: str | None
    teachers: tuple[str | None, ...]
    student: str | None
    device: Profile


def outside(recipe: Recipe) -> Outside:
    """Hash data set, tokenizer, what each teacher names, the student's module; read the device.

    Raises:
        DataError: there is no such data.
        ModelError: there is no such file or module.
        UsageError: there is no such device, or no way to it.
    """
    tokenizer = recipe.data.text.tokenizer
    device = load_profile(recipe.benchmark.device, where="benchmark.device")
    place_of(device, where="benchmark.device")
    # What is known of it in figures changes no measurement.
    device = replace(device, figures={})
    return Outside(
        fingerprint(recipe.data.source),
        tokenizer_fingerprint(tokenizer) if tokenizer else None,
        tuple(teachers.fingerprint(one.model, one.weights) for one in recipe.teacher.teachers()),
        _own_module(recipe.student.model),
        device,
    )


def _without_readings(target: Profile) -> Profile:
    """The device to ship to without what this machine's kernel says of it at this moment."""
    return replace(target, figures={}) if target.name == HOST else target


def _own_module(student: str) -> str | None:
    """The hash of the module that makes the student; None for a family."""
    if not is_factory(student):
        return None
    return reference.fingerprint(student, "student.model", ModelError)


def flow(r: Recipe, named: Outside, walk: Walk) -> Flow:
    """The whole house, walked once: distilled and plain students differ in the teacher alone."""
    batch, seeds = r.benchmark.batch, range(r.seed, r.seed + r.distill.seeds)

    source = {"fingerprint": named.data, "tokenizer": named.tokenizer}
    data = walk(DATA, data=r.data, seed=r.seed, **source)
    walk.require(partial(fits, r), data)
    seen = {"augment": r.augment, "data": data}
    each = enumerate(zip(r.teacher.teachers(), named.teachers, strict=True))
    taught_by = tuple(
        walk(TEACHER, teacher=one, named=known, seed=r.seed + i, **seen) for i, (one, known) in each
    )
    taught = {"teachers": taught_by, "shares": r.teacher.shares}
    targets = walk(TARGETS, asking=r.distill.only(SoftTargets), seed=r.seed, **taught, **seen)
    soft = {"soft": r.distill.only(SoftLosses), "targets": targets}
    inside = r.distill.only(TeacherLayers)
    if not r.distill.views or inside.needed:
        soft |= {"inside": inside, **taught}
    lesson = {"architecture": r.student.only(Architecture), "named": named.student, **seen}
    schedule = r.distill.only(Schedule)
    students = tuple(
        walk(STUDENT, seed=seed, views_seed=r.seed, schedule=schedule, **soft, **lesson)
        for seed in seeds
    )
    # Without labels there is nothing to learn from but the teacher.
    alone = seeds if tasks.of(r.data.task).labels else ()
    plain = tuple(
        walk(STUDENT, seed=seed, views_seed=r.seed, schedule=r.distill.control(), **lesson)
        for seed in alone
    )
    plan = plan_of(r.compress.model_copy(update={"target": r.target}))
    pupil = {"students": students, "views_seed": r.seed, "opset": r.export.opset, **soft, **seen}
    pupil |= {"schedule": schedule, "plan": plan}
    tuned: dict[str, Made[TunedRecord]] = {
        name: walk(stage, method=name, settings=r.compress.only(part), **pupil)
        for name, (stage, part) in TUNED_VARIANTS.items()
        if name in r.compress.variants
    }
    models = {"students": students, "data": data, "tuned": tuple(tuned.values()), **taught}
    variants = walk(VARIANTS, compress=r.compress, plan=plan, export=r.export, **models)
    quality = walk(VERIFY, variants=variants, plain=plain, targets=targets, batch=batch, **models)
    # Measured until these are decided, so other ones are another measurement; what was measured
    # on another device than the target decides none of them.
    ships_to = load_profile(r.target)
    on_target = same_device(ships_to, named.device)
    budgets = measured_budgets(r.gate) if on_target and r.benchmark.max_seconds else {}
    timed = {
        "benchmark": r.effective_benchmark,
        "device": named.device,
        "target": _without_readings(replace(ships_to, reach=None)),
        "on_target": on_target,
        "budgets": budgets,
        "prices": asdict(prices_of(ships_to)),
        "seed": r.seed,
    }
    measured = walk(BENCHMARK, variants=variants, data=data, **timed)
    return Flow(data, taught_by, targets, students, plain, tuned, variants, quality, measured)


@dataclass(frozen=True, slots=True)
class Built:
    """What a build gives back.

    Attributes:
        run: the run's folder; None after ``until``.
        report: everything in it; None after ``until``.
        stopped: the stage that ``until`` named.
        ran: the stages that were not in the store and ran.
    """

    run: Path | None
    report: Report | None
    stopped: Made[Any] | None
    ran: tuple[str, ...]


def build(
    recipe: Recipe | Path | str,
    *,
    artifacts: Path | str = "artifacts",
    overrides: Iterable[str] = (),
    seed: int | None = None,
    until: str | None = None,
    progress: Progress | None = None,
    around: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Built:
    """Run the pipeline, reading from the store what is there already.

    Args:
        recipe: a recipe, or the path of one.
        artifacts: the folder builds write to.
        overrides: ``key=value`` texts, as for ``--set``.
        seed: replaces the recipe's seed.
        until: stop after this stage.
        progress: told what goes on; nothing is printed by default.
        around: entered around each stage that runs.

    Raises:
        EdgestillError: see ``errors.py``; whatever was finished before it stays in the store.
    """
    if until is not None and until not in STAGES:
        raise UsageError(found=repr(until), expected=f"one of {', '.join(STAGES)}", where="--until")
    read = recipe if isinstance(recipe, Recipe) else load(Path(recipe), overrides, seed=seed)
    if until == TUNED.name and TUNED_VARIANTS.keys().isdisjoint(read.compress.variants):
        raise UsageError(
            found=f"{until!r}, and no variant that is trained on",
            expected=f"compress.variants with {' or '.join(TUNED_VARIANTS)}",
            where="--until",
        )
    progress = progress or Silent()
    store = Store(Path(artifacts), progress.warn)
    threads = threads_for(read)
    if until is None:
        with disk_errors(Path(artifacts), opening=True):
            runs.prepare(Path(artifacts), read.name)
    named = outside(read)
    if until is None:
        planned = flow(read, named, Planner(store, threads)).keys()
        folder = runs.folder_of(Path(artifacts), read.name)
        if (found := runs.find(folder, read, planned, progress.warn)) is not None:
            return Built(found, runs.open_report(found), None, ())
    target = load_profile(read.target)
    if read.effective_benchmark.instructions and (refusal := countable.missing(target)) is not None:
        # Known now, not after an hour of training.
        raise refusal
    builder = Builder(store, threads, progress, until=until, around=around)
    try:
        made = flow(read, named, builder)
    except StopHereError as stop:
        return Built(None, None, stop.made, tuple(builder.ran))
    if until is not None:
        return Built(None, None, builder.made[-1], tuple(builder.ran))
    with disk_errors(Path(artifacts)):
        run, report = runs.write(Path(artifacts), read, made)
    return Built(run, report, None, tuple(builder.ran))


def plan(recipe: Recipe, artifacts: Path) -> list[Step]:
    """Which stages are in the store and which would run; imports no torch."""
    planner = Planner(Store(artifacts, asks=True), threads_for(recipe))
    flow(recipe, outside(recipe), planner)
    return planner.steps


def threads_for(recipe: Recipe) -> int:
    """Training threads: the recipe's, else ``OMP_NUM_THREADS``, else every core we may use."""
    if recipe.threads is not None:
        return recipe.threads
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else len(os.sched_getaffinity(0))
