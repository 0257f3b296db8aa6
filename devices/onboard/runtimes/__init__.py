"""The runtimes, one row each; a row says all that is known before a runtime is imported.

    >>> model = load(Path("model.onnx"), Session(threads=2))        # doctest: +SKIP
    >>> model.answer({"x": x})                                      # doctest: +SKIP

To add a runtime: a module after `contract.Runtime`, its row in `RUNTIMES`, its package in
`pyproject.toml`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import cast

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
        suffixes: of the files it reads.
        options: the fields of `Session` that it obeys besides `threads`.
        files_beside: the other files that a model consists of; it raises ModelError where one
            could lie outside the model's folder.
    """

    module: str
    package: str
    suffixes: tuple[str, ...]
    options: frozenset[str]
    files_beside: Callable[[Path], tuple[Path, ...]]


def weights_beside(path: Path) -> tuple[Path, ...]:
    """The `.bin` file of an OpenVINO `.xml` file."""
    weights = path.with_suffix(".bin")
    return (weights,) if weights.exists() else ()


RUNTIMES: dict[str, Row] = {
    "onnxruntime": Row(
        module="edgestill.devices.onboard.runtimes.onnxruntime",
        package="onnxruntime",
        suffixes=(".onnx", ".ort"),
        options=frozenset({"spinning", "optimization", "providers", "precise", "arena", "pattern"}),
        files_beside=check_external_data,
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
    ),
}
_ALWAYS = {"runtime", "threads"}


def row_of(path: Path, session: Session = DEFAULT_SESSION) -> Row:
    """The row of the runtime that runs a file.

    It is the one that the session names, else the first that reads the file's suffix, else the
    first of all, which then says what is wrong with the file.

    Raises:
        UsageError: the session names no runtime of the table.
    """
    name = session.runtime
    if name is not None and name not in RUNTIMES:
        raise UsageError(f"runtime '{name}'", expected=f"one of {', '.join(RUNTIMES)}")
    rows = list(RUNTIMES.values())
    readers = [row for row in rows if path.suffix.lower() in row.suffixes]
    return RUNTIMES[name] if name is not None else (readers or rows)[0]


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


def runtime_of(path: Path, session: Session = DEFAULT_SESSION) -> Runtime:
    """The runtime that runs a file, imported.

    Raises:
        UsageError: the session sets an option that this runtime does not have.
    """
    row = row_of(path, session)
    for field in fields(Session):
        value, usual = getattr(session, field.name), getattr(DEFAULT_SESSION, field.name)
        if value != usual and field.name not in _ALWAYS | row.options:
            raise UsageError(
                f"{field.name} = {value!r}",
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


def tracing_runtime_of(path: Path, session: Session = DEFAULT_SESSION) -> TracingRuntime:
    """The runtime that runs a file, where it writes down the graph that runs.

    Raises:
        UsageError: it does not.
    """
    runtime = runtime_of(path, session)
    if not isinstance(runtime, TracingRuntime):
        raise UsageError(
            f"{runtime.NAME}, which does not write down the graph that runs",
            expected="a runtime that does, such as onnxruntime",
            where=str(path),
        )
    return runtime


def label(runtime: Runtime) -> str:
    """The runtime and its version, as reports name it."""
    return f"{runtime.NAME} {runtime.version()}"
