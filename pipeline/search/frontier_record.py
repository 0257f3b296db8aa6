"""A search under way as a record: its points, the frontier among them, and what mattered."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from ...version import __version__
from .. import tasks
from ..printable import were
from ..recipe.files import dump
from ..recipe.recipe import Recipe
from ..recipe.search import AUTO
from ..records import AT, ExploredRecord, FrontierRecord, PointRecord
from .choices import MODEL, WIDTH
from .explored import File, Tried
from .frontier import FrontierSearch
from .ladder import changed, texts
from .pareto import SCORE, Box
from .study import LEAST, importance
from .trials import settings_of

RECIPES = "recipes"
"""The folder of the recipes of points, below that of a search."""
_BY_ONNX = frozenset({"onnx", "ort"})
_PREFERENCES = {"latency": "latency", "size": "size", "energy": "energy", SCORE: "accuracy"}
"""What ``gate.prefer`` may be, by what a file is better in."""


def record_of(search: FrontierSearch, *, interrupted: bool = False) -> FrontierRecord:
    """What a search found.

    Args:
        search: with at least one choice that was trained.
        interrupted: whether it was stopped.
    """
    measured = search.measured
    assert measured is not None  # noqa: S101 - something was measured before it was trained
    data = search.trials.data(search.recipe).record
    leading = {at: place for place, at in enumerate(search.leading(), 1)}
    points = tuple(
        _point(search, number, name, leading.get((number - 1, name)))
        for number, tried in enumerate(search.tried, 1)
        for name in tried.files
    )
    every = [file.values for tried in search.tried for file in tried.files.values()]
    brief = [values for tried in search.tried for values in _after_the_short_training(tried)]
    box = Box.around([*every, *brief])
    found, missing = _importance(search)
    return FrontierRecord(
        name=search.recipe.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        edgestill=__version__,
        optuna=metadata.version("optuna"),
        task=data.task,
        metric=tasks.of(data.task).metric.name,
        samples=data.samples("validation"),
        objectives=search.options.objectives,
        measured_on=measured.measured_on,
        target=measured.target,
        on_target=measured.on_target is True,
        share=settings_of(search.recipe).finalist_share,
        seed=search.recipe.seed,
        explored=_explored(search, box),
        points=points,
        reference=box.worst,
        ideal=box.best,
        hypervolume=box.covered([_file(search, at).values for at in leading]),
        importance=found,
        importance_missing=missing,
        interrupted=interrupted,
        ended="it was interrupted" if interrupted else search.ended,
        seconds=search.clock() - search.began,
    )


def recipes_of(search: FrontierSearch, record: FrontierRecord) -> dict[str, str]:
    """The recipe of each point of the frontier as TOML, by its place below the search's folder."""
    return {
        point.recipe: _header(record, point) + dump(_recipe(search, point))
        for point in record.frontier
        if point.recipe is not None
    }


def _file(search: FrontierSearch, at: tuple[int, str]) -> File:
    return search.tried[at[0]].files[at[1]]


def _explored(search: FrontierSearch, box: Box) -> tuple[ExploredRecord, ...]:
    """Every choice, and the hypervolume of the short trainings until then."""
    seen: list[Mapping[str, float]] = []
    records = []
    for number, tried in enumerate(search.tried, 1):
        seen += _after_the_short_training(tried)
        student = tried.change.get("student.model"), tried.change.get("student.width")
        records.append(
            ExploredRecord(
                number=number,
                settings={key: _shown(value) for key, value in tried.change.items()},
                changes=_changes(search.recipe, tried),
                cost=search.costs.get(student),  # type: ignore[arg-type]
                pruned=tried.pruned,
                failed=tried.failed,
                epochs=tried.epochs,
                score=tried.score,
                whole=tried.whole,
                seconds=tried.seconds,
                hypervolume=box.covered(seen),
            )
        )
    return tuple(records)


def _after_the_short_training(tried: Tried) -> list[dict[str, float]]:
    """The files of a choice with the score that it was explored by."""
    if tried.score is None:
        return []
    return [{**file.values, SCORE: tried.score} for file in tried.files.values()]


def _changes(recipe: Recipe, tried: Tried) -> tuple[str, ...]:
    """What a choice changes; of a student that was to be chosen, all of it."""
    kept = {
        key: value
        for key, value in tried.change.items()
        if _own(recipe, key) != value or (recipe.student.model == AUTO and key in (MODEL, WIDTH))
    }
    return texts(kept)


def _own(recipe: Recipe, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(recipe, section), name)


def _shown(value: Any) -> str | float:
    if isinstance(value, Mapping):
        return " + ".join(map(str, value))
    return value if isinstance(value, str) else float(value)


def _point(search: FrontierSearch, number: int, name: str, place: int | None) -> PointRecord:
    tried = search.tried[number - 1]
    file = tried.files[name]
    return PointRecord(
        explored=number,
        file=name,
        whole=tried.whole,
        epochs=tried.epochs or 0,
        score=file.score,
        figures=dict(file.figures),
        misses=file.misses,
        on_frontier=place,
        recipe=None if place is None else f"{RECIPES}/{place:02}.toml",
        prefers=_prefers(tried, name),
    )


def _prefers(tried: Tried, name: str) -> str | None:
    """By what a file comes before the fp32 of the same training, which is always made beside it."""
    method, _, format_ = name.partition(AT)
    fp32 = f"fp32{AT}{format_}" if format_ else "fp32"
    if method == "fp32" or fp32 not in tried.files:
        return None
    own, other = tried.files[name].values, tried.files[fp32].values
    for key, preference in _PREFERENCES.items():
        better = own.get(key, 0.0) > other.get(key, 0.0)
        if key in own and (better if key == SCORE else own[key] < other[key]):
            return preference
    return None


def _recipe(search: FrontierSearch, point: PointRecord) -> Recipe:
    """The recipe that makes one point: its variant, its format, as many epochs."""
    tried = search.tried[point.explored - 1]
    method, _, format_ = point.file.partition(AT)
    change: dict[str, Any] = {
        "compress.variants": [method],
        "distill.epochs": point.epochs,
    }
    formats = tried.recipe.export.formats
    if len(formats) > 1 and tried.recipe.gate.runtimes is None:
        change["gate.runtimes"] = [format_] if format_ else [f for f in formats if f in _BY_ONNX]
    if point.prefers is not None:
        change["gate.prefer"] = point.prefers
    if not point.whole:
        change["distill.seeds"] = 1
    return changed(tried.recipe, change).model_copy(update={"search": None})


def _header(record: FrontierRecord, point: PointRecord) -> str:
    trained = "the whole training" if point.whole else "a short training, the student in float"
    score = "unknown" if point.score.value is None else f"{point.score.value:.4f}"
    return (
        f"# Point {point.on_frontier} of a search: the file {point.file}; {record.metric} {score} "
        f"on validation ({trained}).\n# `edgestill build` of this recipe judges it on test.\n\n"
    )


def _importance(search: FrontierSearch) -> tuple[dict[str, dict[str, float]], str | None]:
    trained = [one for one in search.tried if one.score is not None]
    if len(trained) < LEAST:
        return {}, f"{were(len(trained), 'choice')} trained; it takes {LEAST}"
    # By what all of them have: the score of the short training.
    told = [
        (one.picks, name, {**file.values, SCORE: one.score or 0.0})
        for one in trained
        for name, file in one.files.items()
    ]
    found = importance(search.space, told, search.recipe.seed)
    return found, None if found else "no figure differs"
