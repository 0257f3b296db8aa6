"""Counts that no tool has for another runtime's file are those of its ONNX twin, or unknown."""

import dataclasses

import pytest
import runtimes_example
from edgestill.exporters.package import AS_IN_ONNX
from edgestill.pipeline.judge.counts_of_twins import with_counts

METHOD = "declared model after Horowitz, ISSCC 2014"
FROM = "operations counted in models/digits-int8-static.onnx; "


def counted(name, computes_in="int8", types=None, shapes=None, kind="declared"):
    """The figures of one file after its twin's were looked at, and its ratio to the teacher."""
    whole = runtimes_example.several()
    types = {"int8": 812_416} if types is None else types
    models = []
    for one in whole.measured.benchmark.models:
        one = dataclasses.replace(one, macs_by_type=types, counted_for={"input": (1, 8)})
        if "@" in one.name:
            one = dataclasses.replace(one, macs_by_type=None, counted_for=shapes or one.counted_for)
        else:
            energy = dataclasses.replace(one.energy_uj, kind=kind)
            one = dataclasses.replace(one, energy_uj=energy)
        models.append(one)
    variants = []
    for one in whole.variants.variants:
        package = dataclasses.replace(one.packages[0], computes_in=computes_in)
        variants.append(one.model_copy(update={"packages": (package, *one.packages[1:])}))
    bench = dataclasses.replace(whole.measured.benchmark, models=tuple(models))
    made = with_counts(bench, variants)
    figures = next(one for one in made.models if one.name == name)
    ratios = {one.over: one for one in made.ratios if one.of == name}
    return figures, ratios, {one.name: one for one in made.models}


@pytest.mark.parametrize("computes_in", ["int8", AS_IN_ONNX])
def test_of_the_same_types_and_shapes_the_counts_are_the_twins_and_say_so(computes_in):
    figures, ratios, models = counted("int8-static@litert", computes_in)
    twin = models["int8-static"]
    assert figures.counted_in == "models/digits-int8-static.onnx"
    assert (figures.macs, figures.parameters) == (twin.macs, twin.parameters)
    assert figures.energy_uj.value == twin.energy_uj.value
    assert figures.energy_uj.method == FROM + METHOD
    assert figures.energy_uj.kind == "declared"
    assert figures.weight_bytes is None
    assert ratios["teacher"].energy.value is not None
    assert ratios["teacher"].energy.method.startswith(FROM)


def test_the_files_in_onnx_keep_their_own():
    _, _, models = counted("int8-static@litert")
    assert models["int8-static"].counted_in is None
    assert models["int8-static"].energy_uj.method == METHOD


def test_over_its_own_twin_the_declared_energy_is_one():
    _, ratios, _ = counted("fp32@litert", "float32", {"float32": 1})
    energy = ratios["fp32"].energy
    assert (energy.value, energy.low, energy.high, energy.kind) == (1.0, 1.0, 1.0, "declared")
    assert energy.method.startswith("operations counted in models/digits-fp32.onnx; ")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            {"computes_in": "float32", "types": {"float16": 9}},
            "it multiplies in float32, models/digits-int8-static.onnx in float16",
        ),
        (
            {"types": {"int8": 9, "float32": 1}},
            "it multiplies in int8, models/digits-int8-static.onnx in int8 and float32",
        ),
        ({"computes_in": None}, "the types that it computes in are not known"),
        (
            {"shapes": {"input": (1, 64)}},
            "those of models/digits-int8-static.onnx hold for texts of another",
        ),
    ],
)
def test_where_operations_differ_all_stays_unknown_with_the_reason(given, reason):
    figures, ratios, _ = counted("int8-static@litert", **given)
    assert (figures.macs, figures.parameters, figures.counted_in) == (None, None, None)
    assert figures.energy_uj.value is None
    assert figures.energy_uj.missing.startswith("operations of a .tflite file are not counted")
    assert reason in figures.energy_uj.missing
    assert reason in ratios["teacher"].energy.missing


def test_a_measured_energy_of_the_twin_is_not_another_files():
    """Another runtime draws another power."""
    figures, _, _ = counted("int8-static@litert", kind="measured")
    assert figures.energy_uj.value is None
    assert figures.macs is not None
