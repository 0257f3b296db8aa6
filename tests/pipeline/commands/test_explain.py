"""``edgestill explain`` without a measurement: its refusals, its verdict and what it prints."""

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import StorageError, UsageError
from edgestill.pipeline.commands import models
from edgestill.pipeline.commands.explain import Applied, check_target, verdict
from edgestill.pipeline.commands.explain_tables import applied_lines
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.finished.compare_answers import AnswersCompared
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
