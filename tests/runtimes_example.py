"""The report of ``report_example`` with its variants in LiteRT and OpenVINO, too.

    report = several()                                  # int8-static@litert ships
    report = several(Gate(min_accuracy=0.9, runtimes=("onnx",)))

A file of another runtime has the answers of its ``.onnx`` twin and a share of its latency.
"""

from dataclasses import replace

import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.exporters.package import File, Package
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import Bytes, NotCarried

LITERT = {"fp32": 0.9, "int8-static": 0.3, "int8-dynamic": 0.5}
OPENVINO = {"fp32": 1.4, "int8-static": 0.8}
TITLES = {"litert": "LiteRT", "openvino": "OpenVINO"}
SUFFIXES = {"litert": ".tflite", "openvino": ".xml"}
NOT_COUNTED = "operations of a .tflite file are not counted"


def several(gate=None, whole=None):
    """A build with formats onnx, ort, litert and openvino, judged by a gate."""
    whole = whole or report_example.report()
    for format_, shares in (("litert", LITERT), ("openvino", OPENVINO)):
        for method, share in shares.items():
            whole = _with(whole, method, format_, share)
    missing = NotCarried(
        variant="int8-dynamic", format="openvino", reason="it does not read DynamicQuantizeLinear"
    )
    variants = whole.variants.model_copy(update={"not_carried": (missing,)})
    verdict = judge(gate or Gate(min_accuracy=0.9), whole.quality, whole.measured)
    return whole.model_copy(update={"variants": variants, "verdict": verdict})


def _with(whole, method, format_, share):
    """The report with a method in one more format."""
    name = f"{method}@{format_}"
    source = next(one for one in whole.variants.variants if one.name == method)
    file = File(f"{method}{SUFFIXES[format_]}", source.bytes, "0" * 64)
    package = Package(format_, TITLES[format_], SUFFIXES[format_], file, (), format_)
    variant = source.model_copy(
        update={
            "name": name,
            "packages": (package,),
            "parts": Bytes(weights={}, scales=0, constants=0, graph=source.bytes),
        }
    )
    quality = next(one for one in whole.quality.variants if one.name == method)
    quality = quality.model_copy(update={"name": name, "packages": ()})
    bench = whole.measured.benchmark
    figures = next(one for one in bench.models if one.name == method)
    unknown = Estimate.unknown(NOT_COUNTED, "declared model", unit="uJ")
    figures = replace(
        figures,
        name=name,
        file=file.name,
        p50_ms=scaled(figures.p50_ms, share),
        p90_ms=scaled(figures.p90_ms, share),
        energy_uj=unknown,
        macs=None,
        parameters=None,
        weight_bytes=None,
        runtime=f"{format_} 2.3.0",
    )
    ratios = tuple(
        replace(one, of=name, p50=scaled(one.p50, share), energy=replace(unknown, unit="ratio"))
        for one in bench.ratios
        if one.of == method
    )
    if method == "fp32":
        over = Estimate(share, share * 0.98, share * 1.02, "paired", 9, None, "ratio", "measured")
        like = next(one for one in bench.ratios if one.over == "fp32")
        energy = replace(unknown, unit="ratio")
        ratios += (replace(like, of=name, over="fp32", p50=over, energy=energy),)
    bench = replace(bench, models=(*bench.models, figures), ratios=(*bench.ratios, *ratios))
    variants = (*whole.variants.variants, variant)
    qualities = (*whole.quality.variants, quality)
    return whole.model_copy(
        update={
            "variants": whole.variants.model_copy(update={"variants": variants}),
            "quality": whole.quality.model_copy(update={"variants": qualities}),
            "measured": whole.measured.model_copy(update={"benchmark": bench}),
        }
    )


def scaled(figure, share):
    """An estimate times a share."""
    ends = [None if end is None else end * share for end in (figure.value, figure.low, figure.high)]
    return replace(figure, value=ends[0], low=ends[1], high=ends[2])
