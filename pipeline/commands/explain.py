"""``edgestill explain``: why a quantized model is slow, and what leaving layers in float brings."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.bench.request import Request
from ...devices.bench.settings import Settings, Subject
from ...devices.onboard.settings import Feed, Session, Timing
from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.single_stream import measure
from ...errors import NoEffectError, StorageError, UsageError
from ..diagnose.diagnosis import diagnose
from ..diagnose.findings import Diagnosis
from ..diagnose.leave_in_float import leave_in_float
from ..progress import Progress
from ..report import numbers
from .bench_models import given_shapes

_TURNS = 3
_SUBJECTS = ("fp32", "int8", "mixed")


@dataclass(frozen=True, slots=True)
class Applied:
    """A file with layers left in float, measured beside the two it came from.

    Attributes:
        file: the file that was written.
        nodes: operators of the quantized file that are in float in it.
        int8_over_fp32: ratio of median queries.
        over_fp32: the new file's over that of the fp32 file.
        over_int8: the new file's over that of the quantized file.
        verdict: what that means, as a sentence.
        warnings: what disturbed the measurement.
    """

    file: str
    nodes: tuple[str, ...]
    int8_over_fp32: Estimate
    over_fp32: Estimate
    over_int8: Estimate
    verdict: str
    warnings: tuple[str, ...]


def check_target(target: Path, fp32: Path, int8: Path) -> None:
    """Refuse a file that could not be written, or must not be, before the work begins.

    Raises:
        UsageError: it is one of the two models.
        StorageError: its folder cannot be written.
    """
    if target.exists() and any(path.exists() and target.samefile(path) for path in (fp32, int8)):
        raise UsageError(
            "a file that is read from", expected="a new one", where=f"--apply {target}"
        )
    try:
        NamedTemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise StorageError(
            f"a folder that cannot be written ({error.strerror or error})",
            where=str(target.parent),
            fix="choose a folder that can be written",
        ) from None


def explain(
    fp32: Path,
    int8: Path,
    shapes: Sequence[str],
    progress: Progress,
    *,
    inputs: Path | None,
    batch: int,
    threads: int,
) -> Diagnosis:
    """Diagnose two files, with inputs made from their schema or taken from an ``.npz``.

    Args:
        fp32: the ONNX file in float.
        int8: the same model quantized.
        shapes: ``input=1,3,224,224`` texts for inputs with dynamic axes other than the batch.
        progress: told of each process.
        inputs: an ``.npz`` with one array an input; None: made up.
        batch: extent of a dynamic first axis.
        threads: intra-op threads.

    Raises:
        UsageError, DataError, ModelError, MeasureError: as `diagnose`.
    """
    with progress.steps("profile", 2 * _TURNS) as steps:
        return diagnose(
            fp32,
            int8,
            session=Session(threads=threads),
            feed=_feed(inputs, batch, shapes),
            processes=_TURNS,
            on_process=steps.advance,
        )


def _feed(inputs: Path | None, batch: int, shapes: Sequence[str]) -> Feed:
    return Feed(None if inputs is None else str(inputs), batch, given_shapes(shapes))


def apply(
    fp32: Path,
    int8: Path,
    found: Diagnosis,
    nodes: Sequence[str],
    target: Path,
    shapes: Sequence[str],
    progress: Progress,
    *,
    inputs: Path | None,
    batch: int,
    threads: int,
    processes: int,
    seconds: float,
) -> Applied:
    """Write the quantized file with layers in float, and measure all three, interleaved.

    Args:
        fp32: the ONNX file in float.
        int8: the same model with Q/DQ pairs.
        found: the diagnosis, whose advice is followed where `nodes` is empty.
        nodes: operators of the quantized file to leave in float.
        target: the file to write.
        shapes: as for `explain`.
        progress: told of each process.
        inputs: as for `explain`.
        batch: as for `explain`.
        threads: as for `explain`.
        processes: fresh processes a model.
        seconds: timed seconds a process.

    Raises:
        NoEffectError: no nodes were named and the diagnosis advises none.
        ModelError, UsageError, StorageError: as `leave_in_float`.
        MeasureError: a measuring process died or ran out of time.
    """
    chosen = tuple(nodes) or (found.advice.nodes if found.advice else ())
    if not chosen:
        raise NoEffectError(
            "no layer whose leaving in float would save time",
            expected="one, to apply",
            where=str(int8),
            fix="leave out --apply, or name layers with --leave",
        )
    leave_in_float(int8, fp32, chosen, target)
    settings = Settings(
        session=Session(threads=threads),
        feed=_feed(inputs, batch, shapes),
        timing=Timing(seconds=seconds),
        processes=processes,
    )
    paths = (fp32, int8, target)
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
    ratios = {(one.of, one.over): one.p50 for one in measured.ratios}
    over_int8, over_fp32 = ratios["mixed", "int8"], ratios["mixed", "fp32"]
    return Applied(
        file=str(target),
        nodes=chosen,
        int8_over_fp32=ratios["int8", "fp32"],
        over_fp32=over_fp32,
        over_int8=over_int8,
        verdict=verdict(over_int8, over_fp32),
        warnings=measured.warnings,
    )


def verdict(over_int8: Estimate, over_fp32: Estimate) -> str:
    """What two ratios of time mean, in a sentence that claims no more than the intervals do."""
    helped = {
        -1: "leaving these layers in float made the quantized model faster",
        0: "whether leaving these layers in float helped cannot be told from this measurement",
        1: "leaving these layers in float made the quantized model slower",
    }
    against = {
        -1: "it is faster than the fp32 file",
        0: "whether it is faster than the fp32 file cannot be told",
        1: "it is slower than the fp32 file",
    }
    return f"{helped[_side(over_int8)]}; {against[_side(over_fp32)]}"


def _side(ratio: Estimate) -> int:
    """Which side of 1 the whole interval lies on; 0 for neither."""
    if ratio.low is None or ratio.high is None:
        return 0
    return -1 if ratio.high < 1 else 1 if ratio.low > 1 else 0


def document(found: Diagnosis, applied: Applied | None) -> dict[str, Any]:
    """Everything as one JSON document."""
    return {**asdict(found), "applied": asdict(applied) if applied is not None else None}


def summary(found: Diagnosis) -> RenderableType:
    """The layers as a table, then what was found and what to do."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("layer", overflow="fold")
    table.add_column("operator")
    for name in ("fp32 µs", "int8 µs", "ratio", "Q/DQ µs"):
        table.add_column(name, justify="right")
    table.add_column("runs as", overflow="fold")
    for one in found.layers:
        table.add_row(
            Text(numbers.printable(one.name)),
            Text(numbers.printable(one.op)),
            _us(one.fp32_us),
            _us(one.int8_us),
            Text(f"{one.ratio:.2f}" if one.ratio is not None else "—"),
            _us(one.conversions_us),
            Text(numbers.printable(" ".join(one.kernels))),
            style="bold" if found.advice and one.name in found.advice.layers else "",
        )
    return Group(table, *(Text(line) for line in _lines(found)))


def told(applied: Applied) -> RenderableType:
    """The measurement of what was applied."""
    ratio = numbers.RATIO
    lines = (
        f"int8 takes {numbers.show(applied.int8_over_fp32, ratio)} of the time of fp32",
        f"{numbers.printable(applied.file)} takes {numbers.show(applied.over_int8, ratio)} of the "
        f"time of int8 and {numbers.show(applied.over_fp32, ratio)} of that of fp32",
        applied.verdict,
    )
    warnings = [Text(f"warning: {one}", style="yellow") for one in applied.warnings]
    return Group(*map(Text, lines), *warnings)


def _lines(found: Diagnosis) -> Iterator[str]:
    yield from found.why
    for island in found.islands:
        yield (
            f"float island: {island.op} {numbers.printable(island.name)} takes {island.us:.1f} µs "
            f"and {island.conversions_us:.1f} µs of Q and DQ around it"
        )
    for one in found.unjoined:
        yield (
            f"not joined: {numbers.printable(one.op)} {numbers.printable(one.name)} of the "
            f"{one.file} file, {one.us:.1f} µs"
        )
    if found.advice:
        names = ", ".join(repr(numbers.printable(one)) for one in found.advice.exclude)
        yield f"leave in float: [{names}]"
        yield (
            "--apply OUT.onnx does it; where a quantizer only excludes a layer between others, "
            "onnxruntime quantizes its weights again when it loads the file"
        )
    yield (
        f"operators by onnxruntime's profiling of {found.runs} queries a file, less what profiling "
        f"costs (queries take {found.fp32_profiled_us:.0f} and {found.int8_profiled_us:.0f} µs "
        f"with it); {found.runtime}"
    )


def _us(value: float | None) -> Text:
    return Text("—" if value is None else f"{value:.1f}")
