"""Fusion of a transformer's operators, kept only if the outputs are the same and it is faster.

    >>> fusion = fuse(source, target, pad=0, samples={"input": ids})     # doctest: +SKIP
    >>> fusion.choice, fusion.changed_nodes                              # doctest: +SKIP
    ('fused', 8)

Each candidate is compared with the unfused model on `padding_cases` and measured beside it in fresh
processes. The fastest correct one is written; of equally fast ones, the one with fewer changes.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ....devices.bench.request import Request
from ....devices.bench.settings import Settings, Subject
from ....devices.onboard.runtimes import load
from ....devices.onboard.settings import Timing
from ....devices.onboard.stats.estimate import Estimate
from ....devices.scenarios.single_stream import measure
from ....errors import ModelError
from ...recipe.compress import FusionTool
from .. import parity
from . import padding_cases
from .candidates import NONE, Candidate, Fusion, choose
from .fusers import FUSERS, Fuser
from .transformer import is_transformer

TOLERANCE = 1e-3
"""Relative to the largest output. Another order of sums changes outputs by 1e-6 of it, a wrong mask
by 0.3."""
SETTINGS = Settings(processes=6, timing=Timing(seconds=0.1, max_queries=2_000, warmup_seconds=0.5))
"""Six processes are the fewest that give an interval."""
_NO_TRANSFORMER = "no softmax over a product, or no layer normalization"


def fuse(
    source: Path,
    target: Path,
    *,
    pad: int | None,
    samples: Mapping[str, NDArray[Any]],
    by: FusionTool = "onnxruntime",
    settings: Settings = SETTINGS,
    fusers: Mapping[str, Fuser] | None = None,
) -> Fusion:
    """Write the fastest of the candidates with the source's outputs.

    Args:
        source: the fp32 file.
        target: the file to write; a copy of the source if no candidate is faster.
        pad: the id of padding, if the model derives its mask from the ids; None: it does not.
        samples: by input name, samples along the first axis.
        by: the tool whose fusers are tried.
        settings: how candidates are measured.
        fusers: by name, in the order of preference; None: those of ``FUSERS[by]``.

    Raises:
        HostError: the package that fuses is not installed.
        ModelError: the source does not run on the samples, or its outputs are not finite.
        MeasureError: a measuring process died or ran out of time.
    """
    graph = onnx.load(source).graph
    if not is_transformer(graph):
        target.write_bytes(source.read_bytes())
        return Fusion(candidates=(), choice=NONE, why=_NO_TRANSFORMER)
    feeds, largest = _answered(source, padding_cases.feeds(source, samples, pad=pad))
    reference = _Reference(source, graph, feeds, largest)
    difference = parity.largest_difference(source, source, feeds)
    candidates = [Candidate(name=NONE, fused={}, largest_difference=difference)]
    files = {NONE: source}
    with TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch)
        for name, fuser in (FUSERS[by] if fusers is None else fusers).items():
            candidates.append(_tried(name, fuser, reference, files, folder))
        correct = [candidate.name for candidate in candidates if candidate.refused is None]
        if len(correct) > 1:
            figures = _measured({name: files[name] for name in correct}, samples, settings, folder)
            candidates = [
                candidate.model_copy(update=figures.get(candidate.name, {}))
                for candidate in candidates
            ]
        choice, why = choose([candidate for candidate in candidates if candidate.refused is None])
        target.write_bytes(files[choice].read_bytes())
    return Fusion(candidates=tuple(candidates), choice=choice, why=why)


@dataclass(frozen=True)
class _Reference:
    """The unfused model, and the inputs on which candidates must give its outputs."""

    source: Path
    graph: onnx.GraphProto
    feeds: list[parity.Feed]
    largest: float


def _tried(
    name: str, fuser: Fuser, reference: _Reference, files: dict[str, Path], folder: Path
) -> Candidate:
    """Fuse once and compare; a candidate with a file of its own is added to `files`."""
    try:
        model = fuser(reference.source)
    except ModelError as error:
        return Candidate(name=name, fused={}, refused=str(error))
    fused = _added(model.graph, reference.graph)
    file = folder / f"{name}.onnx"
    file.write_bytes(model.SerializeToString(deterministic=True))
    same = next((n for n, f in files.items() if f.read_bytes() == file.read_bytes()), None)
    if not fused or same:
        refused = f"the same as {same}" if same else "nothing fused"
        return Candidate(name=name, fused=fused, refused=refused)
    files[name] = file
    return _compared(Candidate(name=name, fused=fused), file, reference)


def _added(now: onnx.GraphProto, before: onnx.GraphProto) -> dict[str, int]:
    """How many more operators of onnxruntime's own the graph has than before, by type."""
    added = Counter(node.op_type for node in now.node if node.domain == "com.microsoft")
    added -= Counter(node.op_type for node in before.node if node.domain == "com.microsoft")
    return dict(sorted(added.items()))


def _answered(source: Path, feeds: Iterable[parity.Feed]) -> tuple[list[parity.Feed], float]:
    """The feeds on which the source gives finite outputs, and its largest output.

    Other feeds are left out: a length that the model does not support says nothing about fusion.

    Raises:
        ModelError: the source does not run on the samples, which are the first feed.
    """
    model = load(source)
    kept, largest = [], 0.0
    for place, feed in enumerate(feeds):
        try:
            answers = model.answer(feed)
        except ModelError:
            if place == 0:
                raise
            continue
        if all(np.isfinite(output).all() for output in answers):
            kept.append(feed)
            largest = max(largest, *(float(np.abs(output).max(initial=0.0)) for output in answers))
        elif place == 0:
            raise ModelError("outputs that are not finite", where=source.name)
    return kept, largest


def _compared(candidate: Candidate, file: Path, reference: _Reference) -> Candidate:
    """The candidate with its difference, before and after onnxruntime's own optimizer."""
    try:
        difference = max(
            parity.largest_difference(reference.source, file, reference.feeds, optimization=level)
            for level in ("none", "all")
        )
    except ModelError as error:
        return candidate.model_copy(update={"refused": str(error)})
    allowed = TOLERANCE * reference.largest
    refused = f"outputs differ by {difference:.2g}, {allowed:.2g} is allowed"
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
    """The latency of each file, and the ratio of each but the first to the first."""
    subjects = [Subject(name, path) for name, path in files.items()]
    if parity.cut(samples).plain:
        inputs = folder / "inputs.npz"
        np.savez(inputs, allow_pickle=False, **samples)
        feed = dataclasses.replace(settings.feed, inputs=str(inputs))
    else:  # Made-up inputs, of the shapes of one query.
        query = next(parity.batches(samples, 1))
        shapes = {name: array.shape for name, array in query.items()}
        feed = dataclasses.replace(settings.feed, shapes=shapes)
    settings = dataclasses.replace(settings, feed=feed)
    measured = measure(Request(subjects, settings, folder / "bench"))
    figures = {model.name: {"p50_ms": model.p50_ms} for model in measured.models}
    for ratio in measured.ratios:
        figures[ratio.of]["ratio"] = ratio.p50
    return figures
