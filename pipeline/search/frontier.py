"""The frontier: of all students and trainings, those that no other beats in all it is weighed by.

    search = FrontierSearch(recipe, trials, Options(trials=16, minutes=60.0))
    search.run()                   # explores, then trains the best for the whole
    record_of(search)              # frontier_record: what was found, also after an interruption

A choice is explored by a short training; those that no other beats then get all of their epochs,
and their files are scored one by one. Scores are those of validation: test is looked at once, by a
build of the recipe that a reader takes.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import EdgestillError, RecipeError, StorageError
from .. import tasks
from ..build import plan
from ..engine.store import digest_of
from ..preflight import known as known_names
from ..printable import were
from ..recipe.architecture import Architecture
from ..recipe.recipe import Recipe
from ..recipe.search import AUTO
from ..records import BenchmarkRecord, Cost
from . import study as studies
from .choices import Space, may_change_student, space_of
from .explored import File, Picks, Tried, best_of, briefly, left_out, takes, wholly
from .family import architectures
from .ladder import changed, texts
from .objectives import DEFAULT, figures_of, known
from .pareto import SCORE, minimized, unbeaten
from .trials import Trials, settings_of

_Point = tuple[int, str, float]
"""A choice, a file, its score as it is or as it is expected to be."""
TRIALS = 16
"""Choices that are explored."""
_RANDOM_AT_ONCE = 4
"""Choices at random that are begun for each training that runs at once."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a search is bounded.

    Attributes:
        trials: choices to explore in all, those of earlier calls among them.
        minutes: after which nothing further is begun; None: ``search.max_minutes``.
        objectives: what the score is weighed against.
    """

    trials: int = TRIALS
    minutes: float | None = None
    objectives: tuple[str, ...] = DEFAULT


@dataclass
class FrontierSearch:
    """A search under way.

    Attributes:
        recipe: that is searched around.
        trials: runs what is measured and trained.
        options: its bounds.
        journals: the folder of what is kept for a further call; None: nothing is.
        tried: every choice, in order.
        ended: why it ended.
        costs: of the students, by model and width; empty where the student stays.
        measured: what the files of the last choice take.
        clock: seconds.
    """

    recipe: Recipe
    trials: Trials
    options: Options
    journals: Path | None = None
    tried: list[Tried] = field(default_factory=list)
    ended: str = "it was interrupted"
    costs: dict[tuple[str, int], Cost] = field(default_factory=dict)
    measured: BenchmarkRecord | None = None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        """Look at the recipe and the data, and open the journal.

        Raises:
            HostError: Optuna is not installed.
            EdgestillError: as a build.
        """
        self.began = self.clock()
        studies.available()
        known_names(self.recipe)
        self._seconds: dict[int, float] = {}
        self._failure: EdgestillError | None = None
        self._overhead: list[float] = []
        self._settings = settings_of(self.recipe)
        self.space = self._space()
        path = None if self.journals is None else self.journals / f"{self._key()[:16]}.journal"
        self.study = studies.Study(
            path,
            self.space,
            directions=1 + len(self.options.objectives),
            seed=self.recipe.seed,
            warn=self.trials.progress.warn,
        )

    def _space(self) -> Space:
        if not may_change_student(self.recipe):
            return space_of(self.recipe, ())
        data = self.trials.data(self.recipe).record
        suited = architectures(self._settings, data)
        if self.recipe.student.model != AUTO:
            suited = (self.recipe.student.only(Architecture), *suited)
        unique = {(one.model, one.width): one for one in suited}
        costs = self.trials.costs(self.recipe, tuple(unique.values()))
        self.costs = {(cost.model, cost.width): cost for cost in costs}
        return space_of(self.recipe, suited)

    def _key(self) -> str:
        """Of all that a choice's worth depends on: the data, the teacher, our sources, libraries.

        They are in the keys of the stages of a build of any of the choices.
        """
        steps = plan(self._recipe(self.space.own()), self.trials.artifacts, tries=False)
        parts = {
            "stages": [step.key for step in steps],
            "space": [[one.key, list(one.options)] for one in self.space.choices],
            "widths": {model: list(widths) for model, widths in self.space.widths.items()},
            "objectives": list(self.options.objectives),
            "share": self._settings.finalist_share,
        }
        return digest_of(parts)

    def run(self) -> None:
        """Explore, then train for the whole what no other beats.

        Raises:
            EdgestillError: nothing could be trained or measured at all.
        """
        progress = self.trials.progress
        told = list(self.study.told[: self.options.trials])
        if told:
            progress.note(f"search: {were(len(told), 'choice')} explored before")
        for picks in told:
            self._explore(picks, again=True)
        self.ended = f"{were(self.options.trials, 'choice')} explored"
        while len(self.tried) < self.options.trials:
            if self.tried and self._is_over(self._whole_s()):
                over = "minute was" if self._minutes == 1.0 else "minutes were"
                self.ended = f"{self._minutes:g} {over} over"
                break
            asked = self.study.ask_several(self._at_once())
            if not asked:
                self.ended = "every choice was explored"
                break
            self._begin(asked)
            for picks in asked:
                self._explore(picks)
        self._finish()
        if not any(one.files for one in self.tried):
            self._refuse()

    def _at_once(self) -> int:
        """How many choices are explored before the next is made: their worth is not known to it.

        Where one training runs at a time, one. At random a choice is made of nothing that is known
        anyway, so that more are begun, and no worker is idle while the last of them ends.
        """
        parallel = self.trials.parallel(self.recipe)
        if parallel > 1 and self.study.is_random:
            parallel *= _RANDOM_AT_ONCE
        return min(parallel, self.options.trials - len(self.tried))

    def _begin(self, asked: Sequence[Picks]) -> None:
        """Begin what several choices will ask for; those that are left out are not trained."""
        if len(asked) == 1:
            return
        recipes = [self._recipe(picks) for picks in asked]
        self.trials.ahead(recipes, "resources")
        for recipe in recipes:
            with suppress(EdgestillError):
                measured = takes(self.trials, recipe)
                figures = known(figures_of(measured, self.options.objectives))
                if left_out(recipe, measured, figures, self.tried, self._best()) is None:
                    share = self._settings.finalist_share
                    self.trials.ahead([recipe], "short training", share)

    def _best(self) -> float | None:
        """The best score there is."""
        return best_of(tasks.of(self.recipe.data.task).metric.unit)

    @property
    def _minutes(self) -> float:
        minutes = self.options.minutes
        return self._settings.max_minutes if minutes is None else minutes

    def _is_over(self, reserved_s: float = 0.0) -> bool:
        """Whether nothing further may begin, so that what is reserved fits into the time."""
        return self.clock() - self.began + reserved_s > 60.0 * self._minutes

    def _whole_s(self) -> float:
        """About how long the whole trainings of what is the best so far will take."""
        share = min(self._settings.finalist_share, 1.0)
        leading = {place for place, _ in self._promising()}
        known_s = [self._seconds[at] for at in leading if self._seconds.get(at)]
        usual = sum(known_s) / len(known_s) if known_s else 0.0
        files = sum(self._overhead) / len(self._overhead) if self._overhead else 0.0
        return len(leading) * (usual * self.recipe.distill.seeds / share + files)

    def _recipe(self, picks: Picks) -> Recipe:
        return changed(self.recipe, self._change(picks))

    def _change(self, picks: Picks) -> dict[str, Any]:
        return self.space.change(picks)

    def _explore(self, picks: Picks, *, again: bool = False) -> None:
        """Try one choice; a failure is kept with it, and the search goes on."""
        began, number = self.clock(), len(self.tried) + 1
        told = ", ".join(texts(self._change(picks)))
        self.trials.progress.note(f"search: {number} of {self.options.trials}: {told}")
        try:
            tried = self._after_a_short_training(picks)
        except StorageError:
            raise
        except EdgestillError as error:
            tried = Tried(picks, self.recipe, self._change(picks), failed=str(error))
            self._failure = error
        tried = replace(tried, seconds=self.clock() - began)
        self.tried.append(tried)
        self._tell(tried)
        if not again:
            values = [minimized(file.values) for file in tried.files.values()]
            self.study.tell(picks, values)

    def _after_a_short_training(self, picks: Picks) -> Tried:
        recipe = self._recipe(picks)
        tried = Tried(picks, recipe, self._change(picks))
        began = self.clock()
        measured = takes(self.trials, recipe)
        took = self.clock() - began
        self.measured = measured
        figures = known(figures_of(measured, self.options.objectives))
        why = left_out(recipe, measured, figures, self.tried, self._best())
        if why is not None:
            return replace(tried, pruned=why)
        self._overhead.append(took)
        began = self.clock()
        found = briefly(tried, self.trials, figures, measured, self._settings.finalist_share)
        self._seconds[len(self.tried)] = self.clock() - began
        return found

    def _tell(self, tried: Tried) -> None:
        progress, number = self.trials.progress, len(self.tried)
        if tried.failed is not None:
            progress.note(f"search: {number} failed: {tried.failed}")
        elif tried.pruned is not None:
            progress.note(f"search: {number} is not trained: {tried.pruned}")
        else:
            progress.note(f"search: {number} scores {tried.score:.4f} on validation")

    def _finish(self) -> None:
        """Train for the whole what no other beats, until that is so of whole trainings alone."""
        while True:
            left = [place for place, _ in self._promising() if not self.tried[place].whole]
            if not left:
                return
            if self._is_over():
                self.ended += "; not all of the frontier was trained for the whole"
                return
            # Those that turn out to be beaten meanwhile are not asked for.
            self.trials.ahead((self.tried[place].recipe for place in left), "validation")
            self._train(left[0])

    def _train(self, place: int) -> None:
        tried = self.tried[place]
        self.trials.progress.note(f"search: {place + 1} is trained for the whole")
        try:
            self.tried[place] = wholly(tried, self.trials, self.options.objectives)
        except StorageError:
            raise
        except EdgestillError as error:
            self.tried[place] = replace(tried, files={}, failed=str(error))
            self.trials.progress.note(f"search: {place + 1} failed: {error}")

    def leading(self) -> list[tuple[int, str]]:
        """Choice and file of each point that no other beats, by the first objective.

        Of those that were trained for the whole; before there is one, of all.
        """
        points = list(self._points())
        whole = [one for one in points if self.tried[one[0]].whole]
        return self._unbeaten(whole or points)

    def _promising(self) -> list[tuple[int, str]]:
        """The same of all points, those of short trainings as they are expected to turn out.

        Whole trainings say by how much a file's score differs from that of its student after the
        short one: more epochs add to it, and int8 takes from it.
        """
        best = self._best()
        differences = self._differences()
        expected = []
        for place, name, score in self._points():
            if not self.tried[place].whole:
                score += differences.get(name, 0.0)
                score = score if best is None else min(score, best)
            expected.append((place, name, score))
        return self._unbeaten(expected)

    def _differences(self) -> dict[str, float]:
        """By file, the median over the whole trainings."""
        found: dict[str, list[float]] = {}
        for place, name, score in self._points():
            tried = self.tried[place]
            if tried.whole and tried.score is not None:
                found.setdefault(name, []).append(score - tried.score)
        return {name: statistics.median(values) for name, values in found.items()}

    def _unbeaten(self, points: list[_Point]) -> list[tuple[int, str]]:
        spans = [self._file(place, name).spans(score) for place, name, score in points]
        first = self.options.objectives[0]
        found = [points[at] for at in unbeaten(spans)]
        found.sort(key=lambda one: (self._file(one[0], one[1]).values[first], one[2]))
        return [(place, name) for place, name, _ in found]

    def _file(self, place: int, name: str) -> File:
        return self.tried[place].files[name]

    def _points(self) -> Iterator[_Point]:
        for place, tried in enumerate(self.tried):
            for name, file in tried.files.items():
                yield place, name, file.values[SCORE]

    def _refuse(self) -> None:
        """Nothing was trained: say why, by the last failure or by what was left out."""
        if self._failure is not None:
            raise self._failure
        raise RecipeError(
            found=f"budgets that no choice comes near ({self.tried[-1].pruned})",
            expected="budgets within twice of which some choice is",
            where="gate",
            fix="raise the budget, or name smaller students in search.models and search.widths",
        )
