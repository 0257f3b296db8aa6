"""What ``edgestill export`` prints of one format."""

from pathlib import Path
from types import SimpleNamespace

from edgestill.pipeline.commands.export_tables import summary
from edgestill.pipeline.finished.export_check import Checked, CheckedOutput
from edgestill.pipeline.finished.exported import Exported, Made
from edgestill.pipeline.records import OutputLoss
from rich.console import Console

FILE = (Path("m.tflite"),)
LOSS = OutputLoss(name="y", measure="classes", rows=64, changed=1, max_abs_difference=0.25)
SOURCE = SimpleNamespace(onnx=Path("m.onnx"), method="m", queried="generated queries")


def checked(*outputs, missing=None, reduced=True):
    return Checked(64, "litert 2.3.0", reduced, 0.98, outputs, missing)


def shown(*made):
    console = Console(width=200)
    with console.capture() as captured:
        console.print(summary(Exported(SOURCE, made)))
    return captured.get()


def test_a_file_with_its_answers():
    one = Made("litert", FILE, 2048, "", checked(CheckedOutput(LOSS, 0.1, 63 / 64, holds=True)))
    text = shown(one)
    assert "m.tflite: 2 KiB, in litert 2.3.0: the same answers\n" in text
    assert "y: 98.4 % of 64 agree, at most 0.25 apart (0.1 allowed, or 98% that agree)" in text
    assert text.endswith("compared with m.onnx on 64 generated queries\n")


def test_other_answers_stand_out_and_end_with_1():
    output = CheckedOutput(LOSS, 0.1, 63 / 64, holds=False)
    exported = Exported(SOURCE, (Made("litert", FILE, 9, "", checked(output, reduced=False)),))
    assert exported.exit_code == 1
    assert "OTHER ANSWERS than the .onnx file" in shown(*exported.made)
    assert exported.to_dict()["formats"][0]["checked"]["holds"] is False


def test_what_is_not_made_and_what_is_not_run():
    absent = Made("litert", reason="it is made of a torch module")
    unrun = Made("coreml", FILE, 9, reason="not run here: it needs macOS")
    text = shown(absent, unrun)
    assert "litert: not exported: it is made of a torch module" in text
    assert "m.tflite: 9 B; not run here: it needs macOS" in text
    assert Exported(SOURCE, (unrun,)).exit_code == 0
    assert Exported(SOURCE, (unrun, absent)).exit_code == 3


def test_what_cannot_be_compared_is_said_and_never_the_same():
    one = Made("litert", FILE, 9, "", checked(missing="1 and 2 outputs"))
    text = shown(one)
    assert "the answers cannot be compared: 1 and 2 outputs" in text
    assert Exported(SOURCE, (one,)).exit_code == 1


def test_of_many_outputs_the_rest_is_counted():
    outputs = [CheckedOutput(LOSS, 0.1, 1.0, holds=True)] * 11
    assert "and 3 more outputs" in shown(Made("ort", FILE, 9, "", checked(*outputs)))
