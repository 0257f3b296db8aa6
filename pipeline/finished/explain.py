"""Why is a quantized model slow? A diagnosis, and the model measured with layers left in float.

found = Explained("fp32.onnx", "int8.onnx", diagnosed(pair, progress), None)
found.why, found.advice
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from ...devices.bench.inspection import inspect
from ...devices.bench.request import Request
from ...devices.bench.settings import Settings, Subject
from ...devices.onboard.runtimes import check_traces
from ...devices.onboard.settings import Feed, Session, Timing
from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.single_stream import measure
from ...errors import NoEffectError, StorageError, UsageError
from ..diagnose.diagnosis import diagnose
from ..diagnose.findings import Advice, Diagnosis, LayerTimes
from ..diagnose.leave_in_float import leave_in_float
from ..progress import Progress
from ..report import numbers
from .compare_answers import AnswersCompared, compare_answers
from .result import Result, flat, plain
from .screen import Screen, warned

_TURNS = 3
_SUBJECTS = ("fp32", "int8", "mixed")


@dataclass(frozen=True, slots=True)
class Applied:
    """A file with layers left in float, measured together with the two files it came from.

    Attributes:
        file: the file that was written.
        nodes: operators of the quantized file that the new file computes in float.
        int8_over_fp32: p50 of the quantized file over that of the fp32 file.
        over_fp32: p50 of the new file over that of the fp32 file.
        over_int8: p50 of the new file over that of the quantized file.
        answers: how far each output of the quantized file, then of the new file, is from that of
            the fp32 file.
        verdict: what the ratios show, as a sentence.
        warnings: what disturbed the measurement.
    """

    file: str
    nodes: tuple[str, ...]
    int8_over_fp32: Estimate
    over_fp32: Estimate
    over_int8: Estimate
    answers: tuple[AnswersCompared, ...]
    verdict: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Explained(Result):
    """Where the time of two files of one model goes, and what to leave in float.

    Attributes:
        fp32: the file in float.
        int8: the quantized file.
        diagnosis: layer by layer.
        applied: a file with layers in float, measured beside both; None: none was asked for.
    """

    fp32: str
    int8: str
    diagnosis: Diagnosis
    applied: Applied | None

    @property
    def layers(self) -> tuple[LayerTimes, ...]:
        """In the fp32 file's order."""
        return self.diagnosis.layers

    @property
    def why(self) -> tuple[str, ...]:
        """The diagnosis in sentences."""
        return self.diagnosis.why

    @property
    def advice(self) -> Advice | None:
        """The layers to leave in float; None where that saves nothing."""
        return self.diagnosis.advice

    def with_applied(self, applied: Applied) -> "Explained":
        """The same with a file that was written and measured."""
        return replace(self, applied=applied)

    def screen(self) -> Screen:
        """The slowest layers of the quantized file, and why."""
        slow = sorted(self.layers, key=lambda one: -((one.int8_us or 0.0) + one.conversions_us))
        found, applied = self.diagnosis, self.applied
        advised = () if self.advice is None else self.advice.layers
        return Screen(
            title=f"{self.int8}: {found.int8_us:.1f} µs a query, "
            f"{self.fp32}: {found.fp32_us:.1f} µs",
            head=("layer", "operator", "fp32 µs", "int8 µs", "ratio", "Q/DQ µs", ""),
            rows=tuple(
                (
                    one.name,
                    one.op,
                    _or_dash(one.fp32_us, ".1f"),
                    _or_dash(one.int8_us, ".1f"),
                    _or_dash(one.ratio, ".2f"),
                    f"{one.conversions_us:.1f}",
                    "leave in float" if one.name in advised else "",
                )
                for one in slow
            ),
            above=self.why,
            below=()
            if applied is None
            else (f"{applied.file}: {applied.verdict}", *warned(applied.warnings)),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a layer."""
        return [
            {**dict(flat(one)), "kernels": " ".join(map(numbers.printable, one.kernels))}
            for one in self.layers
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill explain --json``."""
        told = None
        if self.applied is not None:
            answers = [compared.document() for compared in self.applied.answers]
            told = {**asdict(self.applied), "answers": answers}
        document: dict[str, Any] = plain({**asdict(self.diagnosis), "applied": told})
        return document


def _or_dash(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)


def check_target(target: Path, fp32: Path, int8: Path) -> None:
    """Refuse a file that cannot or must not be written, before anything is measured.

    Raises:
        UsageError: it is one of the two models.
        StorageError: its folder cannot be written.
    """
    if target.exists() and any(path.exists() and target.samefile(path) for path in (fp32, int8)):
        raise UsageError(
            "one of the two models",
            expected="a new file",
            where=f"--apply {target}",
            fix="choose another name",
        )
    try:
        NamedTemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise StorageError(
            f"the folder cannot be written ({error.strerror or error})",
            where=str(target.parent),
            fix="choose a folder that can be written",
        ) from None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files of one model, and how they are run.

    Attributes:
        fp32: the ONNX file in float.
        int8: the same model quantized, with Q/DQ pairs.
        session: how the runtime is set up.
        feed: the inputs.
    """

    fp32: Path
    int8: Path
    session: Session
    feed: Feed


def diagnosed(pair: Pair, progress: Progress) -> Diagnosis:
    """Diagnose the quantized file of a pair.

    Args:
        pair: the two files.
        progress: is advanced with each process.

    Raises:
        UsageError, DataError, ModelError, MeasureError: as `diagnose`.
    """
    for path in (pair.fp32, pair.int8):
        check_traces(path)
        inspect(path, feed=pair.feed).check_training()
    with progress.steps("profile", 2 * _TURNS) as steps:
        return diagnose(
            pair.fp32,
            pair.int8,
            session=pair.session,
            feed=pair.feed,
            processes=_TURNS,
            on_process=steps.advance,
        )


def apply(
    pair: Pair,
    diagnosis: Diagnosis,
    nodes: Sequence[str],
    target: Path,
    progress: Progress,
    *,
    processes: int,
    seconds: float,
) -> Applied:
    """Write the quantized file with layers in float, and measure all three files in turn.

    Args:
        pair: the two files.
        diagnosis: supplies the layers where `nodes` is empty.
        nodes: operators of the quantized file to leave in float.
        target: the file to write.
        progress: is advanced with each process.
        processes: fresh processes per model.
        seconds: timed seconds per process.

    Raises:
        NoEffectError: no nodes were named and the diagnosis advises none.
        ModelError, UsageError, StorageError: as `leave_in_float`.
        MeasureError: a measuring process died or ran out of time.
    """
    chosen = tuple(nodes) or (diagnosis.advice.nodes if diagnosis.advice else ())
    if not chosen:
        raise NoEffectError(
            "the diagnosis advises no layer",
            expected="at least one layer that is faster in float",
            where=str(pair.int8),
            fix="omit --apply, or name layers with --leave",
        )
    leave_in_float(pair.int8, pair.fp32, chosen, target)
    answers = tuple(
        compare_answers(pair.fp32, file, pair.feed, ("fp32", name))
        for file, name in ((pair.int8, "int8"), (target, target.name))
    )
    settings = Settings(
        session=pair.session,
        feed=pair.feed,
        timing=Timing(seconds=seconds),
        processes=processes,
    )
    paths = (pair.fp32, pair.int8, target)
    subjects = [Subject(name, path) for name, path in zip(_SUBJECTS, paths, strict=True)]
    with (
        progress.steps("benchmark", len(subjects) * processes) as steps,
        TemporaryDirectory(prefix="edgestill-") as folder,
    ):
        measured = measure(
            Request(
                subjects, settings, Path(folder), on_process=lambda _, __, name: steps.advance(name)
            ),
            references=("fp32", "int8"),
        )
    ratios = {(ratio.of, ratio.over): ratio.p50 for ratio in measured.ratios}
    over_int8, over_fp32 = ratios["mixed", "int8"], ratios["mixed", "fp32"]
    return Applied(
        file=str(target),
        nodes=chosen,
        int8_over_fp32=ratios["int8", "fp32"],
        over_fp32=over_fp32,
        over_int8=over_int8,
        answers=answers,
        verdict=verdict(over_int8, over_fp32),
        warnings=measured.warnings,
    )


def verdict(over_int8: Estimate, over_fp32: Estimate) -> str:
    """Two ratios of latency as a sentence, which states only what the intervals show."""
    against_int8 = {
        -1: "with these layers in float the quantized model is faster",
        0: "no difference from leaving these layers in float was shown",
        1: "with these layers in float the quantized model is slower",
    }
    against_fp32 = {
        -1: "it is faster than the fp32 file",
        0: "no difference from the fp32 file was shown",
        1: "it is slower than the fp32 file",
    }
    return f"{against_int8[_side(over_int8)]}; {against_fp32[_side(over_fp32)]}"


def _side(ratio: Estimate) -> int:
    """-1 where the whole interval lies below 1, 1 where it lies above 1, else 0."""
    if ratio.low is None or ratio.high is None:
        return 0
    return -1 if ratio.high < 1 else 1 if ratio.low > 1 else 0
