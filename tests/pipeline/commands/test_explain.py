"""``edgestill explain`` without a measurement: its refusals, its verdict and what it prints."""

from dataclasses import fields, replace

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import StorageError, UsageError
from edgestill.pipeline.commands import models
from edgestill.pipeline.commands.explain_tables import applied_lines, summary
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.diagnose.findings import Advice, Diagnosis, Island, LayerTimes
from edgestill.pipeline.diagnose.sentences import sentences
from edgestill.pipeline.finished.compare_answers import AnswersCompared
from edgestill.pipeline.finished.explain import Applied, check_target, verdict
from edgestill.pipeline.records import OutputLoss
from rich.console import Console

SAME = OutputLoss(name="y", measure="equality", rows=32, changed=0)
DESTROYED = SAME.model_copy(update={"changed": 32, "destroyed": "all changed"})


def ratio(low, high):
    return Estimate((low + high) / 2, low, high, "", 9)


def test_a_verdict_states_a_difference_only_where_an_interval_shows_one():
    faster, slower, open_ = ratio(0.7, 0.9), ratio(1.1, 1.3), ratio(0.9, 1.1)
    assert verdict(faster, slower) == (
        "with these layers in float the quantized model is faster; it is slower than the fp32 file"
    )
    assert verdict(slower, faster) == (
        "with these layers in float the quantized model is slower; it is faster than the fp32 file"
    )
    assert verdict(open_, open_) == (
        "no difference from leaving these layers in float was shown; "
        "no difference from the fp32 file was shown"
    )
    assert verdict(Estimate.unknown("one process"), open_).count("was shown") == 2


def test_a_measured_file_is_printed_as_ratios_with_their_intervals():
    applied = Applied(
        file="mixed.onnx",
        nodes=("conv",),
        int8_over_fp32=ratio(1.25, 1.29),
        over_fp32=ratio(0.95, 0.99),
        over_int8=ratio(0.75, 0.77),
        answers=(
            AnswersCompared(32, True, (SAME,), None, (), ("fp32", "int8")),
            AnswersCompared(32, True, (DESTROYED,), None, (), ("fp32", "mixed.onnx")),
        ),
        verdict="it is faster",
        warnings=("busy",),
    )
    console = Console(width=200, record=True, quiet=False, file=None)
    with console.capture() as capture:
        console.print(applied_lines(applied))
    assert [line.rstrip() for line in capture.get().splitlines()] == [
        "int8: 1.27× the latency of fp32 (1.25 to 1.29)",
        "mixed.onnx: 0.76× the latency of int8 (0.75 to 0.77), and "
        "0.97× the latency of fp32 (0.95 to 0.99)",
        "it is faster",
        "answers to 32 generated queries, int8 against fp32: y 0 of 32 changed",
        "answers to 32 generated queries, mixed.onnx against fp32: y 32 of 32 changed",
        "warning: output y of mixed.onnx is not that of fp32: all changed",
        "warning: busy",
    ]


def test_a_target_that_must_not_or_cannot_be_written_is_refused(tmp_path):
    fp32 = tmp_path / "fp32.onnx"
    fp32.write_bytes(b"")
    with pytest.raises(UsageError, match="found one of the two models, expected a new file"):
        check_target(fp32, fp32, tmp_path / "int8.onnx")
    with pytest.raises(StorageError, match="none: the folder cannot be written"):
        check_target(tmp_path / "none" / "o.onnx", fp32, tmp_path / "int8.onnx")
    check_target(tmp_path / "new.onnx", fp32, tmp_path / "int8.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fp32.onnx"]


def test_leave_needs_apply():
    with pytest.raises(UsageError, match="--leave without --apply"):
        models.explain.main(
            ["a.onnx", "b.onnx", "--leave", "x"], standalone_mode=False, obj=Invocation()
        )


def layer(name, int8_us):
    return LayerTimes(name, "Conv", 1.0, int8_us, int8_us, 0.0, 0.0, ("QLinearConv",), "integers")


def diagnosed(layers, advice=None):
    known = {field.name: 1.0 for field in fields(Diagnosis) if field.type in (float, "float")}
    return Diagnosis(
        **{
            **known,
            "runs": 600,
            "runtime": "onnxruntime 1",
            "layers": tuple(layers),
            "islands": (Island("pad", "Pad", 1.0, 0.1),),
            "unfused": (),
            "unjoined": (),
            "why": ("int8 is slower",),
            "advice": advice,
        }
    )


def printed(layers, *, advice=None, **how):
    console = Console(width=80, file=None)
    with console.capture() as capture:
        console.print(summary(diagnosed(layers, advice), **how))
    return capture.get()


def test_one_screen_has_the_layers_that_differ_most_in_the_order_of_the_graph():
    layers = [layer(f"block{number}", 1.0 + number % 7) for number in range(20)]
    text = printed(layers, verbose=False)
    names = [line.split()[0] for line in text.splitlines() if line.startswith("block")]
    assert names == sorted(names, key=lambda name: int(name[5:]))
    assert {"block6", "block13"} <= set(names)
    assert len(names) == 6
    assert "int8 is slower" in text
    assert "details: 14 more layers, islands in float, how it was measured: --verbose" in text
    assert len(text.splitlines()) <= 24


def test_all_of_it_has_every_layer_and_island():
    layers = [layer(f"block{number}", 1.0) for number in range(20)]
    text = printed(layers, verbose=True)
    assert text.count("\nblock") == 20
    assert "float island: Pad pad" in text
    assert "operator times: onnxruntime's profiling of 600 queries" in text
    assert "--verbose" not in text


@pytest.mark.parametrize("op", ["Conv", "GlobalAveragePool"])
def test_no_figure_and_no_word_is_cut_in_80_columns(op):
    kernels = ("QuantizeLinear", "QLinearGlobalAveragePool", "DequantizeLinear")
    layers = [
        LayerTimes(f"/features/{n}/conv", op, 1234.5, 23456.7, 19.01, 345.6, 0.0, kernels, "float")
        for n in range(3)
    ]
    text = printed(layers, verbose=False)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    words = text.split()
    for whole in (op, "1234.5", "23456.7", "19.01", "345.6", *kernels):
        assert words.count(whole) == 3, whole


def test_what_was_applied_is_not_proposed_again():
    advice = Advice(("block1",), ("block1",), ("block1",), 2.0)
    layers = [layer("block1", 3.0)]
    assert "--apply OUT.onnx writes that file" in printed(layers, verbose=False, advice=advice)
    text = printed(layers, verbose=False, advice=advice, applied=True)
    assert "--apply" not in text
    assert "excluding the layers in a quantizer has no effect" in text


def test_why_the_layer_that_loses_most_stays_in_int8_is_said():
    slow = replace(layer("slow", 26.0), added_us=-4.2)
    other = layer("other", 3.0)
    diagnosis = diagnosed([slow, other], Advice(("other",), ("other",), ("other",), 2.0))
    assert list(sentences(diagnosis, busy=False))[-1] == (
        "'slow' stays in int8: in float the quantizing and dequantizing around it would take 4.2 "
        "µs more than it saves (computed)"
    )
    little = diagnosed([replace(slow, added_us=0.3), other], diagnosis.advice)
    assert list(sentences(little, busy=False))[-1] == (
        "'slow' stays in int8: in float it would save 0.3 µs (computed), too little"
    )
    same = diagnosed([replace(slow, added_us=None)], Advice(("slow",), ("slow",), ("slow",), 2.0))
    assert list(sentences(same, busy=False))[-1].startswith("leaving 1 layer in float")


def test_a_long_name_of_a_layer_is_broken_behind_a_mark():
    text = printed([layer("/features/features.0/conv/conv.0/Conv_quant", 2.0)], verbose=False)
    assert "/features/features." in text
    assert max(map(len, text.splitlines())) <= 80
