"""Fusion of a transformer's operators, kept only where it answers the same and is faster.

    >>> found = fuse(source, target, pad=0, samples={"input": ids})     # doctest: +SKIP
    >>> found.choice, found.changed_nodes                               # doctest: +SKIP
    ('fused', 8)

Each candidate is held against the unfused model on hostile inputs and measured beside it, in
processes of its own; the fastest correct one ships, of equals the plainest.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model

from ....devices.bench.request import Request
from ....devices.bench.settings import Settings, Subject
from ....devices.onboard.runtimes.onnxruntime import open_session, run_once
from ....devices.onboard.settings import Timing
from ....devices.onboard.stats.estimate import Estimate
from ....devices.scenarios.single_stream import measure
from ....errors import ModelError
from ...recipe.compress import FusionTool
from ...records import Record
from .. import parity
from ..method import quiet
from . import attention
from . import onnxruntime_tools as old_fusion
from . import padding_cases as hostile

NONE = "none"
TOLERANCE = 1e-3
"""Of the largest answer. Sums in another order move answers by 1e-6 of it, a wrong mask by 0.3."""
SETTINGS = Settings(processes=6, timing=Timing(seconds=0.1, max_queries=2_000, warmup_seconds=0.5))
"""The fewest processes that give an interval."""
Way = Callable[[Path], onnx.ModelProto]
NOT_MEASURED = Estimate.unknown("not measured")
_THROUGH = ("Add", "Sub", "Mul", "Div", "Where", "Cast", "Reshape")
"""What may stand between a product and the softmax over it."""


class Candidate(Record):
    """One way to fuse, and what came of it."""

    name: str
    fused: dict[str, int]
    """Operators that the fusion made, by type."""
    largest_difference: float | None = None
    """From the unfused model as it is written, over hostile inputs; None: not compared."""
    p50_ms: Estimate = NOT_MEASURED
    ratio: Estimate = NOT_MEASURED
    """Of the median latency to the unfused model's, paired."""
    refused: str | None = None
    """Why it cannot ship."""


class Fusion(Record):
    """What was tried, and what ships."""

    candidates: tuple[Candidate, ...]
    """From the plainest on; without attention to fuse there are none."""
    choice: str
    why: str

    @property
    def changed_nodes(self) -> int:
        """Operators in the file that a fusion made."""
        chosen = (one for one in self.candidates if one.name == self.choice)
        return sum(sum(one.fused.values()) for one in chosen)


def fuse(
    source: Path,
    target: Path,
    *,
    pad: int | None,
    samples: Mapping[str, NDArray[Any]],
    by: FusionTool = "onnxruntime",
    settings: Settings = SETTINGS,
    ways: Mapping[str, Way] | None = None,
) -> Fusion:
    """Write the fastest of the candidates that answer as the source does.

    Args:
        source: the fp32 file.
        target: the file to write: the source itself, byte for byte, where nothing is gained.
        pad: the id of padding, of a model that finds its mask itself; None: it has none.
        samples: by input name, samples along the first axis.
        by: whose ways to fuse are tried.
        settings: how candidates are measured.
        ways: to fuse, from the plainest on; None: those of ``WAYS[by]``.

    Raises:
        HostError: a package that is to fuse is not installed.
        ModelError: the source does not run on the samples, or not finitely.
        MeasureError: a measuring process died or ran out of time.
    """
    graph = onnx.load(source).graph
    if not is_transformer(graph):
        target.write_bytes(source.read_bytes())
        return Fusion(
            candidates=(), choice=NONE, why="no softmax over a product, or no layer normalization"
        )
    feeds, largest = _answered(source, hostile.feeds(source, samples, pad=pad))
    moved = parity.largest_difference(source, source, feeds)
    tried, files = [Candidate(name=NONE, fused={}, largest_difference=moved)], {NONE: source}
    with TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch)
        for name, way in (WAYS[by] if ways is None else ways).items():
            try:
                model = way(source)
            except ModelError as error:
                tried.append(Candidate(name=name, fused={}, refused=str(error)))
                continue
            fused = _more(model.graph, graph)
            file = folder / f"{name}.onnx"
            file.write_bytes(model.SerializeToString(deterministic=True))
            known = next((n for n, f in files.items() if f.read_bytes() == file.read_bytes()), None)
            if not fused or known:
                refused = f"the same as {known}" if known else "nothing fused"
                tried.append(Candidate(name=name, fused=fused, refused=refused))
                continue
            files[name] = file
            tried.append(_compared(Candidate(name=name, fused=fused), source, file, feeds, largest))
        sound = [one.name for one in tried if one.refused is None]
        if len(sound) > 1:
            figures = _measured({name: files[name] for name in sound}, samples, settings, folder)
            tried = [one.model_copy(update=figures.get(one.name, {})) for one in tried]
        choice, why = choose([one for one in tried if one.refused is None])
        target.write_bytes(files[choice].read_bytes())
    return Fusion(candidates=tuple(tried), choice=choice, why=why)


def choose(sound: Sequence[Candidate]) -> tuple[str, str]:
    """The fastest of candidates, of those that its interval does not tell from it the plainest.

    Args:
        sound: the correct ones, from the plainest on, the unfused model first.

    Returns:
        Its name, and why it was chosen.
    """
    measured = [one for one in sound[1:] if one.ratio.high is not None]
    if not measured:
        why = "no other candidate is correct" if len(sound) == 1 else "no interval, no choice"
        return NONE, why
    fastest = min(measured, key=_value)
    bound = fastest.ratio.high
    if bound is None or bound >= 1:
        return NONE, f"no candidate is faster beyond the noise; {_told(fastest)} is the fastest"
    faster = [one for one in measured if one.ratio.high is not None and one.ratio.high < 1]
    equals = [one for one in faster if one.ratio.low is not None and one.ratio.low <= bound]
    reason = "the fastest" if equals[0] is fastest else f"plainer than {fastest.name}, not slower"
    return equals[0].name, f"{_told(equals[0])}: {reason}"


def _value(one: Candidate) -> float:
    return one.ratio.value if one.ratio.value is not None else float("inf")


def _told(one: Candidate) -> str:
    ratio = one.ratio
    return f"{one.name} at {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) of the time"


# --- what a model is ------------------------------------------------------------------------------


def is_transformer(graph: onnx.GraphProto) -> bool:
    """Whether there is attention (a softmax over a product) and layer normalization."""
    kinds = {node.op_type for node in graph.node}
    normalized = "LayerNormalization" in kinds or {"ReduceMean", "Sqrt"} <= kinds
    made_by = {name: node for node in graph.node for name in node.output}
    return normalized and any(
        _over_product(node, made_by) for node in graph.node if node.op_type == "Softmax"
    )


def _over_product(node: onnx.NodeProto, made_by: Mapping[str, onnx.NodeProto]) -> bool:
    """Whether one of the two factors of a product of computed values reaches a node's input."""
    waiting, seen = list(node.input), set()
    while waiting:
        name = waiting.pop()
        before = made_by.get(name)
        if before is None or name in seen:
            continue
        seen.add(name)
        if before.op_type == "MatMul" and all(one in made_by for one in before.input):
            return True
        if before.op_type in _THROUGH:
            waiting += before.input
    return False


def _more(now: onnx.GraphProto, before: onnx.GraphProto) -> dict[str, int]:
    """Operators of onnxruntime's own that there are more of than before."""
    made = Counter(node.op_type for node in now.node if node.domain == "com.microsoft")
    made -= Counter(node.op_type for node in before.node if node.domain == "com.microsoft")
    return dict(sorted(made.items()))


# --- the candidates -------------------------------------------------------------------------------


def _by_onnxruntime(source: Path, *, skip_layer_norm: bool) -> onnx.ModelProto:
    """Fused by ``onnxruntime.transformers``, with the mask as it is.

    By default its attention takes the number of tokens for the mask, as if all padding were behind.
    """
    options = FusionOptions("bert")
    options.use_raw_attention_mask(True)
    options.enable_skip_layer_norm = skip_layer_norm
    with quiet():
        fused = optimize_model(str(source), "bert", optimization_options=options)
    model: onnx.ModelProto = fused.model
    return model


def _by_tools(source: Path) -> onnx.ModelProto:
    """Fused by the old package, ``onnxruntime-tools``."""
    with TemporaryDirectory() as scratch:
        return old_fusion.fuse(source, Path(scratch) / "fused.onnx")


def _packed(source: Path) -> onnx.ModelProto:
    """Attention of one packed projection fused, as our own text family has it."""
    return attention.fuse(onnx.load(source))


_NOW: dict[str, Way] = {
    "attention of a packed projection": _packed,
    "fused but for SkipLayerNormalization": partial(_by_onnxruntime, skip_layer_norm=False),
    "fused": partial(_by_onnxruntime, skip_layer_norm=True),
}
_THEN: dict[str, Way] = {"fused by onnxruntime-tools": _by_tools}
WAYS: Mapping[FusionTool, dict[str, Way]] = {
    "onnxruntime": _NOW,
    "onnxruntime-tools": _THEN,
    "both": _THEN | _NOW,
}
"""By who fuses, from the plainest on."""


# --- judging them ---------------------------------------------------------------------------------


def _answered(source: Path, feeds: Iterable[parity.Feed]) -> tuple[list[parity.Feed], float]:
    """The feeds that the source answers finitely, and the largest of its answers.

    What it does not answer, such as a length that it is not really open to, says nothing of fusion.

    Raises:
        ModelError: it does not answer the samples.
    """
    session = open_session(source)
    kept, largest = [], 0.0
    for place, feed in enumerate(feeds):
        try:
            answers = run_once(session, feed, source)
        except ModelError:
            if place == 0:
                raise
            continue
        if all(np.isfinite(one).all() for one in answers):
            kept.append(feed)
            largest = max(largest, *(float(np.abs(one).max(initial=0.0)) for one in answers))
        elif place == 0:
            raise ModelError("answers that are not finite", where=source.name)
    return kept, largest


def _compared(
    candidate: Candidate, source: Path, file: Path, feeds: list[parity.Feed], largest: float
) -> Candidate:
    """The candidate with its difference, before and after onnxruntime's own optimizer."""
    try:
        difference = max(
            parity.largest_difference(source, file, feeds, optimization=level)
            for level in ("none", "all")
        )
    except ModelError as error:
        return candidate.model_copy(update={"refused": str(error)})
    allowed = TOLERANCE * largest
    refused = f"answers differ by {difference:.2g}, {allowed:.2g} is allowed"
    return candidate.model_copy(
        update={
            "largest_difference": difference,
            "refused": None if difference <= allowed else refused,
        }
    )


def _measured(
    files: Mapping[str, Path],
    samples: Mapping[str, NDArray[Any]],
    settings: Settings,
    folder: Path,
) -> dict[str, dict[str, Estimate]]:
    """Latency of each file, and of all but the first the ratio to it."""
    inputs = folder / "inputs.npz"
    np.savez(inputs, allow_pickle=False, **samples)
    subjects = [Subject(name, path) for name, path in files.items()]
    settings = dataclasses.replace(
        settings, feed=dataclasses.replace(settings.feed, inputs=str(inputs))
    )
    found = measure(Request(subjects, settings, folder / "bench"))
    figures = {one.name: {"p50_ms": one.p50_ms} for one in found.models}
    for ratio in found.ratios:
        figures[ratio.of]["ratio"] = ratio.p50
    return figures
