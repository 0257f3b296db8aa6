"""The recipe that adapts a run's student to other data, and what those data must be.

    start = start_of(run, artifacts, warn)
    recipe = start.recipe(None, ("data.source='npz:new.npz'",))
    start.check(record)          # of the new data: what the student takes

What the student is, how it is trained, compressed, exported and measured, and the budgets of the
device are those of the run. There is no teacher, unless the user names one.
"""

import inspect
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError, MaterialError, ModelError
from .. import tasks
from ..engine.store import Store, disk_errors, file_sha256
from ..judge.budgets import BUDGETS
from ..preflight import KNOWN
from ..recipe import user_function
from ..recipe.architecture import Architecture
from ..recipe.files import over, parse
from ..recipe.model_names import NO_TEACHER, is_factory
from ..recipe.recipe import Recipe
from ..recipe.training import Schedule
from ..records import DataRecord, Report
from ..records.models import WEIGHTS
from ..runs import run as runs

SHARES = (0.0625, 0.25)
"""Of the labelled samples, that ``--samples`` compares."""
STEP_SHARES = (0.05, 0.1, 0.2)
"""Of the epochs, that ``--steps`` compares."""
OF_CLASSES = ("label_smoothing", "class_weights")
"""Keys of a schedule that hold for tasks of classes alone."""
_AS_IT_WAS = ("seed", "threads", "train", "license", "augment", "compress", "export", "benchmark")
"""Keys and sections that an adaptation has from the run."""
_ABOUT = ("prefer", "runtimes")
"""Keys of ``[gate]`` that are no budgets."""
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Start:
    """A finished student to start from.

    Attributes:
        run: its folder.
        report: of the run.
        own: its recipe.
        weights: the file of the student's weights.
    """

    run: Path
    report: Report
    own: Recipe
    weights: Path

    def recipe(
        self,
        file: Path | None,
        overrides: Iterable[str],
        *,
        task: str | None = None,
        seed: int | None = None,
    ) -> Recipe:
        """The recipe of the adaptation.

        Args:
            file: more keys; None: none.
            overrides: ``key=value`` texts, the source of the data among them.
            task: of the new data; None: the run's, or classification where that has no labels.
            seed: replaces the run's seed, unless None.

        Raises:
            RecipeError: a key or a value is wrong, or no budget is left to judge by.
        """
        own_task = self.own.data.task
        task = task or (own_task if tasks.of(own_task).labels else "classification")
        tree: dict[str, Any] = self.own.model_dump(mode="json", exclude_none=True)
        schedule = {key: tree["distill"][key] for key in (*Schedule.model_fields, "seeds")}
        data = {"task": task, **self._data()}
        if task != own_task:
            schedule = {key: v for key, v in schedule.items() if key not in OF_CLASSES}
            data.pop("select_by", None)
        weights = {"weights": str(self.weights.absolute())}
        base: dict[str, Any] = {key: tree[key] for key in _AS_IT_WAS if key in tree}
        base |= {
            "name": f"{self.own.name[:55]}-adapted",
            "data": data,
            "teacher": {"model": NO_TEACHER},
            "student": {key: tree["student"][key] for key in Architecture.model_fields} | weights,
            "distill": schedule,
            "gate": {k: v for k, v in tree["gate"].items() if k in _ABOUT or holds_for_any(k)},
        }
        return over(base, file, overrides, seed=seed, checks=KNOWN)

    def left_out(self) -> tuple[str, ...]:
        """Budgets of the run that say nothing of another task."""
        return tuple(key for key in self.own.gate.budgets() if not holds_for_any(key))

    def _data(self) -> dict[str, Any]:
        """How samples are made into what the student takes."""
        data, form = self.report.data, self.own.data.model_dump(mode="json", exclude_none=True)
        made = {key: form[key] for key in ("image", "audio", "text", "table")}
        if data.mean:
            made |= {"mean": list(data.mean), "std": list(data.std)}
        if data.layout != "tokens":
            made["layout"] = data.layout
        if data.layout in ("hw", "hwc"):  # the size of the picture files of other data
            made["image"]["size"] = list(data.sample_shape[:2])
        if rate := (data.front_end or {}).get("sample_rate_hz"):
            # A recipe may leave it to the data; sounds of another rate are resampled to this one.
            made["audio"]["sample_rate"] = rate
        for file in data.files:
            made["text"]["tokenizer"] = str((self.run / "variants" / file).absolute())
        if self.own.data.select_by:
            made["select_by"] = self.own.data.select_by
        return made

    def look(self, recipe: Recipe) -> None:
        """Refuse at once samples that the student does not take, as far as a look can tell.

        Raises:
            DataError: as ``check``; or what a build would refuse about the data.
        """
        from ..data.examine import look  # scikit-learn, to share the samples out

        # The run's mean of each channel would be refused first, in other words.
        data = recipe.data.model_copy(update={"mean": (), "std": ()})
        record = look(data, recipe.seed)
        if record is not None and record.layout != "tokens":
            self._compare(record, _samples)

    def check(self, data: DataRecord) -> None:
        """Refuse data that the student does not take.

        Raises:
            DataError: samples of another shape, layout or dtype, or another preprocessing.
        """
        for of in (_samples, _vocabulary, _front_end):
            self._compare(data, of)

    def _compare(self, data: DataRecord, of: Callable[[DataRecord], str]) -> None:
        found, expected = of(data), of(self.report.data)
        if found != expected:
            raise DataError(
                found=found,
                expected=f"{expected}, which the student of {self.own.name} takes",
                where=data.source,
                fix="make the samples as those of that run were made",
            )

    def fitted(self, recipe: Recipe, data: DataRecord) -> Recipe:
        """The recipe with the number of outputs in an argument of a user's function.

        That is the one argument that had the number of outputs of the run's student; where there is
        none or several, the recipe stays as it is.
        """
        outputs, before = tasks.of(data.task).outputs(data), self.report.variants.student.outputs
        student = recipe.student
        if not is_factory(student.model) or outputs in (None, before):
            return recipe
        function = user_function.load(student.model, "student.model", ModelError)
        given = {
            name: parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
        } | dict(student.arguments)
        names = [name for name, value in given.items() if type(value) is int and value == before]
        if len(names) != 1:
            return recipe
        arguments = {**student.arguments, names[0]: outputs}
        return recipe.model_copy(
            update={"student": student.model_copy(update={"arguments": arguments})}
        )


def start_of(run: Path, artifacts: Path, warn: Warn) -> Start:
    """The student of a finished run.

    Args:
        run: its folder.
        artifacts: where weights are kept that come from the store of an older run.
        warn: called with a sentence about a damaged entry of the store.

    Raises:
        MaterialError: the folder is no run, has changed, or its student's weights are gone.
    """
    report, manifest = runs.open_report(run), runs.manifest_of(run)
    if faults := runs.differences(run):
        raise MaterialError(faults[0], where=str(run), fix="build it again")
    own = parse(manifest["recipe"], where=str(run))
    kept = run / "records" / runs.STUDENT
    weights = kept if kept.is_file() else _from_store(run, report, manifest, artifacts, warn)
    return Start(run, report, own, weights)


def _from_store(
    run: Path, report: Report, manifest: Mapping[str, Any], artifacts: Path, warn: Warn
) -> Path:
    """The weights of a run that was written before runs kept them, copied out of its store."""
    digest = report.variants.student.weights_sha256
    digests = [student.weights_sha256 for student in report.students]
    folder = run.resolve().parent
    key = runs.keys_of(manifest).get(f"student-{digests.index(digest)}")
    store = Store(folder.parents[1], warn, asks=True) if folder.parent.name == "runs" else None
    entry = store.read(key) if store is not None and key and store.has(key) else None
    if entry is None or file_sha256(entry.path / WEIGHTS) != digest:
        raise MaterialError(
            f"no records/{runs.STUDENT}, and no student in the store that the run was built with",
            expected="the student's weights",
            where=str(run),
            fix=f"build it again: edgestill build {run / runs.RECIPE}",
        )
    path = artifacts / "given" / f"{digest[:20]}.safetensors"
    with disk_errors(path, opening=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(entry.path / WEIGHTS, path)
    return path


def holds_for_any(key: str) -> bool:
    """Whether a budget says the same of any task: of the device, or of what compression takes."""
    return key == "max_drop_vs_fp32" or (key in BUDGETS and BUDGETS[key].quality is None)


def _samples(data: DataRecord) -> str:
    shape = " x ".join(map(str, data.sample_shape))
    return f"samples of {shape} {data.dtype}, layout {data.layout}"


def _vocabulary(data: DataRecord) -> str:
    return f"{data.vocabulary:,} token ids, of which {data.pad} is padding"


def _front_end(data: DataRecord) -> str:
    return f"the front end {json.dumps(data.front_end, sort_keys=True)}"
