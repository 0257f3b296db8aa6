"""The C array of a model: compiled, it holds the same bytes, aligned, and the header's figures."""

import shutil
import subprocess

import pytest
from edgestill.exporters.c_array import identifier, write
from edgestill.exporters.microcontroller import Needs
from edgestill.exporters.scaled import Scaled

MAIN = """
#include <cstdint>
#include <cstdio>
#include "int8-static.micro.h"
int main() {
  if (reinterpret_cast<std::uintptr_t>(int8_static_model) % 16) return 2;
  std::printf("%zu %g %d ", int8_static_model_arena_bytes, int8_static_model_input_scale,
              int8_static_model_output_zero_point);
  std::fflush(stdout);
  std::fwrite(int8_static_model, 1, int8_static_model_size, stdout);
}
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "int8-static.micro.tflite"
    path.write_bytes(bytes(range(256)) + b"end")
    ports = Scaled("int8", (1, 2), 0.1, -128), Scaled("int8", (1, 10), 1 / 256, 7)
    write(path, Needs(2224, "tflite-micro 0.1", *ports))
    return path


def test_its_name_is_an_identifier(model):
    assert identifier(model) == "int8_static_model"


def test_the_header_says_what_counts(model):
    header = model.with_name("int8-static.micro.h").read_text()
    assert "int8_static_model_size = 259;" in header
    assert "Counted by tflite-micro 0.1" in header
    assert "input: int8 1x2; a number is scale * (integer - zero_point)." in header


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_it_is_the_same_model(model, tmp_path):
    (tmp_path / "main.cc").write_text(MAIN)
    sources = ["main.cc", "int8-static.micro.cc"]
    words = ["g++", "-std=c++17", "-Wall", "-Werror", "-o", "main", *sources]
    subprocess.run(words, cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "main"], stdout=subprocess.PIPE, check=True).stdout
    assert printed == b"2224 0.1 7 " + model.read_bytes()
