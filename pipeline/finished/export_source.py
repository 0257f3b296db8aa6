"""What is exported: a variant of a finished run, or a model of unknown origin.

source = open_run(Path("artifacts/runs/digits/2026-…"), "int8-static", None, warn)
source.torch().module           # the run's student, from the store that the run was built with
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...devices.bench.inspection import Inspection
from ...devices.onboard.model.modelfile import is_ort
from ...devices.onboard.settings import Feed
from ...errors import DataError, EdgestillError, MaterialError, ModelError, UsageError, did_you_mean
from ...exporters.interface import Activation
from ...exporters.package import Cpu, NotCarried
from ..engine.stage import Made
from ..engine.store import Entry, Store
from ..judge.answers import GOLDEN
from ..recipe.files import parse
from ..recipe.recipe import Recipe
from ..records import DataRecord, ModelRecord, Report, Variant
from ..runs import run as runs
from ..stages import DATA, STUDENT
from .inspected import inspected, subjects_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

FP32 = "fp32"
QUERIES = 64
"""Queries on which a file is compared with the `.onnx` file, at most."""
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Torch:
    """What formats are made of that start from a torch module.

    Attributes:
        module: the student, in eval mode, with what stands behind it.
        onnx: the file that was exported from it.
        calibration: samples as it takes them.
        activation: what stands behind it.
        int8_io: whether static int8 files take and give int8, as in the run's recipe.
        axes: the order in which ``.tflite`` files take the axes of samples, as in the recipe.
    """

    module: "nn.Module"
    onnx: Path
    calibration: "NDArray[Any]"
    activation: Activation | None = None
    int8_io: bool = False
    axes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One model to export.

    Attributes:
        stem: names its files.
        method: how it was compressed, which formats of a torch module are made by; of a model of
            unknown origin its stem.
        onnx: the file.
        feed: what the files are queried with to compare them.
        cpu: the CPU that ``.ort`` files are for.
        batch: samples a query of formats with a fixed batch.
        torch: gives the torch module, or says why there is none.
        queried: what the queries are, for the reader.
        reduced: whether it has fewer bits than float32; None: to be found out.
        inspection: where it was inspected already.
    """

    stem: str
    method: str
    onnx: Path
    feed: Feed
    cpu: Cpu
    batch: int
    torch: Callable[[], Torch | NotCarried]
    queried: str
    reduced: bool | None = None
    inspection: Inspection | None = None


def open_model(path: Path, feed: Feed, cpu: Cpu) -> Source:
    """A model of unknown origin, inspected in a child process.

    Raises:
        ModelError: missing, broken, dangerous, no ``.onnx`` file, or one that acts as in training.
        UsageError, DataError: inputs or shapes that do not fit.
    """
    if path.exists() and (path.suffix.lower() != ".onnx" or is_ort(path)):
        raise ModelError(
            f"a {path.suffix or 'nameless'} file",
            expected="an .onnx file, or the folder of a run",
            where=str(path),
            fix="export from the .onnx file that it was made of",
        )
    models = inspected(subjects_of([path]), feed, ask=None)
    (inspection,) = models.inspections.values()
    inspection.check_training()
    none = NotCarried(
        "it is made of a torch module, which an .onnx file does not hold; name the folder of a "
        "run, or build one"
    )
    return Source(
        stem=path.stem,
        method=path.stem,
        onnx=path,
        feed=models.feed,
        cpu=cpu,
        batch=feed.batch,
        torch=lambda: none,
        queried="generated queries" if feed.inputs is None else "queries",
        inspection=inspection,
    )


def open_run(
    run: Path, variant: str | None, inputs: Path | None, scratch: Path, warn: Warn
) -> Source:
    """A variant of a run.

    Args:
        run: the run's folder.
        variant: its name; None: the one that ships.
        inputs: an ``.npz`` to query with; None: samples of the run's test split.
        scratch: a folder for those.
        warn: called with a sentence about a damaged entry of the store.

    Raises:
        MaterialError: the folder is no run, ships nothing, or has changed.
        UsageError: no such variant.
    """
    report, manifest = runs.open_report(run), runs.manifest_of(run)
    if faults := runs.differences(run):
        raise MaterialError(faults[0], where=str(run), fix="build it again")
    chosen = _variant(report, variant, run)
    recipe = parse(manifest["recipe"], where=str(run))
    batch = report.measured.benchmark.settings.feed.batch
    stored = _Stored(run, runs.keys_of(manifest), report, recipe, warn)
    real = inputs or _samples(stored, run, scratch, batch)
    return Source(
        stem=f"{report.name}-{chosen.method}",
        method=chosen.method,
        onnx=run / "variants" / f"{chosen.method}.onnx",
        feed=Feed(str(real), batch),
        cpu=recipe.export.ort_target,
        batch=batch,
        torch=stored.torch,
        queried="queries" if inputs else "queries of the test split",
        reduced=bool(chosen.changed_nodes) or chosen.method not in (FP32, "pruned"),
    )


def _variant(report: Report, name: str | None, run: Path) -> Variant:
    """The variant of a name, or the one that ships, in its ``.onnx`` file."""
    known = {variant.name: variant for variant in report.variants.variants}
    name = name or report.verdict.ship
    if name is None:
        raise MaterialError(
            f"a run that is {report.verdict.outcome} and ships nothing",
            where=str(run),
            fix=f"name a variant with --variant: {', '.join(known)}",
        )
    if name not in known:
        raise UsageError(
            f"'{name}'",
            expected=f"one of {', '.join(known)}",
            where="--variant",
            fix=did_you_mean(name, known),
        )
    return known[known[name].method]


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the store that a run was built with still has of it."""

    run: Path
    keys: dict[str, str]
    report: Report
    recipe: Recipe
    warn: Warn

    def entry(self, name: str) -> Entry | None:
        """A stage of the run; None where it is no longer there or damaged."""
        folder = self.run.resolve().parent
        key = self.keys.get(name)
        if folder.parent.name != "runs" or key is None:
            return None
        store = Store(folder.parents[1], self.warn, asks=True)
        return store.read(key) if store.has(key) else None

    def data(self) -> Made[DataRecord] | None:
        """The data stage."""
        if (entry := self.entry("data")) is None:
            return None
        return Made(DATA, entry.key, DataRecord.model_validate(entry.record), entry.path)

    def torch(self) -> Torch | NotCarried:
        """The student that the variants were made of, with its weights from the store."""
        from ..data.arrays import draw, open_split
        from ..distill.teacher_answers import ensemble
        from ..models.activated import activated

        weights = self.report.variants.student.weights_sha256
        students = [student.weights_sha256 for student in self.report.students]
        entry = self.entry(f"student-{students.index(weights)}") if weights in students else None
        data = self.data()
        if entry is None or data is None:
            what = "student" if entry is None else "data"
            return NotCarried(
                f"it is made of the torch module, and a run keeps none: the store that the run was "
                f"built with no longer has its {what}; build it again: "
                f"{self.run / runs.RECIPE} with --set 'export.formats=[…]'"
            )
        record = ModelRecord.model_validate(entry.record)
        made = Made(STUDENT, entry.key, record, entry.path)
        calibration = draw(
            open_split(data.path, "calibration"), self.recipe.compress.calibration_samples
        )
        try:
            behind = self.report.variants.activation
            module = activated(ensemble((made,), (1.0,), data.record), behind)
        except EdgestillError as error:
            return NotCarried(f"its student cannot be made again ({error})")
        return Torch(
            module,
            self.run / "variants" / f"{FP32}.onnx",
            calibration.x,
            behind,
            self.recipe.export.litert_io == "int8",
            self.recipe.export.axes_of(data.record.layout),
        )


def _samples(stored: _Stored, run: Path, scratch: Path, batch: int) -> Path:
    """Samples of the test split; where the store lacks it, those with golden outputs."""
    import numpy as np

    from ...exporters.interface import INPUT
    from ..data.arrays import draw, open_split

    data = stored.data()
    if data is not None:
        x = draw(open_split(data.path, "test"), QUERIES * batch).x
    else:
        try:
            with np.load(run / "records" / GOLDEN, allow_pickle=False) as golden:
                x = golden["input"]
        except (OSError, ValueError, KeyError) as error:
            where = f"{run}/records/{GOLDEN}"
            raise DataError(f"unreadable ({error})", where=where) from None
    path = scratch / "samples.npz"
    np.savez(path, allow_pickle=False, **{INPUT: x})
    return path
