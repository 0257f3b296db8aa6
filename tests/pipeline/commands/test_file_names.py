"""Names of files in tables: a name is broken behind a mark, if it can be; a folder is said once."""

import pytest
from edgestill.pipeline.commands.file_names import apart, in_lines


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["out/a.onnx", "out/b.onnx"], ("out", ["a.onnx", "b.onnx"])),
        (["out/x/a.onnx", "out/y/a.onnx"], ("out", ["x/a.onnx", "y/a.onnx"])),
        (["/r/x/a.onnx", "/r/x/b.onnx"], ("/r/x", ["a.onnx", "b.onnx"])),
        (["a.onnx", "out/b.onnx"], ("", ["a.onnx", "out/b.onnx"])),
        (["a.onnx", "b.onnx"], ("", ["a.onnx", "b.onnx"])),
        (["/x/a.onnx", "/y/a.onnx"], ("", ["/x/a.onnx", "/y/a.onnx"])),
        (["x/a.onnx", "/y/a.onnx"], ("", ["x/a.onnx", "/y/a.onnx"])),
        (["out/a.onnx"], ("out", ["a.onnx"])),
    ],
)
def test_the_folder_that_all_names_share_is_said_once(names, found):
    assert apart(names) == found


def test_a_name_ends_a_line_behind_a_mark():
    name = "gcto/gcto.int8-static.onnx"
    assert in_lines(name, 14) == "gcto/gcto.\nint8-static.\nonnx"
    assert in_lines(name, 40) == name
    assert in_lines("int8-dynamic@openvino", 13) == "int8-dynamic@\nopenvino"


@pytest.mark.parametrize("width", range(4, 30))
def test_nothing_of_a_name_is_lost(width):
    name = "runs/2026/gcto.int8-static_v2@litert.onnx"
    lines = in_lines(name, width).split("\n")
    assert "".join(lines) == name
    assert all(len(line) <= width for line in lines)


def test_a_name_reaches_no_terminal_as_an_escape_code():
    assert "\x1b" not in in_lines("a\x1b[31m.onnx", 4)
