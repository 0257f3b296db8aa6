"""What a package's files are called where the model gets another name."""

import pytest
from edgestill.exporters.package import File, Package


def package(suffix, model, *beside):
    files = (File(name, 1, None) for name in beside)
    return Package("f", "F", suffix, File(model, 1, None), tuple(files))


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (package(".onnx", "fp32.onnx"), ["new.onnx"]),
        (package(".xml", "fp32.xml", "fp32.bin"), ["new.xml", "new.bin"]),
        (package(".ort", "fp32.ort", "operators.config"), ["new.ort", "operators.config"]),
        (package(".xml", "fp32.xml", "fp32-more.bin"), ["new.xml", "fp32-more.bin"]),
        (
            package(".micro.tflite", "a.micro.tflite", "a.micro.cc", "a.micro.h", "a.micro.json"),
            ["new.micro.tflite", "a.micro.cc", "a.micro.h", "new.micro.json"],
        ),
    ],
)
def test_files_found_by_the_model_s_name_follow_it_and_no_other(made, names):
    renamed = made.renamed("new")
    assert list(renamed) == [file.name for file in made.files]
    assert list(renamed.values()) == names
