"""The table of every compression method that needs no training; ``train`` has those that train.

A method takes the fp32 file and writes another; it returns how many nodes it changed and notes for
the reader. Changing nothing is an error. Only ``fused``, which measures its candidates, may find
that the unfused model is the fastest.
"""

from collections.abc import Callable
from dataclasses import replace

import onnx

from ...devices.bench.ratio_text import stated
from ...errors import NoEffectError
from .fuse import fusion
from .fuse.candidates import Candidate
from .inner_layers import inner_layers
from .int8 import int8_dynamic, int8_mixed, int8_static
from .method import Effect, Job
from .weights import fp16, weight_only


def _fused(job: Job) -> Effect:
    """Fuse a transformer if that is correct and faster.

    Raises:
        NoEffectError: the model is not a transformer.
        HostError: the package that fuses is not installed.
    """
    fusion_result = fusion.fuse(
        job.source, job.target, pad=job.pad, samples=job.samples, by=job.fusion
    )
    if not fusion_result.candidates:
        nodes = len(onnx.load(job.source, load_external_data=False).graph.node)
        raise NoEffectError(
            found=f"fused changed none of {nodes} nodes ({fusion_result.why})",
            expected="attention that can be fused",
            where="compress.variants",
            fix="leave 'fused' out of compress.variants",
        )
    notes = [f"chosen: {fusion_result.choice} ({fusion_result.why})"]
    notes += [_described(candidate) for candidate in fusion_result.candidates[1:]]
    return Effect(fusion_result.changed_nodes, tuple(notes))


def _described(candidate: Candidate) -> str:
    added = ", ".join(f"{count} {kind}" for kind, count in candidate.fused.items()) or "nothing"
    result = candidate.refused or stated(candidate.ratio, "latency", "the unfused model")
    return f"{candidate.name}: {added}; {result}"


Method = Callable[[Job], Effect]


def _main_graph_only(method: Method) -> Method:
    """A method that takes no layer of an If, a Loop or a Scan, and says which it left."""

    def quantize(job: Job) -> Effect:
        try:
            effect = method(job)
        except NoEffectError as error:
            found = "; ".join((error.found, *inner_layers(onnx.load(job.source))))
            raise NoEffectError(
                found, expected=error.expected, where=error.where, fix=error.fix
            ) from error
        # The file that was written: preparing it may have opened an If of a constant condition.
        return replace(effect, notes=(*effect.notes, *inner_layers(onnx.load(job.target))))

    return quantize


METHODS: dict[str, Method] = {
    "int8-dynamic": _main_graph_only(int8_dynamic.quantize),
    "int8-static": _main_graph_only(int8_static.quantize),
    "int8-mixed": _main_graph_only(int8_mixed.quantize),
    "int8-weights": _main_graph_only(lambda job: weight_only.int8(job.source, job.target)),
    "int4-weights": _main_graph_only(lambda job: weight_only.int4(job.source, job.target)),
    "fp16": lambda job: fp16.convert(job.source, job.target, job.samples),
    "fused": _fused,
}
