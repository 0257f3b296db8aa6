"""ONNX Runtime, with every option checked.

    model = load(Path("model.onnx"), Session(threads=1))
    model.answer({"x": x})

ONNX Runtime accepts a misspelt provider, an unknown option or a negative number of threads without
an error and does something else, so options are checked before and providers after it loads.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import MeasureError, ModelError, StorageError, UsageError
from ..model.modelfile import Input, is_ort
from ..settings import DEFAULT_SESSION, Session
from .contract import OPTIMIZED, Arrays

if os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
    # Once imported without it, a telemetry thread runs and cannot be stopped.
    raise MeasureError(
        "onnxruntime about to load with telemetry on",
        fix="set ORT_DISABLE_TELEMETRY=1, or import edgestill first",
    )

import onnxruntime as ort

_LEVELS: Mapping[str, Any] = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}

NAME = "onnxruntime"
_FITTING = (
    "query it with inputs that it is meant for: --inputs FILE.npz, with --batch-axis where samples "
    "lie along another axis than the first"
)
_ERRORS_ONLY = 3  # onnxruntime's severity: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal


def version() -> str:
    """The version of the onnxruntime that is loaded."""
    return str(ort.__version__)


def providers() -> tuple[str, ...]:
    """Execution providers that this build of onnxruntime has."""
    return tuple(ort.get_available_providers())


class OnnxRuntimeModel:
    """A model in an `onnxruntime.InferenceSession`; see `contract.LoadedModel`.

    Attributes:
        query: one query, without the checks of `answer`.
    """

    def __init__(self, session: Any, path: Path) -> None:
        self._session, self._path = session, path
        self.query = partial(session.run, None)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """What it takes."""
        return tuple(_described(port) for port in self._session.get_inputs())

    @cached_property
    def outputs(self) -> tuple[Input, ...]:
        """What it gives."""
        return tuple(_described(port) for port in self._session.get_outputs())

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use."""
        return tuple(self._session.get_providers())

    def answer(self, feed: Arrays) -> Any:
        """The outputs for one query, in the model's order.

        Raises:
            ModelError: onnxruntime cannot run it.
            MemoryError: there is not enough memory.
        """
        try:
            return self.query(feed)
        except Exception as error:  # noqa: BLE001  # onnxruntime's share no narrower class
            raise _refusal(error, self._path, "a model that does not run", _FITTING) from None

    def bind(self, feed: Arrays, answered: Sequence[Any]) -> Callable[[], object]:
        """A call that runs one inference into outputs that stay where they are.

        No array is made in a call, and the Python of onnxruntime's own wrapper is left out, so that
        one inference is the same work as the next.

        Args:
            feed: the inputs.
            answered: what the model answered to them; the outputs have these shapes.
        """
        binding = self._session.io_binding()
        for name, array in feed.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
        for port, array in zip(self.outputs, answered, strict=True):
            if isinstance(array, np.ndarray):
                binding.bind_ortvalue_output(port.name, ort.OrtValue.ortvalue_from_numpy(array))
            else:  # a sequence or a map, which has no place to stay
                binding.bind_output(port.name)
        # What the wrapper of the same name calls, and nothing else.
        return partial(self._session._sess.run_with_iobinding, binding._iobinding, None)

    def end_profiling(self) -> str:
        """The profile of a traced model: JSON, a list of events."""
        profile = Path(self._session.end_profiling())
        return profile.read_text(encoding="utf-8", errors="replace")


def load(path: Path, session: Session) -> OnnxRuntimeModel:
    """Load a `.onnx` or `.ort` file.

    Raises:
        UsageError, ModelError, MeasureError: as `open_session`.
    """
    return OnnxRuntimeModel(open_session(path, session), path)


def load_traced(path: Path, session: Session, folder: Path) -> OnnxRuntimeModel:
    """Load a file, write the graph that runs to `folder / OPTIMIZED`, and profile its queries.

    Raises:
        UsageError, ModelError, MeasureError: as `open_session`.
    """
    return OnnxRuntimeModel(open_session(path, session, traces=folder), path)


def open_session(
    path: Path, settings: Session = DEFAULT_SESSION, *, traces: Path | None = None
) -> Any:
    """Open a `.onnx` or `.ort` file for inference.

    Args:
        path: the model.
        settings: threads, providers and the other options.
        traces: a folder to profile into: `OPTIMIZED`, the graph that runs, at once, and when
            `end_profiling` is called the file whose path it returns. None: no profiling.

    Returns:
        An `onnxruntime.InferenceSession`.

    Raises:
        UsageError: an option that onnxruntime would misunderstand.
        ModelError: the file is missing or onnxruntime cannot load it.
        MeasureError: onnxruntime fell back to another provider.
        StorageError: the disk has no room for the graph that runs.
    """
    options = _options(settings)
    _check_providers(settings.providers)
    wanted = list(settings.providers)
    if settings.precise:
        options.add_session_config_entry("session.x64quantprecision", "1")
    if traces is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(traces / "profile")
        options.optimized_model_filepath = str(traces / OPTIMIZED)
    options.add_session_config_entry("session.load_model_format", "ORT" if is_ort(path) else "ONNX")
    try:
        session = ort.InferenceSession(str(path), options, providers=wanted)
    except Exception as error:  # noqa: BLE001  # onnxruntime's share no narrower class
        if traces is not None and _has_no_room(traces, path):
            raise StorageError(
                f"the graph that runs cannot be written to {traces.parent} (the disk is full)",
                where=str(path),
                fix="free some space, or let TMPDIR name a folder on another disk",
            ) from None
        raise _refusal(error, path, "a model that does not load") from None
    session.disable_fallback()
    used = session.get_providers()[: len(wanted)]
    if used != wanted:
        raise MeasureError(
            f"execution providers {', '.join(used)}",
            expected=", ".join(wanted),
            where=str(path),
            fix="onnxruntime fell back; see that the provider's libraries load",
        )
    return session


def _has_no_room(folder: Path, model: Path) -> bool:
    """Whether a graph as large as the model cannot be written; onnxruntime tells it of no disk."""
    from shutil import disk_usage  # a cold start goes without

    return model.is_file() and disk_usage(folder).free < model.stat().st_size


def _described(port: Any) -> Input:
    # A file may say -1 for an extent that is open; onnxruntime hands it on as it is.
    shape = tuple(
        extent if isinstance(extent, str) or (isinstance(extent, int) and extent >= 0) else None
        for extent in port.shape
    )
    return Input(str(port.name), str(port.type), shape)


def _options(settings: Session) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = _LEVELS[settings.optimization]
    options.enable_cpu_mem_arena = settings.arena
    options.enable_mem_pattern = settings.pattern
    spinning = str(int(settings.spinning))
    for pool in ("intra_op", "inter_op"):
        options.add_session_config_entry(f"session.{pool}.allow_spinning", spinning)
    return options


def _check_providers(wanted: Sequence[str]) -> None:
    available = providers()
    absent = [name for name in wanted if name not in available]
    if absent or not wanted:
        raise UsageError(
            f"execution provider {', '.join(absent) or 'none'}",
            expected=f"one of {', '.join(available)}",
            where="providers",
            fix="install the onnxruntime build that has it",
        )


def _refusal(error: Exception, path: Path, what: str, fix: str | None = None) -> Exception:
    # A message may quote names out of the model, and run over many lines.
    text = str(error).strip().partition("\n")[0][:400]
    if isinstance(error, MemoryError) or "bad_alloc" in text or "Failed to allocate" in text:
        return MemoryError(text)
    shown = "".join(c if c.isprintable() else "?" for c in text) or type(error).__name__
    return ModelError(f"{what} ({shown})", where=str(path), fix=fix)
