"""What to try next, and which choices mattered: Optuna behind two small interfaces.

    study = Study(path, space, directions=3, seed=0, warn=print)
    picks = study.ask()                          # {"student.model": 1, "student.width": 4, …}
    study.tell(picks, [(-0.97, 0.03, 33_794)])   # what each of its files is worth, to be minimized

The sampler is the tree-structured Parzen estimator for several objectives (Ozaki et al. 2022,
"Multiobjective tree-structured Parzen estimator", JAIR 73). It is seeded anew for each choice, by
its number, so that a search that was stopped goes on as if it had not been. The journal is Optuna's
own, a line a step: ``optuna-dashboard`` and the like read it.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine import extras
from .choices import MODEL, WIDTH, Choice, Picks, Space
from .pareto import SCORE

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

_NAME = "edgestill"
_PICKS = "edgestill.picks"
"""The attribute that tells one choice from the several files that were told of it."""
_STARTUP = 48
"""Files that are told before the estimator is used; the choices until then are at random, which of
so few finds as much (DECISIONS.md)."""
_TRIES = 30
LEAST = 8
"""Choices from which on importance is worked out."""
FILE = "file"
"""The key of the file, which is no choice to be asked for: each choice has all files."""
_OF_GRAPH = (MODEL, WIDTH, FILE)
"""All that what a file takes of a device depends on."""


def available() -> None:
    """Load Optuna.

    Raises:
        HostError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise extras.missing("optuna") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@contextmanager
def _quiet() -> Iterator[None]:
    """What Optuna says of experimental parts of itself is for its own users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Study:
    """Choices that were tried, on disk.

    Args:
        path: of the journal; None: nothing is kept.
        space: of the choices.
        directions: how many figures are to be minimized.
        seed: of the choices.
        warn: told where a journal could not be read.
    """

    def __init__(
        self,
        path: Path | None,
        space: Space,
        *,
        directions: int,
        seed: int,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        available()
        self._space, self._seed, self._directions = space, seed, directions
        self._distributions = {one.key: _distribution(one) for one in space.choices}
        self.told: list[dict[str, int]] = []
        self._study = self._opened(path, warn)

    def _opened(self, path: Path | None, warn: Callable[[str], None]) -> "optuna.Study":
        if path is None:
            return self._created(None)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            study = self._created(path)
            self.told = _told(study)
        except (ValueError, KeyError, AssertionError) as error:
            aside = path.with_name(f".bad-{path.name}")
            path.replace(aside)
            warn(f"{path}: unreadable ({error}); set aside as {aside.name} and begun again")
            return self._created(path)
        return study

    def _created(self, path: Path | None) -> "optuna.Study":
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        with _quiet():
            storage = None
            if path is not None:
                lock = JournalFileOpenLock(str(path))
                storage = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
            return optuna.create_study(
                storage=storage,
                study_name=_NAME,
                directions=["minimize"] * self._directions,
                load_if_exists=True,
            )

    @property
    def is_random(self) -> bool:
        """Whether the next choice is made at random: too few files were told."""
        from optuna.trial import TrialState

        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return len(complete) < _STARTUP

    def ask_several(self, most: int) -> list[dict[str, int]]:
        """The next choices, each other than all before it; what they are worth is told later."""
        asked: list[dict[str, int]] = []
        told = self.told
        try:
            while len(asked) < most and (picks := self.ask()) is not None:
                asked.append(picks)
                self.told = [*told, *asked]
        finally:
            self.told = told
        return asked

    def ask(self) -> dict[str, int] | None:
        """The next choice, one that was not told yet; None: all were."""
        if not self.told:
            return self._space.own()
        for attempt in range(_TRIES):
            picks = self._asked(attempt)
            if not self._is_known(picks):
                return picks
        return self._any_other()

    def _asked(self, attempt: int) -> dict[str, int]:
        """What the estimator takes for promising; a later attempt, which is no trial of its own."""
        import optuna

        with _quiet():
            seed = self._seed + 1_000 * len(self.told) + attempt
            self._study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP)
            asked = self._study.ask(self._distributions)
            # It is told as a trial for each of its files; until then it is none.
            self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
        return {key: int(value) for key, value in asked.params.items()}

    def _is_known(self, picks: Picks) -> bool:
        change = self._space.change(picks)
        return any(self._space.change(other) == change for other in self.told)

    def _any_other(self) -> dict[str, int] | None:
        """The first of all choices, in an order by the seed, that was not told."""
        import random

        size = self._space.size
        numbers = random.Random(self._seed)  # noqa: S311 - no secret
        start, most = numbers.randrange(size), min(size, 100_000)
        for step in range(most):
            picks = self._picks_of((start + step) % size)
            if not self._is_known(picks):
                return picks
        return None

    def _picks_of(self, number: int) -> dict[str, int]:
        picks = {}
        for choice in self._space.choices:
            number, picks[choice.key] = divmod(number, len(choice.options))
        return picks

    def tell(self, picks: Picks, values: Sequence[Sequence[float]]) -> None:
        """What each file of a choice is worth; none: it was left out.

        Args:
            picks: the choice.
            values: of each file, all to be minimized.
        """
        import optuna

        with _quiet():
            attributes = {_PICKS: json.dumps(dict(picks), sort_keys=True)}
            made: Any = {
                "params": dict(picks),
                "distributions": self._distributions,
                "user_attrs": attributes,
            }
            for one in values:
                trial = optuna.trial.create_trial(**made, values=list(one))
                self._study.add_trial(trial)
            if not values:
                state = optuna.trial.TrialState.PRUNED
                self._study.add_trial(optuna.trial.create_trial(**made, state=state))
        self.told.append(dict(picks))


def _told(study: "optuna.Study") -> list[dict[str, int]]:
    """The choices of a journal, in their order."""
    texts = (trial.user_attrs.get(_PICKS) for trial in study.get_trials(deepcopy=False))
    return [json.loads(text) for text in dict.fromkeys(filter(None, texts))]


def _distribution(choice: Choice) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if choice.ordered:
        return IntDistribution(0, len(choice.options) - 1)
    return CategoricalDistribution(tuple(range(len(choice.options))))


def importance(
    space: Space, told: Sequence[tuple[Picks, str, Mapping[str, float]]], seed: int
) -> dict[str, dict[str, float]]:
    """How much of each figure's variance each choice explains, by figure.

    fANOVA: a random forest is fitted to the figure, and its variance is split over the choices
    (Hutter, Hoos & Leyton-Brown 2014, "An efficient approach for assessing hyperparameter
    importance", ICML). Shares of one figure add up to 1; a figure that does not vary is left out.

    Args:
        space: of the choices.
        told: of each file its choice, its name and its figures.
        seed: of the forest.
    """
    import optuna
    from optuna.distributions import CategoricalDistribution

    available()
    files = tuple(dict.fromkeys(file for _, file, _ in told))
    distributions = {one.key: _distribution(one) for one in space.choices}
    if len(files) > 1:
        distributions[FILE] = CategoricalDistribution(files)
    names = tuple(told[0][2]) if told else ()
    found = {}
    with _quiet():
        study = optuna.create_study(directions=["minimize"] * max(1, len(names)))
        for picks, file, figures in told:
            params: dict[str, Any] = {**picks, FILE: file} if len(files) > 1 else dict(picks)
            values = [figures[name] for name in names]
            made = optuna.trial.create_trial(
                params=params, distributions=distributions, values=values
            )
            study.add_trial(made)
        for at, name in enumerate(names):
            keys = [key for key in distributions if name == SCORE or key in _OF_GRAPH]
            if not keys or len({figures[name] for _, _, figures in told}) < 2:
                continue
            shares = optuna.importance.get_param_importances(
                study,
                params=keys,
                evaluator=optuna.importance.FanovaImportanceEvaluator(seed=seed),
                target=lambda trial, at=at: trial.values[at],  # type: ignore[misc]
            )
            found[name] = {key: float(share) for key, share in shares.items()}
    return found
