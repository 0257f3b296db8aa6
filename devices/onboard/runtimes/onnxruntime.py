"""Open a model in ONNX Runtime with every option checked, and make inputs for it.

    session = open_session(Path("model.onnx"), Session(threads=1))
    feed = make_inputs(inputs_of(session), batch=1)
    session.run(None, feed)

ONNX Runtime takes a misspelt provider, an unknown option or a negative thread count without a word
and does something else, so nothing reaches it unchecked, and what it did is asked for afterwards.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import MeasureError, ModelError, UsageError
from ..model.modelfile import Input, is_ort, printable
from ..settings import DEFAULT_SESSION, Session

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

_DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int16)": np.int16,
    "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32,
    "tensor(uint32)": np.uint32,
    "tensor(int64)": np.int64,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
}
OPTIMIZED = "optimized.onnx"
_ERRORS_ONLY = 3  # onnxruntime's severity: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal


def version() -> str:
    """The version of the onnxruntime that is loaded."""
    return str(ort.__version__)


def available_providers() -> tuple[str, ...]:
    """Execution providers this build of onnxruntime has."""
    return tuple(ort.get_available_providers())


def open_session(path: Path, how: Session = DEFAULT_SESSION, *, traces: Path | None = None) -> Any:
    """Open a `.onnx` or `.ort` file for inference.

    Args:
        path: the model.
        how: threads, providers and the other options.
        traces: a folder to profile into: `OPTIMIZED`, the graph that runs, at once, and when
            `end_profiling` is called the file whose path it returns. None: no profiling.

    Returns:
        An `onnxruntime.InferenceSession`.

    Raises:
        UsageError: an option that onnxruntime would misunderstand.
        ModelError: the file is missing or onnxruntime cannot load it.
        MeasureError: onnxruntime fell back to another provider.
    """
    options = _options(how)
    providers = how.providers
    _check_providers(providers)
    if how.precise:
        options.add_session_config_entry("session.x64quantprecision", "1")
    if traces is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(traces / "profile")
        options.optimized_model_filepath = str(traces / OPTIMIZED)
    options.add_session_config_entry("session.load_model_format", "ORT" if is_ort(path) else "ONNX")
    try:
        session = ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # noqa: BLE001  # onnxruntime's share no narrower class
        raise _refusal(error, path, "a model that does not load") from None
    session.disable_fallback()
    got = session.get_providers()[: len(providers)]
    if got != list(providers):
        raise MeasureError(
            f"execution providers {', '.join(got)}",
            expected=", ".join(providers),
            where=str(path),
            fix="onnxruntime fell back; see that the provider's libraries load",
        )
    return session


def run_once(session: Any, feed: Mapping[str, NDArray[Any]], path: Path) -> Any:
    """The outputs for one feed, in the model's order, with onnxruntime's refusals as ours.

    Raises:
        ModelError: onnxruntime cannot run it.
        MemoryError: there is not enough.
    """
    try:
        return session.run(None, feed)
    except Exception as error:  # noqa: BLE001  # onnxruntime's share no narrower class
        raise _refusal(error, path, "a model that does not run") from None


def bind(
    session: Any, feed: Mapping[str, NDArray[Any]], answered: Sequence[Any]
) -> Callable[[], object]:
    """A call that runs one inference into outputs that stay where they are.

    Without arrays made anew in each call, and without the Python of onnxruntime's own wrapper, one
    inference is the same work as the next.

    Args:
        session: what answers.
        feed: its inputs.
        answered: what it answered to them, in the model's order; the outputs have these shapes.
    """
    binding = session.io_binding()
    for name, array in feed.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    for one, answer in zip(session.get_outputs(), answered, strict=True):
        if isinstance(answer, np.ndarray):
            binding.bind_ortvalue_output(one.name, ort.OrtValue.ortvalue_from_numpy(answer))
        else:  # a sequence or a map, which has no place to stay
            binding.bind_output(one.name)
    # What the wrapper of the same name calls, and nothing else.
    return partial(session._sess.run_with_iobinding, binding._iobinding, None)


def inputs_of(session: Any) -> tuple[Input, ...]:
    """The inputs a session takes."""
    return tuple(_described(one) for one in session.get_inputs())


def outputs_of(session: Any) -> tuple[Input, ...]:
    """The outputs a session gives."""
    return tuple(_described(one) for one in session.get_outputs())


def make_inputs(
    schema: Sequence[Input],
    batch: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Random inputs that any model can take: finite, and valid as an index.

    Floats are standard normal. Integers are 0 or 1, and the first of each row is 1: valid in every
    vocabulary, and as a mask never empty.

    Args:
        schema: what the model takes.
        batch: extent of a first axis that is dynamic.
        shapes: full shape by input name, for inputs with other dynamic axes.
        seed: of the random numbers.

    Returns:
        One array an input, C order.

    Raises:
        UsageError: a dynamic axis without an extent, a shape that contradicts the model, or a type
            that cannot be made up.
    """
    resolved = resolve_shapes(schema, batch, shapes or {})
    random = np.random.default_rng(seed)
    return {one.name: _made(one, resolved[one.name], random) for one in schema}


def dtype_of(one: Input) -> np.dtype[Any]:
    """The numpy dtype of an input.

    Raises:
        UsageError: a type that has none here, such as strings and sequences.
    """
    if one.type not in _DTYPES:
        raise UsageError(
            f"input {printable(one.name)} of type {one.type}",
            expected=f"one of {', '.join(sorted(_DTYPES))}",
            fix="edgestill measures models that take numbers; move the rest in front of the model",
        )
    return np.dtype(_DTYPES[one.type])


def resolve_shapes(
    schema: Sequence[Input], batch: int, shapes: Mapping[str, Sequence[int]]
) -> dict[str, tuple[int, ...]]:
    """Every input's full shape.

    A dynamic first axis is the batch. A symbol that is known from one input holds in all of them.

    Raises:
        UsageError: as `make_inputs`.
    """
    unknown = sorted(set(shapes) - {one.name for one in schema})
    if unknown:
        raise UsageError(
            f"a shape for {', '.join(map(printable, unknown))}",
            expected=f"one of {', '.join(printable(one.name) for one in schema)}",
            where="shapes",
        )
    symbols: dict[str, int] = {}
    for one in schema:
        if one.name in shapes:
            _check_shape(one, shapes[one.name])
            given = zip(one.shape, shapes[one.name], strict=True)
            symbols |= {name: extent for name, extent in given if isinstance(name, str)}
    dynamic_batch = False
    for one in schema:
        if one.shape and not isinstance(one.shape[0], int):
            dynamic_batch = True
            if isinstance(one.shape[0], str):
                symbols.setdefault(one.shape[0], batch)
    fixed = [one for one in schema if one.shape and one.shape[0] != batch]
    if batch != 1 and fixed and not dynamic_batch and not shapes:
        raise UsageError(
            f"a fixed first axis of {fixed[0].shape[0]} in input {printable(fixed[0].name)}",
            expected=f"room for a batch of {batch}",
            fix="export the model with a dynamic batch, or measure it at its own",
        )
    return {one.name: _resolved(one, batch, symbols, shapes.get(one.name)) for one in schema}


def _resolved(
    one: Input, batch: int, symbols: Mapping[str, int], given: Sequence[int] | None
) -> tuple[int, ...]:
    if given is not None:
        return tuple(given)
    shape: list[int] = []
    open_axes: list[str] = []
    for axis, extent in enumerate(one.shape):
        if isinstance(extent, int):
            shape.append(extent)
        elif isinstance(extent, str) and extent in symbols:
            shape.append(symbols[extent])
        elif axis == 0:
            shape.append(batch)
        else:
            open_axes.append(f"axis {axis} ({printable(extent) if extent else 'unnamed'})")
    if open_axes:
        raise UsageError(
            f"no extent for {', '.join(open_axes)} of input {printable(one.name)}",
            expected="every axis but the batch given",
            where="shapes",
            fix=f"give the full shape of {printable(one.name)}",
        )
    return tuple(shape)


def _check_shape(one: Input, given: Sequence[int]) -> None:
    agrees = len(given) == len(one.shape) and all(
        extent > 0 and (not isinstance(fixed, int) or fixed == extent)
        for fixed, extent in zip(one.shape, given, strict=True)
    )
    if not agrees:
        raise UsageError(
            f"shape {tuple(given)} for input {printable(one.name)}",
            expected=f"one that fits {one.shape}, every extent above 0",
            where="shapes",
        )


def _made(one: Input, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[Any]:
    dtype = dtype_of(one)
    if np.issubdtype(dtype, np.floating):
        # asarray: for a scalar input the generator gives a bare number.
        return np.asarray(random.standard_normal(shape), dtype=dtype)
    made = np.asarray(random.integers(0, 2, shape)).astype(dtype)
    if shape:
        made[..., 0] = 1
    return made


def _described(one: Any) -> Input:
    shape = tuple(extent if isinstance(extent, int | str) else None for extent in one.shape)
    return Input(str(one.name), str(one.type), shape)


def _options(how: Session) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = how.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = _LEVELS[how.optimization]
    options.enable_cpu_mem_arena = how.arena
    options.enable_mem_pattern = how.pattern
    for pool in ("intra_op", "inter_op"):
        options.add_session_config_entry(f"session.{pool}.allow_spinning", str(int(how.spinning)))
    return options


def _check_providers(providers: Sequence[str]) -> None:
    available = available_providers()
    absent = [name for name in providers if name not in available]
    if absent or not providers:
        raise UsageError(
            f"execution provider {', '.join(absent) or 'none'}",
            expected=f"one of {', '.join(available)}",
            where="providers",
            fix="install the onnxruntime build that has it",
        )


def _refusal(error: Exception, path: Path, what: str) -> Exception:
    # A message may quote names out of the model, and run over many lines.
    text = str(error).strip().partition("\n")[0][:400]
    if isinstance(error, MemoryError) or "bad_alloc" in text or "Failed to allocate" in text:
        return MemoryError(text)
    shown = "".join(c if c.isprintable() else "?" for c in text) or type(error).__name__
    return ModelError(f"{what} ({shown})", where=str(path))
