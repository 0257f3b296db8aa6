"""What a diagnosis of a quantized file finds: frozen records, all times in microseconds a query.

    diagnosis.layers[0].ratio, diagnosis.why[0]

Names and operator types come from the files; pages and terminals must escape them.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """One layer in both files.

    Attributes:
        name: name of the fp32 file's operator; untrusted text.
        op: its operator type.
        fp32_us: time of its operators in the fp32 file; None if none could be joined.
        int8_us: time of its operators in the quantized file, likewise.
        ratio: int8 over fp32; None if either is missing or the fp32 time is zero.
        conversions_us: time of the Q and DQ that run for it in the quantized file.
        reorders_us: time of the transposes and reorderings that the runtime added for it there.
        kernels: operator types that run for it in the quantized file.
        computes: the numbers in which the quantized file computes it; None if it was not joined.
        added_us: what leaving it in float, too, is expected to add to what the advised layers
            save, with its conversions; None of those layers, and of one that the
            quantized file does not quantize or that was not timed in both.
    """

    name: str
    op: str
    fp32_us: float | None
    int8_us: float | None
    ratio: float | None
    conversions_us: float
    reorders_us: float
    kernels: tuple[str, ...]
    computes: Literal["integers", "float"] | None
    added_us: float | None = None


@dataclass(frozen=True, slots=True)
class Unfused:
    """A layer between Q and DQ that the runtime nevertheless computes in float.

    Attributes:
        name: name of the operator in the optimized graph; untrusted text.
        op: its type.
        us: its time without its conversions.
        why: what keeps it from fusing, as far as the graph shows.
        fix: what to do, or None.
    """

    name: str
    op: str
    us: float
    why: str
    fix: str | None


@dataclass(frozen=True, slots=True)
class Island:
    """A float operator between quantized ones: it needs a DQ before it and a Q after it.

    Attributes:
        name: name of the operator in the optimized graph; untrusted text.
        op: its type.
        us: its time.
        conversions_us: time of the Q and DQ around it.
    """

    name: str
    op: str
    us: float
    conversions_us: float


@dataclass(frozen=True, slots=True)
class Unjoined:
    """An operator that could not be joined to a layer.

    Attributes:
        file: `fp32` or `int8`.
        name: the runtime's name for it; untrusted text.
        op: its type.
        us: its time.
    """

    file: Literal["fp32", "int8"]
    name: str
    op: str
    us: float


@dataclass(frozen=True, slots=True)
class Advice:
    """The layers to leave in float.

    Attributes:
        layers: names of layers, as in `Diagnosis.layers`.
        exclude: the operators' names in the fp32 file, to exclude when quantizing it again.
        nodes: operators of the quantized file, for `leave_in_float`.
        saving_us: the expected saving a query, microseconds; computed, not measured.
    """

    layers: tuple[str, ...]
    exclude: tuple[str, ...]
    nodes: tuple[str, ...]
    saving_us: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Where the time of both files goes.

    Attributes:
        fp32_us: a query of the fp32 file without profiling, the 10th percentile; its operators
            add up to it, see `devices.operators.profiling.net`.
        int8_us: likewise of the quantized file.
        fp32_p50_us: median query of the fp32 file without profiling.
        int8_p50_us: likewise of the quantized file.
        fp32_profiled_us: median query of the fp32 file with profiling, under which its operators
            were timed.
        int8_profiled_us: likewise of the quantized file.
        layers: in the fp32 file's order.
        quantize_us: all QuantizeLinear and DynamicQuantizeLinear of the quantized file.
        dequantize_us: all DequantizeLinear of it.
        reorders_us: all transposes and reorderings that the runtime added to it.
        reorders_fp32_us: likewise in the fp32 file.
        unfused: layers that did not fuse.
        islands: float operators between quantized ones.
        unjoined: operators that could not be joined to a layer.
        advice: None if leaving layers in float saves nothing.
        why: the diagnosis as sentences.
        runtime: the runtime and its version.
        runs: profiled queries a file.
    """

    fp32_us: float
    int8_us: float
    fp32_p50_us: float
    int8_p50_us: float
    fp32_profiled_us: float
    int8_profiled_us: float
    layers: tuple[LayerTimes, ...]
    quantize_us: float
    dequantize_us: float
    reorders_us: float
    reorders_fp32_us: float
    unfused: tuple[Unfused, ...]
    islands: tuple[Island, ...]
    unjoined: tuple[Unjoined, ...]
    advice: Advice | None
    why: tuple[str, ...]
    runtime: str
    runs: int
