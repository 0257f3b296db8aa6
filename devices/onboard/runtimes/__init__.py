"""The runtimes, one row each; a row says all that is known before a runtime is imported.

    >>> model = load(Path("model.onnx"), Session(threads=2))        # doctest: +SKIP
    >>> model.answer({"x": x})                                      # doctest: +SKIP

To add a runtime: a module after `contract.Runtime`, its row in `RUNTIMES`, its package in
`pyproject.toml` or in a toolchain of `toolchains/table.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ....errors import UsageError
from ..model.modelfile import check_external_data, is_ort
from ..settings import DEFAULT_SESSION, Session
from .contract import LoadedModel, Runtime, TracingRuntime


@dataclass(frozen=True, slots=True)
class Row:
    """A runtime, as far as it is known without importing it.

    Attributes:
        module: the module that is a `contract.Runtime`.
        package: what must be installed where it runs, as `import` names it.
        suffixes: of the names of the files that it reads where nothing else is said.
        options: the fields of `Session` that it obeys besides `threads`.
        files_beside: the other files that a model consists of; it raises ModelError where one
            could lie outside the model's folder.
        timed: whether its times are those of what ships; reference kernels have none that are.
        concurrent: whether one loaded model answers several queries at once. Of others each stream
            gets a model of its own.
        traces: whether it writes down the graph that runs and profiles its operators, as a
            `contract.TracingRuntime`.
        alone: whether a session of one thread computes in the thread that asks and has no other,
            so that what that thread does can be counted.
    """

    module: str
    package: str
    suffixes: tuple[str, ...]
    options: frozenset[str]
    files_beside: Callable[[Path], tuple[Path, ...]]
    timed: bool = True
    concurrent: bool = False
    traces: bool = False
    alone: bool = True


def weights_beside(path: Path) -> tuple[Path, ...]:
    """The `.bin` file of an OpenVINO `.xml` or ncnn `.param` file."""
    weights = path.with_suffix(".bin")
    return (weights,) if weights.exists() else ()


RUNTIMES: dict[str, Row] = {
    "onnxruntime": Row(
        module="edgestill.devices.onboard.runtimes.onnxruntime",
        package="onnxruntime",
        suffixes=(".onnx", ".ort"),
        options=frozenset({"spinning", "optimization", "providers", "precise", "arena", "pattern"}),
        files_beside=check_external_data,
        concurrent=True,
        traces=True,
    ),
    "litert": Row(
        module="edgestill.devices.onboard.runtimes.litert",
        package="ai_edge_litert",
        suffixes=(".tflite",),
        options=frozenset(),
        files_beside=lambda _: (),
    ),
    "openvino": Row(
        module="edgestill.devices.onboard.runtimes.openvino",
        package="openvino",
        suffixes=(".xml",),
        options=frozenset(),
        files_beside=weights_beside,
        alone=False,
    ),
    "tflite-micro": Row(
        module="edgestill.devices.onboard.runtimes.tflite_micro",
        package="tflite_micro",
        suffixes=(".micro.tflite",),
        options=frozenset(),
        files_beside=lambda _: (),
        timed=False,
    ),
    "executorch": Row(
        module="edgestill.devices.onboard.runtimes.executorch",
        package="executorch",
        suffixes=(".pte",),
        options=frozenset(),
        files_beside=lambda _: (),
        alone=False,
    ),
    "ncnn": Row(
        module="edgestill.devices.onboard.runtimes.ncnn",
        package="ncnn",
        suffixes=(".param",),
        options=frozenset(),
        files_beside=weights_beside,
        alone=False,
    ),
}
_ALWAYS = {"runtime", "threads"}


def row_of(path: Path, session: Session = DEFAULT_SESSION) -> Row:
    """The row of the runtime that runs a file.

    It is the one that the session names, else the one that reads files of the longest suffix of
    its name, else the first of all, which then says what is wrong with the file.

    Raises:
        UsageError: the session names no runtime of the table.
    """
    name = session.runtime
    if name is not None and name not in RUNTIMES:
        raise UsageError(f"runtime '{name}'", expected=f"one of {', '.join(RUNTIMES)}")
    if name is not None:
        return RUNTIMES[name]
    known = ((suffix, row) for row in RUNTIMES.values() for suffix in row.suffixes)
    readers = [(len(suffix), row) for suffix, row in known if path.name.lower().endswith(suffix)]
    return max(readers, key=lambda reader: reader[0])[1] if readers else RUNTIMES["onnxruntime"]


def file_format(path: Path) -> str:
    """The format of a model file: `onnx`, `ort`, or the suffix that another runtime reads.

    Raises:
        ModelError: the file cannot be read.
    """
    if is_ort(path):
        return "ort"
    suffix = path.suffix.lower()
    others = [row for name, row in RUNTIMES.items() if name != "onnxruntime"]
    read_by_others = any(suffix in row.suffixes for row in others)
    return suffix.removeprefix(".") if read_by_others else "onnx"


def obeys(path: Path, session: Session, *options: str) -> bool:
    """Whether the runtime of a file obeys these fields of `Session`."""
    return set(options) <= row_of(path, session).options


def lacked(path: Path, session: Session) -> tuple[str, ...]:
    """The fields of a session that are not as usual and that the runtime of a file lacks."""
    known = _ALWAYS | row_of(path, session).options
    return tuple(
        field.name
        for field in fields(Session)
        if field.name not in known
        and getattr(session, field.name) != getattr(DEFAULT_SESSION, field.name)
    )


def fitted(path: Path, session: Session) -> Session:
    """A session without what the runtime of a file lacks, for files measured beside others."""
    usual: dict[str, Any] = {name: getattr(DEFAULT_SESSION, name) for name in lacked(path, session)}
    return replace(session, **usual)


def runtime_of(path: Path, session: Session = DEFAULT_SESSION) -> Runtime:
    """The runtime that runs a file, imported.

    Raises:
        UsageError: the session sets an option that this runtime does not have.
    """
    row = row_of(path, session)
    for name in lacked(path, session):
        usual = getattr(DEFAULT_SESSION, name)
        raise UsageError(
            f"{name} = {getattr(session, name)!r}",
            expected=f"{usual!r}, for {row.package} has no such option",
            where=str(path),
        )
    return cast(Runtime, import_module(row.module))


def load(path: Path, session: Session = DEFAULT_SESSION) -> LoadedModel:
    """Load a model file into the runtime that reads it.

    Raises:
        UsageError, ModelError, MeasureError: as `runtime_of` and `contract.Runtime.load`.
    """
    return runtime_of(path, session).load(path, session)


def check_traces(path: Path, session: Session = DEFAULT_SESSION) -> None:
    """Refuse a file whose runtime does not write down the graph that runs; nothing is imported.

    Raises:
        UsageError: it does not.
    """
    row = row_of(path, session)
    if not row.traces:
        (name,) = (name for name, one in RUNTIMES.items() if one is row)
        raise UsageError(
            f"{name}, which does not write down the graph that runs",
            expected="a runtime that does, such as onnxruntime",
            where=str(path),
            fix="take the .onnx file that it was made of",
        )


def tracing_runtime_of(path: Path, session: Session = DEFAULT_SESSION) -> TracingRuntime:
    """The runtime that runs a file, where it writes down the graph that runs.

    Raises:
        UsageError: it does not.
    """
    check_traces(path, session)
    return cast(TracingRuntime, runtime_of(path, session))


def label(runtime: Runtime) -> str:
    """The runtime and its version, as reports name it."""
    return f"{runtime.NAME} {runtime.version()}"
