"""The parts of a build that a search runs: candidates, short trainings, rungs.

    trials = Trials(Path("artifacts"), Silent())
    trials.resources(recipe, Architecture(model="resnet8", width=16))   # files and their figures
    trials.on_validation(recipe)                                        # all of a build but test

Every part is a stage of the store, so that a search that was stopped goes on where it was, and the
build at its end finds the student that was trained. Test is not looked at.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from ...devices.profiles.profile import load as load_profile
from ...errors import EdgestillError
from .. import tasks
from ..build import benchmark_inputs, data_inputs, flow, variants_inputs
from ..compress.plan import plan as plan_of
from ..distill.inputs import Models, Teachers
from ..engine.artifacts import Artifacts
from ..engine.compute import compute_for
from ..engine.flow import Engine, StopHereError
from ..engine.runner import IN_PROCESS, Building, Runner
from ..engine.stage import Made
from ..judge.untimed import untimed, with_files
from ..outside import Outside, outside
from ..preflight import known
from ..progress import Progress
from ..recipe.architecture import Architecture, Student
from ..recipe.model_names import is_factory
from ..recipe.recipe import Recipe
from ..recipe.search import Search
from ..records import (
    BenchmarkRecord,
    Cost,
    CostsRecord,
    DataRecord,
    ModelRecord,
    NotCarried,
    TargetsRecord,
    VariantsRecord,
    VerifyRecord,
)
from ..runs.flow_result import Flow
from ..stages import BENCHMARK, DATA, STUDENT, TARGETS, VARIANTS, VERIFY
from .inputs import CostsInputs, UntrainedInputs
from .shortfalls import may_fit, needs_measuring, tells_size
from .stages import COSTS, UNTRAINED

T = TypeVar("T")
Stages = Callable[[Engine, Outside], T]
"""Some stages: ``stages(engine, named)`` gives what they make."""
Ahead = Literal["resources", "short training", "validation"]
"""What may be begun before it is asked for."""

_UNTRAINED = {"int8-qat": "int8-static", "int8-mixed": "int8-static", "pruned": "fp32"}
"""Variants that cannot be had without a training, and what takes as much of a device, or more."""


def settings_of(recipe: Recipe) -> Search:
    """The recipe's ``[search]``, or that of a recipe whose student is ``auto`` and nothing else."""
    return recipe.search or Search()


def with_student(recipe: Recipe, architecture: Architecture) -> Recipe:
    """The same recipe with this student."""
    student = Student(
        model=architecture.model, width=architecture.width, arguments=architecture.arguments
    )
    return recipe.model_copy(update={"student": student})


def short_epochs(recipe: Recipe, share: float) -> int:
    """Epochs of a training of a share of the whole one."""
    return recipe.distill.shortened(share).epochs


@dataclass
class Trials:
    """Runs parts of a build; each is read from the store where it was run before.

    Attributes:
        artifacts: the folder builds write to, by itself or with a store that machines share.
        progress: gets each step.
        around: entered around each stage that runs.
        runner: where they run.
        store: below ``artifacts``.
        ran: the stages that ran.
    """

    artifacts: Artifacts | Path
    progress: Progress
    around: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()
    runner: Runner = IN_PROCESS
    ran: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the store."""
        self.store = Artifacts.of(self.artifacts).store(self.progress.warn)
        self._read: dict[str, Outside] = {}

    def data(self, recipe: Recipe) -> Made[DataRecord]:
        """The data stage."""
        return self._finished(
            recipe, lambda engine, named: engine.run_stage(DATA, data_inputs(recipe, named))
        )

    def costs(self, recipe: Recipe, architectures: tuple[Architecture, ...]) -> tuple[Cost, ...]:
        """The costs of candidates, in the order of their multiply-accumulates."""
        targets = self._targets(with_student(recipe, architectures[0]))

        def weigh(engine: Engine, named: Outside) -> Made[CostsRecord]:
            data = engine.run_stage(DATA, data_inputs(recipe, named))
            return engine.run_stage(COSTS, CostsInputs(architectures, data, targets))

        return self._finished(recipe, weigh).record.costs

    def resources(
        self, recipe: Recipe, architecture: Architecture, *, timed: bool = False
    ) -> BenchmarkRecord:
        """What the files of an untrained student take, by a short measurement.

        Args:
            recipe: with any student.
            architecture: of the student to measure.
            timed: whether they are run though no budget asks for it; else they are not where only
                size and arena have budgets, nor where all are too large already.
        """
        r = _untrained(recipe, architecture)
        if not (timed or needs_measuring(r.gate)):
            return self._unmeasured(r)
        if not timed and tells_size(r.gate) and not may_fit(r.gate, known := self._unmeasured(r)):
            return known
        return self._finished(*self._measuring(r)).record

    def _unmeasured(self, r: Recipe) -> BenchmarkRecord:
        """What the files of an untrained student tell without being run."""
        variants = self._finished(*self._files(r)).record
        return untimed(variants, self._outside(r).device, load_profile(r.target))

    def _files(self, r: Recipe) -> tuple[Recipe, Stages[Made[VariantsRecord]]]:
        targets = self._targets(r)

        def make(engine: Engine, named: Outside) -> Made[VariantsRecord]:
            data = engine.run_stage(DATA, data_inputs(r, named))
            return _of_untrained(r, engine, named, data, targets)

        return r, make

    def _measuring(self, r: Recipe) -> tuple[Recipe, Stages[Made[BenchmarkRecord]]]:
        targets = self._targets(r)

        def measure(engine: Engine, named: Outside) -> Made[BenchmarkRecord]:
            data = engine.run_stage(DATA, data_inputs(r, named))
            variants = _of_untrained(r, engine, named, data, targets)
            return engine.run_stage(BENCHMARK, benchmark_inputs(r, named.device, variants, data))

        return r, measure

    def not_carried(self, recipe: Recipe, architecture: Architecture) -> tuple[NotCarried, ...]:
        """The files of an untrained student that could not be made, each with its reason."""
        files = self._finished(*self._files(_untrained(recipe, architecture)))
        return files.record.not_carried

    def short_training(self, recipe: Recipe, share: float) -> ModelRecord:
        """One student after a share of its epochs, with a schedule of so many.

        Args:
            recipe: of the student.
            share: of ``distill.epochs``.
        """
        made = self._until(_briefly(recipe, share), STUDENT.name)
        record: ModelRecord = made.record
        return record

    def on_validation(
        self, recipe: Recipe, *, timed: bool = False
    ) -> tuple[VerifyRecord, BenchmarkRecord]:
        """A recipe's files, scored on validation, and what they take by a short measurement.

        The files of the untrained student are measured where there are such: they are the same but
        for their weights, and a rung that changes the training finds them measured. Sizes are those
        of the trained files.

        Args:
            recipe: with a student of its own.
            timed: as for ``resources``.
        """
        known(recipe)
        if _UNTRAINED.keys().isdisjoint(recipe.compress.variants):
            quality = self._until(recipe, VERIFY.name).record
            measured = self.resources(recipe, recipe.student.only(Architecture), timed=timed)
            return quality, with_files(measured, self._until(recipe, VARIANTS.name).record)
        if not (timed or needs_measuring(recipe.gate)):
            variants = self._until(recipe, VARIANTS.name).record
            quality = self._until(recipe, VERIFY.name).record
            device = self._outside(recipe).device
            return quality, untimed(variants, device, load_profile(recipe.target))
        r = _short(recipe)
        made = self._finished(r, partial(_whole, r))
        return made.quality.record, made.measured.record

    def ahead(self, recipes: Iterable[Recipe], what: Ahead, share: float = 1.0) -> None:
        """Begin what will be asked for, where several run at once; a failure is told when it is.

        Args:
            recipes: each with a student.
            what: will be asked for.
            share: of a short training.
        """
        for recipe in recipes:
            if self.parallel(recipe) == 1:
                return
            with suppress(EdgestillError):
                match what:
                    case "resources":
                        r = _untrained(recipe, recipe.student.only(Architecture))
                        if needs_measuring(r.gate):
                            self._begun(*self._measuring(r))
                        else:
                            self._begun(*self._files(r))
                    case "short training":
                        r = _briefly(recipe, share)
                        self._begun(r, partial(_stopped, r), until=STUDENT.name)
                    case "validation" if _UNTRAINED.keys().isdisjoint(recipe.compress.variants):
                        self._begun(recipe, partial(_stopped, recipe), until=VERIFY.name)
                    case "validation":
                        r = _short(recipe)
                        self._begun(r, partial(_whole, r))

    def parallel(self, recipe: Recipe) -> int:
        """How many trainings of the recipe run at once."""
        return self.runner.parallel(compute_for(recipe))

    def _targets(self, recipe: Recipe) -> Made[TargetsRecord] | None:
        """The teacher's answers, where nothing else says how many numbers a student gives."""
        data = self.data(recipe).record
        if tasks.of(data.task).outputs(data) is not None:
            return None
        return self._until(recipe, TARGETS.name)

    def _until(self, recipe: Recipe, stage: str) -> Made[Any]:
        return self._finished(recipe, partial(_stopped, recipe), until=stage)

    def _finished(self, recipe: Recipe, stages: Stages[T], until: str | None = None) -> T:
        """What some stages make, once all of them are done."""
        engine = self._engine(recipe, until)
        try:
            made = stages(engine, self._outside(recipe))
            engine.finish()
        except BaseException:
            engine.let_go()
            raise
        finally:
            self.ran += engine.ran
        return made

    def _begun(self, recipe: Recipe, stages: Stages[T], until: str | None = None) -> None:
        """The same stages, which nobody waits for yet."""
        stages(self._engine(recipe, until), self._outside(recipe))

    def _outside(self, recipe: Recipe) -> Outside:
        """What a recipe names outside itself, read once: candidates differ in none of it."""
        student = recipe.student
        own = student if is_factory(student.model) or student.weights else None
        parts = (recipe.data, recipe.teacher, recipe.distill.user_losses, recipe.benchmark.device)
        key = repr((own, *parts))
        if key not in self._read:
            self._read[key] = outside(recipe)
        return self._read[key]

    def _engine(self, recipe: Recipe, until: str | None) -> Building:
        return self.runner.engine(
            self.store, compute_for(recipe), self.progress, until=until, around=self.around
        )


def _whole(recipe: Recipe, engine: Engine, named: Outside) -> Flow:
    """All stages of a build, scored on validation."""
    return flow(recipe, named, engine, split="validation")


def _stopped(recipe: Recipe, engine: Engine, named: Outside) -> Made[Any]:
    """Those up to the one that the engine stops at."""
    try:
        _whole(recipe, engine, named)
    except StopHereError as stop:
        return stop.made
    raise AssertionError("what a search stops at is followed by other stages")


def _briefly(recipe: Recipe, share: float) -> Recipe:
    update = {"epochs": short_epochs(recipe, share), "seeds": 1}
    return recipe.model_copy(update={"distill": recipe.distill.model_copy(update=update)})


def _untrained(recipe: Recipe, architecture: Architecture) -> Recipe:
    """Of this student, with the variants that need no training and a short measurement."""
    r = _short(with_student(recipe, architecture))
    wanted = (_UNTRAINED.get(name, name) for name in r.compress.variants)
    compress = r.compress.model_copy(update={"variants": tuple(dict.fromkeys(wanted))})
    export = r.export.model_copy(update={"formats": _measured(r.export.formats)})
    return r.model_copy(update={"compress": compress, "export": export})


def _of_untrained(
    r: Recipe,
    engine: Engine,
    named: Outside,
    data: Made[DataRecord],
    targets: Made[TargetsRecord] | None,
) -> Made[VariantsRecord]:
    """The files of an untrained student."""
    part = r.student.only(Architecture)
    student = engine.run_stage(UNTRAINED, UntrainedInputs(part, named.student, data, targets))
    plan = plan_of(r.compress.model_copy(update={"target": r.target}))
    models = Models(Teachers((), ()), (student,))
    return engine.run_stage(VARIANTS, variants_inputs(r, plan, models, data))


def _measured(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Formats without those whose figures are another's: an ``.ort`` file is not measured."""
    return tuple(name for name in formats if name != "ort" or "onnx" not in formats)


def _short(recipe: Recipe) -> Recipe:
    """With the short measurement of a search: its figures choose, and decide no verdict."""
    update = {
        "processes": settings_of(recipe).processes,
        "max_seconds": 0.0,
        "operators": False,
        "footprint": False,
    }
    return recipe.model_copy(update={"benchmark": recipe.benchmark.model_copy(update=update)})
