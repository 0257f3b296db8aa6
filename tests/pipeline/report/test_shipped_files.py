"""What a report says of the files that ship in another runtime's format."""

import runtimes_example
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.report import words


def test_a_file_of_another_runtime_has_the_name_that_the_run_gives_it_and_was_judged():
    said = words.shipped_files(runtimes_example.several())
    assert said.startswith("models/digits-int8-static.tflite (")
    assert said.endswith(" is what was judged.")


def test_beside_an_onnx_file_the_other_format_was_compared_with_it():
    report = runtimes_example.several(Gate(min_accuracy=0.9, runtimes=("onnx", "ort")))
    first, second = words.shipped_files(report).split("models/")[1:]
    assert ".onnx (" in first
    assert "is what was judged." in first
    assert ".ort (" in second
    assert "was compared with it by its answers" in second
