"""A diagnosis in words, one fact a sentence.

>>> next(sentences(diagnosis, busy=False))                     # doctest: +SKIP
'int8 takes 1.19× the latency of fp32: 238 µs and 200 µs a query at the 10th percentile, ...'
"""

from collections import Counter
from collections.abc import Iterator

from ...devices.onboard.model.modelfile import printable
from ...devices.onboard.model.outline import WEIGHT_AT
from ..printable import how_many
from .advice import LEAST_SHARE_OF_A_LAYER
from .findings import Diagnosis, LayerTimes


def sentences(diagnosis: Diagnosis, *, busy: bool) -> Iterator[str]:
    """The sentences of `Diagnosis.why`.

    Args:
        diagnosis: everything but its sentences.
        busy: whether other processes disturbed the queries.
    """
    yield (
        f"int8 takes {diagnosis.int8_us / diagnosis.fp32_us:.2f}× the latency of fp32: "
        f"{diagnosis.int8_us:.0f} µs and {diagnosis.fp32_us:.0f} µs a query at the 10th "
        f"percentile, {diagnosis.int8_p50_us:.0f} µs and {diagnosis.fp32_p50_us:.0f} µs at the "
        "median"
    )
    if busy:
        yield "other processes took much of the time of these queries; measure on an idle machine"
    layers = [layer for layer in diagnosis.layers if layer.op in WEIGHT_AT and layer.computes]
    in_float = sum(layer.computes == "float" for layer in layers)
    yield f"{in_float} of {len(layers)} layers with weights are computed in float in the int8 file"
    reasons = Counter(
        layer.why + (f": {layer.fix}" if layer.fix else "") for layer in diagnosis.unfused
    )
    for why, count in reasons.items():
        yield f"{count} layer{'s' if count > 1 else ''} did not fuse: {why}"
    conversions = diagnosis.quantize_us + diagnosis.dequantize_us
    layers_us = sum(layer.int8_us or 0.0 for layer in diagnosis.layers)
    operators = conversions + diagnosis.reorders_us + layers_us
    yield (
        f"quantizing and dequantizing take {conversions:.0f} µs of {operators:.0f} µs, "
        f"reorderings {diagnosis.reorders_us:.0f} µs (in the fp32 file "
        f"{diagnosis.reorders_fp32_us:.0f} µs)"
    )
    slowest = _slowest(diagnosis)
    yield _slower_layers(diagnosis)
    if diagnosis.unjoined:
        yield f"{how_many(len(diagnosis.unjoined), 'operator')} could not be joined to a layer"
    if diagnosis.advice is None:
        yield "leaving layers in float would save no time"
    else:
        count = len(diagnosis.advice.layers)
        yield (
            f"leaving {count} layer{'s' if count > 1 else ''} in float is expected to save "
            f"{diagnosis.advice.saving_us:.0f} µs of {diagnosis.int8_us:.0f} µs (not measured)"
        )
    if slowest is not None and (why := _stays(slowest, diagnosis)):
        yield why


def _lost_us(layer: LayerTimes) -> float:
    """By how much a layer is slower in the quantized file."""
    if layer.fp32_us is None or layer.int8_us is None:
        return 0.0
    return layer.int8_us - layer.fp32_us


def _slower(diagnosis: Diagnosis) -> list[LayerTimes]:
    least_us = LEAST_SHARE_OF_A_LAYER * diagnosis.int8_us
    return [layer for layer in diagnosis.layers if _lost_us(layer) > least_us]


def _slowest(diagnosis: Diagnosis) -> LayerTimes | None:
    return max(_slower(diagnosis), key=_lost_us, default=None)


def _slower_layers(diagnosis: Diagnosis) -> str:
    slower, slowest = _slower(diagnosis), _slowest(diagnosis)
    if slowest is None:
        return "no layer is slower in the int8 file"
    return (
        f"{len(slower)} of {how_many(len(diagnosis.layers), 'layer')} are slower in the int8 file, "
        f"{printable(slowest.name)} most, by {_lost_us(slowest):.0f} µs"
    )


def _stays(slowest: LayerTimes, diagnosis: Diagnosis) -> str:
    """Why the layer that loses most is not to be left in float; empty where it is."""
    name, added_us = printable(slowest.name), slowest.added_us
    if diagnosis.advice is not None and slowest.name in diagnosis.advice.layers:
        return ""
    if added_us is None:
        return f"{name} is computed in float already, or was not timed in both files"
    if added_us < 0.0:
        return (
            f"{name} stays in int8: in float the quantizing and dequantizing around it would take "
            f"{-added_us:.1f} µs more than it saves (computed)"
        )
    return f"{name} stays in int8: in float it would save {added_us:.1f} µs (computed), too little"
