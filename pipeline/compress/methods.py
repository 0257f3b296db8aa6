"""One table that names every method that needs no training; ``tuning`` has those that train.

A method takes the fp32 file and writes another; it returns how many nodes it changed and what the
reader should know. Changing nothing is an error, never a green run; only ``fused``, which measures
what it tries, may find that the model is best left as it is.
"""

from collections.abc import Callable

import onnx

from ...errors import NoEffectError
from .fuse import fusion
from .int8 import int8_dynamic, int8_mixed, int8_static
from .method import Effect, Job
from .weights import fp16, weight_only


def _fused(job: Job) -> Effect:
    """Fuse a transformer where that is correct and faster.

    Raises:
        NoEffectError: the model is no transformer.
        HostError: the package that is to fuse is not installed.
    """
    found = fusion.fuse(job.source, job.target, pad=job.pad, samples=job.samples, by=job.fusion)
    if not found.candidates:
        nodes = len(onnx.load(job.source, load_external_data=False).graph.node)
        raise NoEffectError(
            found=f"fused changed none of {nodes} nodes ({found.why})",
            expected="attention that can be fused",
            where="compress.variants",
            fix="leave 'fused' out of compress.variants",
        )
    notes = [f"{found.choice} ships: {found.why}"]
    for one in found.candidates[1:]:
        made = ", ".join(f"{count} {kind}" for kind, count in one.fused.items()) or "nothing"
        ratio = one.ratio
        took = one.refused or f"{ratio.value:.2f} of the time ({ratio.low:.2f} to {ratio.high:.2f})"
        notes.append(f"{one.name}: {made}; {took}")
    return Effect(found.changed_nodes, tuple(notes))


METHODS: dict[str, Callable[[Job], Effect]] = {
    "int8-dynamic": int8_dynamic.quantize,
    "int8-static": int8_static.quantize,
    "int8-mixed": int8_mixed.quantize,
    "int8-weights": lambda job: weight_only.int8(job.source, job.target),
    "int4-weights": lambda job: weight_only.int4(job.source, job.target),
    "fp16": lambda job: fp16.convert(job.source, job.target, job.samples),
    "fused": _fused,
}
