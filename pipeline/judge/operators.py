"""The time of a model by operator, with the costs of what was fused into each operator.

>>> record = profiled("fp32", Path("fp32.onnx"), machine_of(load("here.toml")))   # doctest: +SKIP
>>> max(record.operators, key=lambda operator: operator.us).attained              # doctest: +SKIP
0.43

The runtime's graph is not the file's: operators are fused, renamed and inserted. Each operator of
the file belongs to an operator that runs (`devices.operators.layers`), which takes over its cost.
The costs of a graph therefore add up to those of its file. Bytes are those of the tensors that the
runtime passed.
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
        name: of the file in the record.
        path: a ``.onnx`` file.
        here: figures of this machine, or why there are none.
        session: of the runtime.
        feed: its inputs.
        runs: timed queries.
        timeout_s: seconds until the child is ended.

    Raises:
        ModelError, DataError, UsageError, MeasureError: as ``devices.operators.profiling.profile``.
    """
    timed = profile(path, session=session, feed=feed, runs=runs, timeout_s=timeout_s)
    return record(name, timed, here, session.threads)


def record(name: str, timed: Profile, here: Bounds | str, threads: int) -> OperatorsRecord:
    """A profile with its costs and, where this machine's figures are known, its roof."""
    members, unplaced_macs = _members(timed)
    after = _after(timed)
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
        runtime=timed.runtime,
        threads=threads,
        runs=timed.runs,
        query_us=timed.p10_us,
        p50_us=timed.p50_us,
        profiled_us=timed.p50_profiled_us,
        operators=tuple(
            _costed(timed, operator, members.get(position, []), here, threads).model_copy(
                update={"after": after[position]}
            )
            for position, operator in enumerate(timed.operators)
        ),
        unplaced_macs=unplaced_macs,
        roof=roof,
        roof_missing=here if isinstance(here, str) else None,
    )


def figures_here(profile: str | None) -> Bounds | str:
    """This machine's figures: from a profile, or measured, which takes about a second.

    Returns:
        The figures, or in a sentence which are missing.

    Raises:
        UsageError: no such profile.
        MeasureError: the measuring process died.
    """
    name = profile or HOST
    device = probe(seconds=_PROBE_SECONDS) if name == HOST else load(name)
    machine = machine_of(device)
    return machine if isinstance(machine, str) else attained_by(machine)


def _members(timed: Profile) -> tuple[dict[int, list[int]], int]:
    """Operators of the file by operator that runs, and the products of those that match none."""
    source = timed.source
    owners = match(timed.optimized, source, by_values=False)
    last = {node: place for place, node in sorted(owners.items())}
    place = {
        operator.node: position
        for position, operator in enumerate(timed.operators)
        if operator.node is not None
    }
    folded = _folded(timed) - last.keys()
    home = {node: to for node, to in homes(source, owners).items() if node not in folded}
    wiring = Wiring(source)
    # Where the runtime fuses a pattern, such as an attention, only the last operator is matched.
    for node in reversed(range(len(source.nodes))):
        if node in home or node in folded or source.nodes[node].op in CONVERSIONS:
            continue
        after = [home[reader] for reader in wiring.after(node) if reader in home]
        if after:
            home[node] = min(after, key=last.__getitem__)
    members: dict[int, list[int]] = defaultdict(list)
    unplaced_macs = 0
    for node, cost in enumerate(timed.costs):
        at = place.get(last[home[node]]) if node in home else None
        if at is not None:
            members[at].append(node)
        elif cost.macs and node not in folded:
            unplaced_macs += cost.macs
    return members, unplaced_macs


def _after(timed: Profile) -> list[tuple[int, ...]]:
    """Of each operator those whose results it reads, by position; through what was not timed."""
    place = {
        operator.node: position
        for position, operator in enumerate(timed.operators)
        if operator.node is not None
    }
    wiring = Wiring(timed.optimized)
    reached: dict[int, set[int]] = {}
    for node in wiring.order:
        reached[node] = set()
        for before in wiring.next(node, backward=True):
            reached[node] |= {place[before]} if before in place else reached[before]
    return [
        () if operator.node is None else tuple(sorted(reached[operator.node] - {position}))
        for position, operator in enumerate(timed.operators)
    ]


def _folded(timed: Profile) -> set[int]:
    """Operators of constants alone, which the runtime computes once."""
    constants, folded = set(timed.source.stored), set()
    for position, node in enumerate(timed.source.nodes):
        if node.inputs and all(name in constants for name in node.inputs if name):
            folded.add(position)
            constants.update(node.outputs)
    return folded


def _costed(
    timed: Profile, operator: Operator, nodes: Sequence[int], here: Bounds | str, threads: int
) -> OperatorTime:
    costs = [timed.costs[node] for node in nodes]
    macs, operations = total([c.macs for c in costs]), total([c.operations for c in costs])
    if operator.op in CONVERSIONS:  # in the file or inserted: it reads each element once
        operations = operator.elements
    kind = next((c.type for c in costs if c.type), _type(operator))
    roof = None
    if not isinstance(here, str):
        cores = here.value.with_threads(threads)
        roof = roof_us(Work(kind, operations, operator.bytes), here.value, cores=cores)
    return OperatorTime(
        name=_name(timed, operator, nodes),
        op=operator.op,
        family=family(operator.op),
        fused=tuple(timed.source.nodes[node].op for node in nodes),
        calls=operator.calls,
        us=operator.us,
        share=operator.share,
        type=kind,
        macs=macs,
        operations=operations,
        parameters=sum(c.parameters for c in costs),
        bytes=operator.bytes,
        roof_us=roof,
    )


def _type(operator: Operator) -> str:
    """The numeric type of an operator that multiplies nothing; 8-bit integers count as int8."""
    return _FLOATS.get(
        operator.type, "int8" if operator.type in ("int8", "uint8") else operator.type
    )


def _name(timed: Profile, operator: Operator, nodes: Sequence[int]) -> str:
    """The module behind an operator; its node's name where the file has none."""
    source = [timed.source.nodes[node] for node in nodes]
    chief = next((node for node in source if node.weight is not None), None)
    if chief is not None:
        return _module(chief) or shown(chief)
    if source:
        return source[0].scope or shown(source[0])
    ran = timed.optimized.nodes[operator.node] if operator.node is not None else None
    if ran is not None and ran.op in REORDERS | CONVERSIONS:
        return next((name for name in ran.inputs if name), operator.name)
    return operator.name


def _module(node: Node) -> str:
    """Its scope, else the path before ``.weight`` of the weight that it multiplies by."""
    weight = node.weight.name if node.weight is not None else ""
    ending = next((end for end in _WEIGHT if weight.endswith(end)), None)
    return node.scope or (weight.removesuffix(ending) if ending else "")
