"""``bench --arena``: the memory of .tflite files on a microcontroller."""

import io
import json
from types import SimpleNamespace

import pytest
import toolchain_tools
from click.testing import CliRunner
from edgestill.devices.bench.settings import Subject
from edgestill.errors import UsageError
from edgestill.pipeline.commands import bench_arena
from edgestill.pipeline.commands.cli import cli
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.finished.arena import ArenaCounted, look
from edgestill.pipeline.finished.inspected import subjects_of
from edgestill.pipeline.progress import Silent
from rich.console import Console
from shared_data import SHARED

TINY = SHARED / "mlperf_tiny"
MODELS = [str(TINY / f"{name}.tflite") for name in ("pretrainedResnet_quant", "kws_ref_model")]


def bench(*words, json=False):
    invocation = Invocation(debug=False, json=json)
    args = ["bench", *words, *(["--json"] if json else [])]
    ended = CliRunner().invoke(cli, args, obj=invocation, standalone_mode=False)
    if ended.exception is not None:
        raise ended.exception
    return ended.stdout


@pytest.mark.skipif(not TINY.exists(), reason="needs shared/data/mlperf_tiny")
def test_the_arena_of_each_file_is_shown_and_written(tmp_path):
    toolchain_tools.python_of("tflite-micro")
    shown = bench(*MODELS, "--arena", "--csv", str(tmp_path / "a.csv"))
    assert "55,984 B (54.7 KiB)" in shown
    assert "24,272 B (23.7 KiB)" in shown
    assert "scale 1," in shown
    assert "tflite-micro 0." in shown
    header, first, _ = (tmp_path / "a.csv").read_text().splitlines()
    assert header == "model,file_bytes,arena_bytes,tensors_bytes,kept_bytes"
    assert first == "pretrainedResnet_quant.tflite,98496,55984,49152,6832"
    found = json.loads(bench(*MODELS, "--arena", json=True))["models"]
    assert [one["arena_bytes"] for one in found] == [55_984, 24_272]
    assert found[1]["outputs"] == [
        {
            "name": "Identity",
            "type": "tensor(int8)",
            "shape": [1, 12],
            "scale": 1 / 256,
            "zero_point": -128,
        }
    ]


def test_other_formats_and_other_counts_are_refused(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(UsageError, match="which microcontrollers run"):
        look(subjects_of([tmp_path / "m.onnx"]), Silent())
    with pytest.raises(UsageError, match=r"--arena: found m\.onnx, expected a \.tflite file"):
        bench(str(tmp_path / "m.onnx"), "--arena")
    with pytest.raises(UsageError, match="--instructions and --arena"):
        bench("m.tflite", "--arena", "--instructions")


def test_a_name_is_no_formula_in_the_csv_and_is_printed_as_data(tmp_path):
    file = tmp_path / "=m.tflite"
    file.write_bytes(b"0" * 2048)
    arena = SimpleNamespace(total_bytes=55_984, tensors_bytes=49_152, kept_bytes=6_832)
    answer = SimpleNamespace(arena=arena, runtime="tflite-micro 0.1", takes=(), gives=())
    found = ArenaCounted(((Subject("=m\x1b.tflite", file), answer),))
    (line,) = bench_arena.lines(found)
    assert line["model"].startswith("'=m")
    assert (line["arena_bytes"], line["file_bytes"]) == (55_984, 2048)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(bench_arena.summary(found))
    shown = console.export_text()
    assert "55,984 B (54.7 KiB)" in shown
    assert "\x1b" not in shown
