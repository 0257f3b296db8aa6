"""Why a quantized model is slower than its fp32 twin, layer by layer, and what would help.

    >>> found = diagnose(Path("fp32.onnx"), Path("int8.onnx"))      # doctest: +SKIP
    >>> found.why                                                   # doctest: +SKIP
    'int8 takes 1.19 times as long as fp32; 4 of 8 layers run in float, ...'

Both files are profiled in fresh processes that take turns, their operators joined by layer, and the
optimized graph of the quantized one searched for what did not fuse. The advice is what the times
say, expected and not measured: apply it and measure again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ...devices.onboard.model.modelfile import printable
from ...devices.onboard.model.outline import WEIGHT_AT, Node, Outline
from ...devices.operators.layer_matching import (
    CONVERSIONS,
    REORDERS,
    Joined,
    Layer,
    Wiring,
    family,
    join,
    multiplies,
    shown,
)
from ...devices.operators.profiling import Operator, Profile, merge, profile
from ...errors import ModelError
from .advice import Ledger, choose, edges_of

WORTH = 0.02
"""Of a query: what is less is not worth an advice."""
WORTH_A_LAYER = 0.01
"""Of a query: what each layer must add to it."""
_RESOLUTION_US = 1.0
"""What the runtime's clock tells apart."""
_BUSY = 1.5
"""Median over 10th percentile of queries from which other processes had their hand in it."""
_INTEGERS = ("uint8", "int8", "uint16", "int16", "int32", "uint4", "int4")
_TYPES = {1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32"}
"""TensorProto.DataType (onnx.proto)."""
_CONV = "Conv"


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """One layer in both files, microseconds a query.

    Attributes:
        name: of the fp32 file's operator; data, not to be trusted in a page.
        op: its operator type.
        fp32_us: its operators in the fp32 file; None where none could be joined.
        int8_us: its operators in the quantized file, likewise.
        ratio: int8 over fp32; None where either is missing or fp32 took no time to speak of.
        conversions_us: Q and DQ that run for it in the quantized file.
        reorders_us: transposes and reorderings that the runtime put in for it there.
        kernels: operator types that run for it in the quantized file.
        computes: in which numbers the quantized file computes it; None where it was not joined.
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


@dataclass(frozen=True, slots=True)
class Unfused:
    """A layer between Q and DQ that the runtime computes in float all the same.

    Attributes:
        name: of the operator in the optimized graph; data.
        op: its type.
        us: what it takes, without its conversions.
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
    """A float operator between quantized ones, which costs a DQ before it and a Q behind it.

    Attributes:
        name: of the operator in the optimized graph; data.
        op: its type.
        us: what it takes.
        conversions_us: what the Q and DQ around it take.
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
        name: the runtime's; data.
        op: its type.
        us: what it takes.
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
        saving_us: what it is expected to save a query, microseconds; not measured.
    """

    layers: tuple[str, ...]
    exclude: tuple[str, ...]
    nodes: tuple[str, ...]
    saving_us: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Where the time of both files goes; microseconds a query.

    Attributes:
        fp32_us: a query of the fp32 file without profiling, the 10th percentile; its operators
            add up to it, see `devices.operators.profiling.net`.
        int8_us: likewise of the quantized file.
        fp32_p50_us: median query without profiling.
        int8_p50_us: likewise of the quantized file.
        fp32_profiled_us: median query with profiling, under which the operators were timed.
        int8_profiled_us: likewise of the quantized file.
        layers: in the fp32 file's order.
        quantize_us: all QuantizeLinear and DynamicQuantizeLinear of the quantized file.
        dequantize_us: all DequantizeLinear.
        reorders_us: all transposes and reorderings that the runtime put in.
        reorders_fp32_us: likewise in the fp32 file.
        unfused: layers that did not fuse.
        islands: float operators between quantized ones.
        unjoined: what could not be joined.
        advice: None where there is nothing to gain.
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


def diagnose(
    fp32: Path,
    int8: Path,
    *,
    inputs: Path | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    batch: int = 1,
    threads: int = 1,
    processes: int = 3,
    runs: int = 200,
    on_process: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Profile both files, join them by layer and say where the time goes.

    Args:
        fp32: the ONNX file in float.
        int8: the same model quantized: Q/DQ, QLinear operators, or dynamic.
        inputs: an `.npz` with one array an input, samples along the first axis; None: made up.
        shapes: full shape by input name, for inputs with dynamic axes other than the batch.
        batch: samples a query.
        threads: intra-op threads.
        processes: fresh processes a file, taking turns; the median over them counts.
        runs: profiled queries a process.
        on_process: called after each process with `fp32` or `int8`.

    Raises:
        ModelError: a file that is missing or broken, is quantized and should not be or the other
            way round, or the two are not the same model.
        DataError, UsageError: inputs or shapes that do not fit.
        MeasureError: a profiling process died or ran out of time.
    """
    taken: dict[str, list[Profile]] = {"fp32": [], "int8": []}
    for repetition in range(processes):
        for name, path in (("fp32", fp32), ("int8", int8)):
            found = profile(
                path, threads=threads, batch=batch, shapes=shapes, inputs=inputs, runs=runs
            )
            if repetition == 0:
                _check_quantized(found, wanted=name == "int8")
            taken[name].append(found)
            if on_process is not None:
                on_process(name)
    return conclude(merge(taken["fp32"]), merge(taken["int8"]))


def conclude(fp32: Profile, int8: Profile) -> Diagnosis:
    """What two profiles say.

    Raises:
        ModelError: they are not of the same model.
    """
    joined = join(fp32, int8)
    check_same_model(fp32.source, int8.source, joined.fp32_of_node, int8.path)
    before, after = _Side(fp32, joined.layer_of_fp32), _Side(int8, joined.layer_of_int8)
    layers = tuple(_times(layer, index, before, after) for index, layer in enumerate(joined.layers))
    found = Diagnosis(
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
        unfused=_unfused(after),
        islands=_islands(after),
        unjoined=(*before.unjoined("fp32"), *after.unjoined("int8")),
        advice=_advice(joined, before, after),
        why=(),
        runtime=int8.runtime,
        runs=int8.runs,
    )
    busy = [one for one in (fp32, int8) if one.p50_us > _BUSY * one.p10_us]
    return replace(found, why=tuple(_sentences(found, busy=bool(busy))))


def _sentences(found: Diagnosis, *, busy: bool) -> Iterator[str]:
    yield (
        f"the quantized file takes {found.int8_us:.0f} µs a query, the fp32 file "
        f"{found.fp32_us:.0f} µs: {found.int8_us / found.fp32_us:.2f} times "
        f"(10th percentiles; medians {found.int8_p50_us:.0f} and {found.fp32_p50_us:.0f} µs)"
    )
    if busy:
        yield "other processes took much of the time of these queries; measure on a quiet machine"
    layers = [one for one in found.layers if one.op in WEIGHT_AT and one.computes]
    in_float = [one for one in layers if one.computes == "float"]
    yield f"{len(in_float)} of {len(layers)} layers with weights are computed in float in it"
    reasons: dict[str, int] = defaultdict(int)
    for one in found.unfused:
        reasons[one.why + (f": {one.fix}" if one.fix else "")] += 1
    yield from (f"not fused, {count} of them: {why}" for why, count in reasons.items())
    conversions = found.quantize_us + found.dequantize_us
    operators = conversions + found.reorders_us + sum(one.int8_us or 0.0 for one in found.layers)
    yield (
        f"quantizing and dequantizing cost {conversions:.0f} µs of {operators:.0f}, "
        f"reorderings {found.reorders_us:.0f} (in the fp32 file {found.reorders_fp32_us:.0f})"
    )
    slower = [
        (one.int8_us - one.fp32_us, one.name)
        for one in found.layers
        if one.fp32_us is not None
        and one.int8_us is not None
        and one.int8_us - one.fp32_us > WORTH_A_LAYER * found.int8_us
    ]
    if slower:
        lost, name = max(slower)
        yield (
            f"{len(slower)} of {len(found.layers)} layers are slower in it; "
            f"most {printable(name)}, by {lost:.0f} µs"
        )
    else:
        yield "no layer is slower in it"
    if found.unjoined:
        yield f"{len(found.unjoined)} operators could not be joined to a layer"
    if found.advice is None:
        yield "leaving layers in float has nothing to gain"
    else:
        count = len(found.advice.layers)
        yield (
            f"leaving {count} layer{'s' if count > 1 else ''} in float is expected to save "
            f"{found.advice.saving_us:.0f} µs of {found.int8_us:.0f} (not measured)"
        )


def check_same_model(
    fp32: Outline, int8: Outline, fp32_of_node: Mapping[int, int], where: Path
) -> None:
    """Refuse two files of which no layer is the same.

    Args:
        fp32: outline of the fp32 file.
        int8: outline of the quantized file.
        fp32_of_node: what was joined, by index of node of the quantized file.
        where: the quantized file, for the message.

    Raises:
        ModelError: they take other inputs, or share no layer that multiplies.
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


def _check_quantized(found: Profile, *, wanted: bool) -> None:
    quantized = [one.op for one in found.source.nodes if is_quantized(one)]
    if bool(quantized) == wanted:
        return
    raise ModelError(
        f"{len(quantized)} quantized operators of {len(found.source.nodes)}",
        expected="a quantized model" if wanted else "a model in float",
        where=str(found.path),
        fix="give the fp32 file first and the quantized one second",
    )


def is_quantized(node: Node) -> bool:
    """Whether it is a conversion, or computes in integers."""
    return (
        node.op in CONVERSIONS
        or node.op.startswith(("QLinear", "QGemm", "QAttention", "MatMulNBits"))
        or "Integer" in node.op
        or node.op == "DynamicQuantizeMatMul"
    )


class _Side:
    """One file's operators, and which layer each conversion and reordering runs for."""

    def __init__(self, found: Profile, layer_of: Mapping[int, int]) -> None:
        self.profile = found
        self.graph = found.optimized
        self.layer_of = layer_of
        self.wiring = Wiring(found.optimized)
        self.operator = {
            one.node: i for i, one in enumerate(found.operators) if one.node is not None
        }
        self.layers: dict[int, list[int]] = defaultdict(list)
        for index, layer in layer_of.items():
            self.layers[layer].append(index)
        self.conversions: dict[int, float] = {}
        self.reorders: dict[int, float] = {}
        self._rest: list[int] = []
        for index, one in enumerate(found.operators):
            if index in layer_of:
                continue
            if one.op in CONVERSIONS:
                self.conversions[index] = one.us
            elif one.op in REORDERS or one.op == "Transpose":
                self.reorders[index] = one.us
            else:
                self._rest.append(index)
        self.runs_for = {
            index: self._runs_for(index) for index in (*self.conversions, *self.reorders)
        }

    def us(self, layer: int) -> float | None:
        """What the layer's own operators take; None where it has none."""
        found = self.layers.get(layer)
        return sum(self.profile.operators[i].us for i in found) if found else None

    def around(self, layer: int, which: Mapping[int, float]) -> float:
        """What those of `which` that run for the layer take."""
        return sum(us for index, us in which.items() if self.runs_for.get(index) == layer)

    def total(self, ops: set[str]) -> float:
        return sum(one.us for one in self.profile.operators if one.op in ops)

    def unjoined(self, file: Literal["fp32", "int8"]) -> Iterable[Unjoined]:
        for index in self._rest:
            one = self.profile.operators[index]
            yield Unjoined(file, one.name, one.op, one.us)

    def us_of(self, node: int) -> float:
        """What a node of the optimized graph takes, 0 where the profile does not place it."""
        index = self.operator.get(node)
        return self.profile.operators[index].us if index is not None else 0.0

    def _runs_for(self, index: int) -> int | None:
        """A Q runs for the layer before it, all else for the one behind it, if there is one."""
        one = self.profile.operators[index]
        if one.node is None:
            return None
        backward = one.op in ("QuantizeLinear", "ReorderOutput")
        for way in (backward, not backward):
            found = self._nearest(one.node, backward=way)
            if found is not None:
                return found
        return None

    def _nearest(self, node: int, *, backward: bool) -> int | None:
        seen, waiting = {node}, [node]
        while waiting:
            step = waiting.pop(0)
            for other in self.wiring.next(step, backward=backward):
                if other in seen:
                    continue
                seen.add(other)
                layer = self.layer_of.get(self.operator.get(other, -1))
                if layer is not None:
                    return layer
                waiting.append(other)
        return None


def _times(layer: Layer, index: int, before: _Side, after: _Side) -> LayerTimes:
    fp32_us, int8_us = before.us(index), after.us(index)
    kernels = [after.profile.operators[i] for i in layer.int8]
    comparable = fp32_us is not None and int8_us is not None and fp32_us > 0
    return LayerTimes(
        name=layer.name,
        op=layer.op,
        fp32_us=fp32_us,
        int8_us=int8_us,
        ratio=int8_us / fp32_us if comparable and int8_us is not None and fp32_us else None,
        conversions_us=after.around(index, after.conversions),
        reorders_us=after.around(index, after.reorders),
        kernels=tuple(one.op for one in kernels),
        computes=_computes(kernels),
    )


def _computes(kernels: list[Operator]) -> Literal["integers", "float"] | None:
    if not kernels:
        return None
    chief = next((one for one in kernels if family(one.op) in (_CONV, "MatMul")), kernels[0])
    integers = chief.op == "DynamicQuantizeMatMul" or chief.type in _INTEGERS
    return "integers" if integers else "float"


def _unfused(side: _Side) -> tuple[Unfused, ...]:
    found = []
    for index, node in enumerate(side.graph.nodes):
        if not multiplies(node) or is_quantized(node):
            continue
        reason = _reason(node, side)
        if reason is not None:
            why, fix = reason
            found.append(Unfused(shown(node), node.op, side.us_of(index), why, fix))
    return tuple(found)


def _reason(node: Node, side: _Side) -> tuple[str, str | None] | None:
    """Why a float layer fed by a DQ did not fuse, from the optimized graph alone."""
    graph, wiring = side.graph, side.wiring
    makers = [graph.nodes[wiring.maker[n]] for n in node.inputs if n in wiring.maker]
    fed = [one for one in makers if one.op == "DequantizeLinear"]
    data = [one for one in fed if one.inputs[0] not in graph.stored]
    if len(fed) == len(data):
        return None  # its weight is in float: nobody asked for it in integers
    if not data:
        return (
            "only its weight is quantized, and is dequantized at every query",
            "quantize its input too, or leave its weight in float",
        )
    takers = [graph.nodes[i] for name in node.outputs for i in wiring.takers.get(name, ())]
    others = [one for one in takers if one.op != "QuantizeLinear"]
    if others:
        return (f"its output is also read in float, by {others[0].op}", None)
    if not takers or not set(graph.outputs).isdisjoint(node.outputs):
        return ("its output leaves the model in float", None)
    types = {_type_of(one, graph) for one in data}, {_type_of(one, graph) for one in takers}
    if types[0] != types[1] and None not in types[0] | types[1]:
        shown_types = [" and ".join(sorted(str(one) for one in each)) for each in types]
        return (
            f"its input is {shown_types[0]} and its output {shown_types[1]}, "
            "and onnxruntime fuses only where both are the same",
            "quantize activations to uint8 (activation_type=QuantType.QUInt8)"
            if "int8" in types[0] | types[1]
            else None,
        )
    return ("the graph shows no reason; onnxruntime has no kernel for this form", None)


def _type_of(node: Node, graph: Outline) -> str | None:
    """The integer type of a Q or DQ, by its zero point."""
    if len(node.inputs) < 3 or node.inputs[2] not in graph.stored:
        return None
    return _TYPES.get(graph.stored[node.inputs[2]])


def _islands(side: _Side) -> tuple[Island, ...]:
    found = []
    graph, wiring = side.graph, side.wiring
    for index, node in enumerate(graph.nodes):
        if multiplies(node) or is_quantized(node):
            continue
        makers = [wiring.maker[name] for name in node.inputs if name in wiring.maker]
        takers = [i for name in node.outputs for i in wiring.takers.get(name, ())]
        fed = makers and all(graph.nodes[i].op == "DequantizeLinear" for i in makers)
        feeds = takers and all(graph.nodes[i].op == "QuantizeLinear" for i in takers)
        if fed and feeds:
            around = sum(side.us_of(i) for i in {*makers, *takers})
            found.append(Island(shown(node), node.op, side.us_of(index), around))
    return tuple(found)


def _advice(joined: Joined, before: _Side, after: _Side) -> Advice | None:
    ledger = _ledger(joined, before, after)
    chosen = choose(ledger, max(_RESOLUTION_US, WORTH_A_LAYER * after.profile.p10_us))
    saving = ledger.saving_us(chosen)
    if not chosen or saving < WORTH * after.profile.p10_us:
        return None
    fp32, int8 = before.profile.source.nodes, after.profile.source.nodes
    wiring = Wiring(after.profile.source)
    nodes = [
        n
        for layer in sorted(chosen)
        for n in sorted(joined.layers[layer].int8_nodes)
        if _takes_integers(n, wiring)
    ]
    return Advice(
        layers=tuple(joined.layers[one].name for one in sorted(chosen)),
        exclude=tuple(
            shown(fp32[joined.fp32_of_node[n]]) for n in nodes if n in joined.fp32_of_node
        ),
        nodes=tuple(shown(int8[n]) for n in nodes),
        saving_us=saving,
    )


def _ledger(joined: Joined, before: _Side, after: _Side) -> Ledger:
    wiring, operators = Wiring(after.profile.source), after.profile.operators
    own = {
        index: us
        for index, us in after.conversions.items()
        if operators[index].op == "DynamicQuantizeLinear" or _of_stored(after, index)
    }
    taking = {
        layer: [n for n in joined.layers[layer].int8_nodes if _takes_integers(n, wiring)]
        for layer in range(len(joined.layers))
    }
    gains: dict[int, float] = {}
    for layer in range(len(joined.layers)):
        fp32_us, int8_us = before.us(layer), after.us(layer)
        if not taking[layer] or fp32_us is None or int8_us is None:
            continue
        owned = after.around(layer, own)
        if _computes([operators[i] for i in joined.layers[layer].int8]) == "float" and not owned:
            gains[layer] = 0.0  # the same kernel on the same numbers
            continue
        gains[layer] = (
            int8_us
            + owned
            + after.around(layer, after.reorders)
            - fp32_us
            - before.around(layer, before.reorders)
        )
    return Ledger(
        gains_us=gains,
        weighted=frozenset(i for i, layer in enumerate(joined.layers) if layer.multiplies),
        in_float=frozenset(
            index
            for index, layer in enumerate(joined.layers)
            if _computes([operators[i] for i in layer.int8]) == "float"
        ),
        unquantized=frozenset(one for one, nodes in taking.items() if not nodes),
        edges=edges_of(joined, after.profile),
        quantize_us=_rate(after, "QuantizeLinear"),
        dequantize_us=_rate(after, "DequantizeLinear"),
    )


def _takes_integers(index: int, wiring: Wiring) -> bool:
    """Whether a node of a source graph computes in integers or reads a DQ."""
    nodes = wiring.graph.nodes
    return is_quantized(nodes[index]) or any(
        nodes[other].op == "DequantizeLinear" for other in wiring.next(index, backward=True)
    )


def _of_stored(side: _Side, index: int) -> bool:
    at = side.profile.operators[index].node
    return at is not None and side.graph.nodes[at].inputs[0] in side.graph.stored


def _rate(side: _Side, op: str) -> float:
    """Microseconds an element, over all of the kind that convert activations."""
    elements, us = 0, 0.0
    for index in side.conversions:
        one = side.profile.operators[index]
        if one.op == op and one.elements and not _of_stored(side, index):
            elements, us = elements + one.elements, us + one.us
    return us / elements if elements else 0.0
