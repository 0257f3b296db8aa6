"""Why a quantized model is slower than the fp32 file it was made from, layer by layer.

    >>> diagnosis = diagnose(Path("fp32.onnx"), Path("int8.onnx"))      # doctest: +SKIP
    >>> diagnosis.why[0]                                                # doctest: +SKIP
    'int8 takes 1.19× the latency of fp32: 238 µs and 200 µs a query at the 10th percentile, ...'

Both files are profiled in fresh processes that alternate, their operators are joined by layer, and
the optimized graph of the quantized file is searched for what did not fuse. The saving that the
advice names is computed from these times, not measured: apply the advice and measure again.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ...devices.onboard.model.modelfile import printable
from ...devices.onboard.model.outline import Outline
from ...devices.onboard.settings import DEFAULT_FEED, DEFAULT_SESSION, Feed, Session
from ...devices.operators.layers import Layer, join
from ...devices.operators.profiling import Profile, merge, profile
from ...devices.operators.wiring import multiplies
from ...errors import ModelError
from .advice import advise
from .file_times import FileTimes, computes, is_quantized
from .findings import Diagnosis, LayerTimes
from .sentences import sentences
from .unfused import islands, unfused

_BUSY = 1.5
"""Median over 10th percentile of queries from which other processes disturbed them."""


def diagnose(
    fp32: Path,
    int8: Path,
    *,
    session: Session = DEFAULT_SESSION,
    feed: Feed = DEFAULT_FEED,
    processes: int = 3,
    runs: int = 200,
    on_process: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Profile both files, join them by layer and find where the time goes.

    Args:
        fp32: the ONNX file in float.
        int8: the same model quantized: Q/DQ, QLinear operators, or dynamic.
        session: how the runtime loads and runs each model.
        feed: the inputs of both.
        processes: fresh processes a file, which alternate; the median over them counts.
        runs: profiled queries a process.
        on_process: called after each process with `fp32` or `int8`.

    Raises:
        ModelError: a file is missing or broken, `fp32` is quantized, `int8` is not, or the two are
            different models.
        DataError, UsageError: inputs or shapes do not fit the model.
        MeasureError: a profiling process died or ran out of time.
    """
    profiles: dict[str, list[Profile]] = {"fp32": [], "int8": []}
    for repetition in range(processes):
        for name, path in (("fp32", fp32), ("int8", int8)):
            profiled = profile(path, session=session, feed=feed, runs=runs)
            if repetition == 0:
                _check_quantized(profiled, quantized=name == "int8")
            profiles[name].append(profiled)
            if on_process is not None:
                on_process(name)
    return conclude(merge(profiles["fp32"]), merge(profiles["int8"]))


def conclude(fp32: Profile, int8: Profile) -> Diagnosis:
    """The diagnosis from two profiles.

    Raises:
        ModelError: they are of different models.
    """
    joined = join(fp32, int8)
    check_same_model(fp32.source, int8.source, joined.fp32_of_node, int8.path)
    before = FileTimes(fp32, joined.layer_of_fp32)
    after = FileTimes(int8, joined.layer_of_int8)
    advised = advise(joined, before, after)
    layers = tuple(
        replace(_times(layer, index, before, after), added_us=advised.added_us.get(index))
        for index, layer in enumerate(joined.layers)
    )
    diagnosis = Diagnosis(
        fp32_us=fp32.p10_us,
        int8_us=int8.p10_us,
        fp32_p50_us=fp32.p50_us,
        int8_p50_us=int8.p50_us,
        fp32_profiled_us=fp32.p50_profiled_us,
        int8_profiled_us=int8.p50_profiled_us,
        layers=layers,
        quantize_us=after.total({"QuantizeLinear", "DynamicQuantizeLinear"}),
        dequantize_us=after.total({"DequantizeLinear"}),
        reorders_us=sum(after.reorders.values()),
        reorders_fp32_us=sum(before.reorders.values()),
        unfused=unfused(after),
        islands=islands(after),
        unjoined=(*before.unjoined("fp32"), *after.unjoined("int8")),
        advice=advised.advice,
        why=(),
        runtime=int8.runtime,
        runs=int8.runs,
    )
    busy = any(file.p50_us > _BUSY * file.p10_us for file in (fp32, int8))
    return replace(diagnosis, why=tuple(sentences(diagnosis, busy=busy)))


def check_same_model(
    fp32: Outline, int8: Outline, fp32_of_node: Mapping[int, int], where: Path
) -> None:
    """Refuse two files that have no layer in common.

    Args:
        fp32: outline of the fp32 file.
        int8: outline of the quantized file.
        fp32_of_node: index of the matching fp32 node, by index of node of the quantized file.
        where: the quantized file, for the message.

    Raises:
        ModelError: their inputs differ, or no layer with weights is in both.
    """
    if set(fp32.inputs) != set(int8.inputs):
        raise ModelError(
            f"inputs {', '.join(map(printable, int8.inputs))}",
            expected=f"{', '.join(map(printable, fp32.inputs))}, as the fp32 file has them",
            where=str(where),
            fix="give two files of the same model",
        )
    layers = [at for at, node in enumerate(int8.nodes) if multiplies(node)]
    if layers and not any(at in fp32_of_node for at in layers):
        raise ModelError(
            f"{len(layers)} layers of which none has the weights of one in the fp32 file",
            expected="the fp32 file's layers, quantized",
            where=str(where),
            fix="give two files of the same model",
        )


def _check_quantized(profiled: Profile, *, quantized: bool) -> None:
    count = sum(is_quantized(node) for node in profiled.source.nodes)
    if (count > 0) == quantized:
        return
    raise ModelError(
        f"{count} quantized operators of {len(profiled.source.nodes)}",
        expected="a quantized model" if quantized else "a model in float",
        where=str(profiled.path),
        fix="give the fp32 file first and the quantized one second",
    )


def _times(layer: Layer, index: int, before: FileTimes, after: FileTimes) -> LayerTimes:
    fp32_us, int8_us = before.us(index), after.us(index)
    kernels = [after.profile.operators[i] for i in layer.int8]
    return LayerTimes(
        name=layer.name,
        op=layer.op,
        fp32_us=fp32_us,
        int8_us=int8_us,
        ratio=int8_us / fp32_us if int8_us is not None and fp32_us else None,
        conversions_us=after.around(index, after.conversions),
        reorders_us=after.around(index, after.reorders),
        kernels=tuple(kernel.op for kernel in kernels),
        computes=computes(kernels),
    )
