"""Where a model's time goes: the operators that run, with the costs of what was fused into them.

>>> record = profiled("fp32", Path("fp32.onnx"), machine_of(load("here.toml")))   # doctest: +SKIP
>>> max(record.operators, key=lambda one: one.us).attained                        # doctest: +SKIP
0.43

The runtime's graph is not the file's: operators are fused, renamed and put in. Each operator of the
file belongs to one that runs (`devices.operators.layers`) and its cost goes there, so the costs of
a graph add up to those of its file. Bytes are those of the tensors that the runtime handed over.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ...devices.onboard.model.outline import Node
from ...devices.onboard.settings import DEFAULT_FEED, DEFAULT_SESSION, Feed, Session
from ...devices.operators.layer_matching import match
from ...devices.operators.layers import homes
from ...devices.operators.probe import probe
from ...devices.operators.profiling import Operator, Profile, profile
from ...devices.operators.roofline import Bounds, Work, attained_by, machine_of, roof_us
from ...devices.operators.wiring import CONVERSIONS, REORDERS, Wiring, family, shown
from ...devices.profiles.profile import HOST, load
from ..records import OperatorsRecord, OperatorTime, Roof
from .operator_types import total

_WEIGHT = (".weight", ".weight_quantized", ".weight_MatMul")
_PROBE_SECONDS = 0.2
_FLOATS = {"float": "float32", "float16": "float16", "double": "float64"}
"""The runtime's names of types."""


def profiled(
    name: str,
    path: Path,
    here: Bounds | str,
    *,
    session: Session = DEFAULT_SESSION,
    feed: Feed = DEFAULT_FEED,
    runs: int = 200,
    timeout_s: float = 300.0,
) -> OperatorsRecord:
    """Profile a file in a fresh process and cost each operator.

    Args:
        name: what the record calls it.
        path: a ``.onnx`` file.
        here: figures of this machine, or why there are none.
        session: how the runtime holds the model.
        feed: what it is queried with.
        runs: queries to take the times of.
        timeout_s: seconds until the child is ended.

    Raises:
        ModelError, DataError, UsageError, MeasureError: as ``devices.operators.profiling.profile``.
    """
    found = profile(path, session=session, feed=feed, runs=runs, timeout_s=timeout_s)
    return record(name, found, here, session.threads)


def record(name: str, found: Profile, here: Bounds | str, threads: int) -> OperatorsRecord:
    """A profile with its costs and, where this machine's figures are known, its roof."""
    members, unplaced = _members(found)
    roof = None
    if not isinstance(here, str):
        machine = here.value
        cores = machine.with_threads(threads)
        roof = Roof(
            device=machine.title,
            gflop_s=machine.fp32_op_s * cores / 1e9,
            gop_s=None if machine.int8_op_s is None else machine.int8_op_s * cores / 1e9,
            gb_s=machine.byte_s / 1e9,
            cores=cores,
        )
    return OperatorsRecord(
        name=name,
        runtime=found.runtime,
        threads=threads,
        runs=found.runs,
        query_us=found.p10_us,
        p50_us=found.p50_us,
        profiled_us=found.p50_profiled_us,
        operators=tuple(
            _costed(found, one, members.get(at, []), here, threads)
            for at, one in enumerate(found.operators)
        ),
        unplaced_macs=sum(found.costs[node].macs or 0 for node in unplaced),
        roof=roof,
        roof_missing=here if isinstance(here, str) else None,
    )


def figures_here(profile: str | None) -> Bounds | str:
    """This machine's figures: out of a profile, or measured, which takes about a second.

    Returns:
        The figures, or in a sentence which are missing.

    Raises:
        UsageError: no such profile.
        MeasureError: the measuring process died.
    """
    told = probe(seconds=_PROBE_SECONDS) if profile in (None, HOST) else load(profile or HOST)
    found = machine_of(told)
    return found if isinstance(found, str) else attained_by(found)


def _members(found: Profile) -> tuple[dict[int, list[int]], list[int]]:
    """Operators of the file by operator that runs, and those that multiply and have no place."""
    source = found.source
    owners = match(found.optimized, source, by_values=False)
    last = {node: place for place, node in sorted(owners.items())}
    place = {one.node: at for at, one in enumerate(found.operators) if one.node is not None}
    folded = _folded(found) - last.keys()
    home = {node: to for node, to in homes(source, owners).items() if node not in folded}
    wiring = Wiring(source)
    # What the runtime fuses by pattern, as an attention, leaves only its last operator a place.
    for node in reversed(range(len(source.nodes))):
        if node in home or node in folded or source.nodes[node].op in CONVERSIONS:
            continue
        after = [home[one] for one in wiring.after(node) if one in home]
        if after:
            home[node] = min(after, key=last.__getitem__)
    members: dict[int, list[int]] = defaultdict(list)
    unplaced = []
    for node, cost in enumerate(found.costs):
        at = place.get(last[home[node]]) if node in home else None
        if at is not None:
            members[at].append(node)
        elif cost.macs and node not in folded:
            unplaced.append(node)
    return members, unplaced


def _folded(found: Profile) -> set[int]:
    """Operators of constants alone, which the runtime computes once."""
    known, folded = set(found.source.stored), set()
    for at, node in enumerate(found.source.nodes):
        if node.inputs and all(name in known for name in node.inputs if name):
            folded.add(at)
            known.update(node.outputs)
    return folded


def _costed(
    found: Profile, one: Operator, nodes: Sequence[int], here: Bounds | str, threads: int
) -> OperatorTime:
    costs = [found.costs[node] for node in nodes]
    macs, operations = total([c.macs for c in costs]), total([c.operations for c in costs])
    if one.op in CONVERSIONS:  # of the file or put in, it looks at each element once
        operations = one.elements
    multiplied = next((c.type for c in costs if c.type), "")
    kind = multiplied or _type(one)
    roof = None
    if not isinstance(here, str):
        cores = here.value.with_threads(threads)
        roof = roof_us(Work(kind, operations, one.bytes), here.value, cores=cores)
    return OperatorTime(
        name=_name(found, one, nodes),
        op=one.op,
        family=family(one.op),
        fused=tuple(found.source.nodes[node].op for node in nodes),
        calls=one.calls,
        us=one.us,
        share=one.share,
        type=kind,
        macs=macs,
        operations=operations,
        parameters=sum(c.parameters for c in costs),
        bytes=one.bytes,
        roof_us=roof,
    )


def _type(one: Operator) -> str:
    """Of what multiplies nothing: 8-bit integers are computed on as such."""
    return _FLOATS.get(one.type, "int8" if one.type in ("int8", "uint8") else one.type)


def _name(found: Profile, one: Operator, nodes: Sequence[int]) -> str:
    """The module behind an operator; its node's name where the file tells of none."""
    source = [found.source.nodes[node] for node in nodes]
    chief = next((node for node in source if node.weight is not None), None)
    if chief is not None:
        return _module(chief) or shown(chief)
    if source:
        return source[0].scope or shown(source[0])
    ran = found.optimized.nodes[one.node] if one.node is not None else None
    if ran is not None and ran.op in REORDERS | CONVERSIONS:
        return next((name for name in ran.inputs if name), one.name)
    return one.name


def _module(node: Node) -> str:
    """Its scope, else the path before ``.weight`` of the weight that it multiplies by."""
    weight = node.weight.name if node.weight is not None else ""
    ending = next((end for end in _WEIGHT if weight.endswith(end)), None)
    return node.scope or (weight.removesuffix(ending) if ending else "")
