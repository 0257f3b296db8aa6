"""The pipeline, top to bottom: one line a stage, in the order the data travels.

>>> built = build("recipe.toml")                                          # doctest: +SKIP
>>> built.report.verdict.outcome, built.run                               # doctest: +SKIP
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..devices.energy.declared import prices_of
from ..devices.profiles.profile import HOST, Profile, same_device
from ..devices.profiles.profile import load as load_profile
from ..exporters import toolchains_of
from ..toolchains import TOOLCHAINS as ALL_TOOLCHAINS
from ..toolchains.interpreter import digest
from . import tasks
from . import until as until_stage
from .compress.inputs import Int8PlainInputs, TrialInputs, TunedInputs, VariantsInputs
from .compress.plan import plan as plan_of
from .compress.untried import tried
from .data.inputs import DataInputs
from .data.known import record_of
from .distill.inputs import (
    Distillation,
    Models,
    Samples,
    TargetsInputs,
    TeacherInputs,
    Teachers,
    Training,
    student_inputs,
)
from .engine.artifacts import Artifacts
from .engine.compute import Compute, compute_for
from .engine.flow import Engine, Planner, Step, StopHereError
from .engine.runner import IN_PROCESS, Runner
from .engine.stage import Made
from .engine.store import Store, disk_errors
from .judge.budgets import measured_budgets
from .judge.inputs import AdaptationInputs, BenchmarkInputs, VerifyInputs
from .outside import Outside, checked, outside, reached
from .preflight import KNOWN, countable, fits, suits
from .progress import Progress, Silent
from .recipe.architecture import Architecture
from .recipe.compress import StaticRanges
from .recipe.distill import SoftLosses, SoftTargets, TeacherLayers
from .recipe.files import load
from .recipe.model_names import is_factory
from .recipe.recipe import Recipe
from .recipe.training import Schedule
from .records import (
    DataRecord,
    ModelRecord,
    Plan,
    Report,
    SearchRecord,
    Split,
    TargetsRecord,
    TunedRecord,
    VariantsRecord,
)
from .runs import latest
from .runs import run as runs
from .runs.commit import of_recipe
from .runs.earlier import expected_seconds
from .runs.flow_result import Flow
from .stages import (
    ADAPTATION,
    BENCHMARK,
    DATA,
    INT8_PLAIN,
    STUDENT,
    TARGETS,
    TEACHER,
    TRIAL,
    TUNED_VARIANTS,
    VARIANTS,
    VERIFY,
)
from .teachers import kind as teacher_kind


def flow(r: Recipe, named: Outside, engine: Engine, *, split: Split = "test") -> Flow:
    """Every stage, in the order the data travels.

    Args:
        r: the recipe.
        named: what it names outside itself.
        engine: runs the stages.
        split: what the files are scored on. A search scores them on validation, and has no use for
            the students that are trained without the teacher.
    """
    run, seeds = engine.run_stage, range(r.seed, r.seed + r.distill.seeds)
    # Without labels there is nothing to learn from but the teacher; without it nothing but labels.
    compares = tasks.of(r.data.task).labels and not r.teacher.is_none and split == "test"
    plain_seeds = seeds if compares else ()
    student = partial(student_inputs, r.student, named.student, named.start)
    plan = plan_of(r.compress.model_copy(update={"target": r.target}))

    data = run(DATA, data_inputs(r, named))
    engine.require(partial(fits, r), data)
    compared = r.distill.labelled_control and engine.holds(_has_unlabelled, data)
    labelled_seeds = plain_seeds if compared else ()
    for module in _users_modules(r, named, data):
        run(TRIAL, module)
    samples = Samples(data, r.augment, r.seed, r.data.select_by)
    trained = tuple(run(TEACHER, inputs) for inputs in _each_teacher(r, named, data))
    teachers = Teachers(trained, r.teacher.shares)
    soft = TargetsInputs(teachers, r.distill.only(SoftTargets), samples)
    targets = None if r.teacher.is_none else run(TARGETS, soft)
    distillation = _distillation(r, named, teachers, targets)
    distilled = Training(samples, r.distill.only(Schedule), distillation)
    of_labelled = replace(distilled, distillation=_of_labelled(distillation))
    control = Training(samples, r.distill.control())
    students = tuple(run(STUDENT, student(distilled, seed)) for seed in seeds)
    plain = tuple(run(STUDENT, student(control, seed)) for seed in plain_seeds)
    labelled = tuple(run(STUDENT, student(of_labelled, seed)) for seed in labelled_seeds)
    starts = seeds if r.student.weights and r.student.scratch and split == "test" else ()
    scratch = tuple(run(STUDENT, student(distilled, seed, scratch=True)) for seed in starts)
    shares, short = r.student.sample_shares, r.student.step_shares
    on_fewer = [replace(distilled, share=share) for share in shares]
    fewer = tuple(tuple(run(STUDENT, student(of, seed)) for seed in starts) for of in on_fewer)
    in_shorter = [distilled.shortened(share) for share in short]
    shorter = tuple(tuple(run(STUDENT, student(of, seed)) for seed in starts) for of in in_shorter)
    tune = partial(TunedInputs, plan, r.export.opset, students, distilled)
    tuned: dict[str, Made[TunedRecord]] = {
        method: run(stage, tune(method, r.compress.only(part)))
        for method, (stage, part) in TUNED_VARIANTS.items()
        if method in r.compress.variants
    }
    models = Models(teachers, students, tuple(tuned.values()))
    variants = run(VARIANTS, variants_inputs(r, plan, models, data))
    in_int8 = _int8_plain_inputs(r, plan, students, plain, data)
    int8_plain = run(INT8_PLAIN, in_int8) if in_int8 else None
    adapted = AdaptationInputs(
        students, scratch, shares, fewer, samples, distilled.schedule, short, shorter
    )
    adaptation = run(ADAPTATION, adapted) if scratch else None
    batch = r.benchmark.batch
    verified = VerifyInputs(
        variants, models, plain, targets, data, batch, int8_plain, labelled, split
    )
    quality = run(VERIFY, verified)
    measuring = benchmark_inputs(r, named.device, variants, data)
    if split != "test":
        # What a search chose by is not measured for the verdict, however alike their settings are.
        measuring = replace(measuring, seed=measuring.seed + 1)
    measured = run(BENCHMARK, measuring)
    return Flow(
        data,
        teachers.models,
        targets,
        students,
        plain,
        labelled,
        tuned,
        variants,
        int8_plain,
        scratch,
        fewer,
        shorter,
        adaptation,
        quality,
        measured,
    )


def data_inputs(r: Recipe, named: Outside) -> DataInputs:
    """What chooses an epoch changes nothing of the samples."""
    source = r.data.model_copy(update={"select_by": None})
    return DataInputs(source, named.data, named.tokenizer, r.seed, named.unlabelled)


def variants_inputs(
    r: Recipe, plan: Plan, models: Models, data: Made[DataRecord]
) -> VariantsInputs:
    """Other runtimes' files have a fixed batch, and are what their toolchain made."""
    used = {name for format_ in r.export.formats for name in toolchains_of(format_)}
    return VariantsInputs(
        r.compress,
        plan,
        r.export,
        models,
        data,
        batch=r.benchmark.batch if used else None,
        toolchains={name: digest(ALL_TOOLCHAINS[name]) for name in sorted(used)},
    )


def _int8_plain_inputs(
    r: Recipe,
    plan: Plan,
    students: tuple[Made[ModelRecord], ...],
    plain: tuple[Made[ModelRecord], ...],
    data: Made[DataRecord],
) -> Int8PlainInputs | None:
    """None where there is nothing to compare: one distilled student has its files already."""
    if not plain or "int8-static" not in r.compress.variants:
        return None
    others = students if len(students) > 1 else ()
    ranges = r.compress.only(StaticRanges)
    return Int8PlainInputs(ranges, plan, r.export.opset, others, plain, data)


def _users_modules(r: Recipe, named: Outside, data: Made[DataRecord]) -> Iterator[TrialInputs]:
    """What a function of the user makes; the families of ours are known to train and to export."""
    if is_factory(r.student.model):
        student = r.student.only(Architecture)
        yield TrialInputs("student.model", student, named.student, True, True, r.export.opset, data)
    has_labels = tasks.of(r.data.task).labels is not None
    for teacher, module_hash in zip(r.teacher.teachers(), named.teachers, strict=True):
        if teacher_kind(teacher.model) == "factory":
            yield TrialInputs(
                "teacher.model",
                teacher.only(Architecture),
                module_hash,
                has_labels and teacher.is_trained and teacher.weights is None,
                teacher.normalize,
                r.export.opset,
                data,
            )


def _each_teacher(r: Recipe, named: Outside, data: Made[DataRecord]) -> Iterator[TeacherInputs]:
    """The inputs of each teacher; every one has a seed of its own."""
    parts = zip(r.teacher.teachers(), named.teachers, strict=True)
    for seed, (teacher, file_hash) in enumerate(parts, r.seed):
        samples = Samples(data, r.augment, seed, r.data.select_by)
        yield TeacherInputs(teacher, file_hash, samples)


def _distillation(
    r: Recipe, named: Outside, teachers: Teachers, targets: Made[TargetsRecord] | None
) -> Distillation | None:
    """With the teachers only where the student needs more of them than stored answers.

    None without a teacher.
    """
    if targets is None:
        return None
    soft, layers = r.distill.only(SoftLosses), r.distill.only(TeacherLayers)
    distillation = Distillation(soft, targets, loss_hashes=named.losses)
    if r.distill.views and not layers.needed:
        return distillation
    return replace(distillation, layers=layers, teachers=teachers)


def _of_labelled(distillation: Distillation | None) -> Distillation | None:
    """The same from the labelled samples alone; None without a teacher."""
    return replace(distillation, labelled_only=True) if distillation else None


def _has_unlabelled(data: DataRecord) -> bool:
    return data.unlabelled > 0


def benchmark_inputs(
    r: Recipe, device: Profile, variants: Made[VariantsRecord], data: Made[DataRecord]
) -> BenchmarkInputs:
    """What is measured, where, and until which budgets are decided.

    What was measured on another device than the target decides no budget of latency or memory.
    """
    target = load_profile(r.target)
    on_target = same_device(target, device)
    # Neither how to reach it nor the readings of this machine's kernel belong to the key.
    keyed = replace(target, reach=None, figures={} if target.name == HOST else target.figures)
    return BenchmarkInputs(
        benchmark=r.effective_benchmark,
        variants=variants,
        data=data,
        device=device,
        target=keyed,
        on_target=on_target,
        budgets=measured_budgets(r.gate) if on_target and r.benchmark.max_seconds else {},
        prices=prices_of(target),
        seed=r.seed,
    )


@dataclass(frozen=True, slots=True)
class Built:
    """The result of a build.

    Attributes:
        run: the run's folder; None after ``until``.
        report: everything in it; None after ``until``.
        stopped: the stage that ``until`` named.
        ran: the stages that ran; all others were in the store.
    """

    run: Path | None
    report: Report | None
    stopped: Made[Any] | None
    ran: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A recipe that was read before, and where it comes from.

    Attributes:
        recipe: the recipe.
        file: that it was read from, for the commit of its folder; None: it was no file.
        search: how it was found; None: it is built as it was given.
    """

    recipe: Recipe
    file: Path | None = None
    search: SearchRecord | None = None


def build(  # noqa: PLR0913 - named options of a function that users call
    recipe: Recipe | Given | Path | str,
    *,
    artifacts: Artifacts | Path | str = "artifacts",
    overrides: Iterable[str] = (),
    seed: int | None = None,
    until: str | None = None,
    progress: Progress | None = None,
    around: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    planned: Callable[[Sequence[str], Sequence[float | None]], None] = lambda *_: None,
    runner: Runner = IN_PROCESS,
) -> Built:
    """Run the pipeline; finished stages are read from the store.

    Args:
        recipe: a recipe, the path of one, or one that was read before.
        artifacts: the folder builds write to, by itself or with a store that machines share.
        overrides: ``key=value`` texts, as for ``--set``.
        seed: replaces the recipe's seed.
        until: stop after this stage.
        progress: gets each step; nothing is printed by default.
        around: entered around each stage that runs.
        planned: told the stages that will run, before the first of them, and the seconds that each
            took in earlier builds of the name, None where none did.
        runner: where the stages run.

    Raises:
        EdgestillError: see ``errors.py``; whatever was finished before it stays in the store.
    """
    until_stage.known(until)
    if isinstance(recipe, Recipe):
        recipe = Given(recipe)
    elif not isinstance(recipe, Given):
        path = Path(recipe)
        recipe = Given(load(path, overrides, seed=seed, checks=KNOWN), path)
    read = recipe.recipe
    until_stage.suits(until, read)
    named = checked(read)
    progress = progress or Silent()
    store = (place := Artifacts.of(artifacts)).store(progress.warn)
    compute = compute_for(read)
    if until is None:
        with disk_errors(place.folder, opening=True):
            runs.prepare(place.folder, read.name)
    steps, keys = _planned(read, named, store, compute)
    if until is None:
        folder = runs.folder_of(place.folder, read.name)
        for possible in keys:
            if (run := runs.find(folder, read, possible, progress.warn)) is not None:
                latest.point(run)
                store.share(possible.values())
                return Built(run, runs.open_report(run), None, ())
    countable(read)
    stages = _to_run(steps, until)
    if BENCHMARK.name in stages and runner is IN_PROCESS:
        reached(named.device)
    planned(stages, expected_seconds(runs.folder_of(place.folder, read.name), stages, store))
    engine = runner.engine(store, compute, progress, until=until, around=around)
    try:
        made = flow(read, named, engine)
    except StopHereError as stop:
        engine.finish()
        return Built(None, None, stop.made, tuple(engine.ran))
    engine.finish()
    if until is not None:
        return Built(None, None, engine.made[-1], tuple(engine.ran))
    with disk_errors(place.folder):
        commit = of_recipe(recipe.file) if recipe.file is not None else None
        run, report = runs.write(place.folder, read, made, commit, recipe.search)
        latest.point(run)
    return Built(run, report, None, tuple(engine.ran))


def _planned(
    r: Recipe, named: Outside, store: Store, compute: Compute
) -> tuple[list[Step], list[dict[str, str]]]:
    """The steps of a build, and the keys it may have: two sets where the store has no data yet."""
    likely = r.data.unlabelled is not None
    planner = Planner(store, compute, guess=likely)
    keys = [flow(r, named, planner).keys()]
    if planner.guessed:
        keys.append(flow(r, named, Planner(store, compute, guess=not likely)).keys())
    return planner.steps, keys


def _to_run(steps: Sequence[Step], until: str | None) -> tuple[str, ...]:
    """The stages that are not in the store, up to the one to stop after."""
    last = max((i for i, step in enumerate(steps, 1) if step.stage == until), default=len(steps))
    return tuple(step.stage for step in steps[:last] if not step.cached)


def plan(recipe: Recipe, artifacts: Artifacts | Path, *, tries: bool = True) -> list[Step]:
    """Which stages are in the store and which would run.

    With ``tries`` modules of users answer two samples, for which torch is imported.

    Raises:
        DataError, RecipeError: what a build would refuse about the data, and about the recipe for
            these data, as far as it can be known in seconds.
        ModelError: a module of the user's that is not there or does not take such samples.
    """
    store = Artifacts.of(artifacts).store(asks=True)
    named, compute = checked(recipe), compute_for(recipe)
    planner = Planner(store, compute, guess=recipe.data.unlabelled is not None)
    flow(recipe, named, planner)
    first = Made(DATA, planner.steps[0].key)
    data = record_of(recipe.data, recipe.seed, store, first.key)
    if data is not None:
        suits(recipe, data)
    if planner.guessed and data is not None:
        planner = Planner(store, compute, guess=_has_unlabelled(data))
        flow(recipe, named, planner)
    if not tries:
        return planner.steps
    modules = _users_modules(recipe, named, first)
    steps = planner.steps
    for at, step in enumerate(steps):
        if step.stage == TRIAL.name:
            module = next(modules)
            steps[at] = step if step.cached else replace(step, unchecked=tried(module, data))
    return steps


def known_data(recipe: Recipe, artifacts: Artifacts | Path) -> DataRecord | None:
    """What is known of the data without a stage that runs; None where that takes too long.

    Raises:
        DataError: what a build would refuse about them.
    """
    store = Artifacts.of(artifacts).store(asks=True)
    planner = Planner(store, compute_for(recipe))
    data = planner.run_stage(DATA, data_inputs(recipe, outside(recipe)))
    return record_of(recipe.data, recipe.seed, store, data.key)
