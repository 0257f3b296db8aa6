"""What ``bench`` shows of a measurement stands on a screen of 80 columns and 24 lines."""

import io
from dataclasses import replace

import measured_example
import pytest
from edgestill.pipeline.commands.bench_screen import screen
from rich.console import Console

LINES = 22
"""Of 24: below it stand the folder of raw samples and the prompt; the line of progress is above."""


def shown(measured, columns=80):
    console = Console(file=io.StringIO(), width=columns)
    console.print(screen(measured, columns=columns))
    return console.file.getvalue()


def of(names):
    """The example with as many models, under these names."""
    whole = measured_example.benchmark()
    new = dict(zip([model.name for model in whole.models], names, strict=False))
    models = tuple(replace(m, name=new[m.name]) for m in whole.models if m.name in new)
    ratios = tuple(
        replace(ratio, of=new[ratio.of], over=new[ratio.over])
        for ratio in whole.ratios
        if ratio.of in new and ratio.over in new
    )
    return replace(whole, models=models, ratios=ratios, warnings=("a", "b"))


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_any_number_of_models_fits_a_screen(count, columns):
    lines = shown(of([f"model-{i}.onnx" for i in range(count)]), columns).splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= columns
    assert lines[-1] == "details: 2 warnings, how it was measured, more figures: --verbose"
    assert "…" not in " ".join(lines[:-1])


def test_two_models_have_a_column_each_with_intervals_and_a_sentence():
    text = shown(of(["a.onnx", "b.onnx"]))
    head, _, p50, *_ = text.splitlines()
    assert head.split() == ["a.onnx", "b.onnx"]
    assert p50.startswith("p50 ")
    assert p50.count(" to ") == 2
    assert "b.onnx" in next(line for line in text.splitlines() if "takes" in line)


def test_many_models_have_a_row_each_with_the_ratio_to_the_fastest():
    names = [f"model-{i}.onnx" for i in range(4)]
    lines = shown(of(names)).splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith("model-")}
    assert list(rows) == names
    assert sum("fastest" in row for row in rows.values()) == 1
    assert sum("×" in row for row in rows.values()) == 3


def test_the_folder_is_said_once_and_no_name_is_broken_within_a_part():
    names = ["out/gcto/a/gcto.int8-static.onnx", "out/gcto/b/gcto.int8-static.onnx"]
    text = shown(of(names))
    assert text.startswith("in out/gcto:\n")
    table = text[: text.index("p50")]
    assert "out/gcto/" not in table.partition("\n")[2]
    for part in ("a/gcto.", "int8-static.", "onnx"):
        assert part in table


def test_what_is_unknown_is_said_without_its_reason():
    whole = of(["a.onnx"])
    unknown = replace(whole.models[0].p99_ms, value=None, low=None, high=None, missing="too few")
    text = shown(replace(whole, models=(replace(whole.models[0], p99_ms=unknown),)))
    assert "p99" in text
    assert "unknown" in text
    assert "too few" not in text
