"""The program in C++ for ONNX Runtime, run with the library that the Python package brings.

No package of a registry brings the library's C header, so what the program uses of it is declared
here: the library's functions stand in a table, in an order that never changes (its version 1 ends
with the 102nd), and its types are pointers and numbers. A call that was declared wrong would crash
or answer otherwise.
"""

import re
import shutil
import subprocess
from pathlib import Path

import digits_bundle
import numpy as np
import onnxruntime
import pytest

pytestmark = pytest.mark.slow

EXTENTS = "const int64_t *shape, size_t rank, ONNXTensorElementDataType type"
NAMES = "const char *const *"
TABLE = {
    2: "const char *(*GetErrorMessage)(const OrtStatus *)",
    3: "OrtStatus *(*CreateEnv)(int level, const char *id, OrtEnv **)",
    7: "OrtStatus *(*CreateSession)(const OrtEnv *, const char *, const OrtSessionOptions *, "
    "OrtSession **)",
    9: f"OrtStatus *(*Run)(OrtSession *, const void *, {NAMES}, const OrtValue *const *, size_t, "
    f"{NAMES}, size_t, OrtValue **)",
    10: "OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **)",
    24: "OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *, int)",
    49: "OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *, void *, size_t, "
    f"{EXTENTS}, OrtValue **)",
    51: "OrtStatus *(*GetTensorMutableData)(OrtValue *, void **)",
    69: "OrtStatus *(*CreateCpuMemoryInfo)(int allocator, int memory, OrtMemoryInfo **)",
    92: "void (*ReleaseEnv)(OrtEnv *)",
    94: "void (*ReleaseMemoryInfo)(OrtMemoryInfo *)",
    95: "void (*ReleaseSession)(OrtSession *)",
    96: "void (*ReleaseValue)(OrtValue *)",
    100: "void (*ReleaseSessionOptions)(OrtSessionOptions *)",
}
"""Functions by their place in the table."""
TYPES = ("Env", "MemoryInfo", "Session", "SessionOptions", "Status", "Value")
HEADER = """\
#pragma once
#include <cstddef>
#include <cstdint>
{types}
enum ONNXTensorElementDataType {{ ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1 }};
enum {{ ORT_LOGGING_LEVEL_WARNING = 2, OrtArenaAllocator = 1, OrtMemTypeDefault = 0 }};
enum {{ ORT_API_VERSION = 1 }};
struct OrtApi {{
{members}
}};
struct OrtApiBase {{
  const OrtApi *(*GetApi)(uint32_t version);
}};
extern "C" const OrtApiBase *OrtGetApiBase();
"""


def header():
    """What the program includes."""
    members = [f"  {TABLE.get(place, f'void *at_{place}')};" for place in range(102)]
    types = "\n".join(f"struct Ort{name};" for name in TYPES)
    return HEADER.format(types=types, members="\n".join(members))


def library():
    """The library that the Python package brings, under the name that it is linked by."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    return next(folder.glob("libonnxruntime.so.*[0-9]"), None)


def compiled(bundle, folder, compiler):
    folder.mkdir()
    (folder / "onnxruntime_c_api.h").write_text(header())
    # It is loaded by its soname, which the package's file does not have as its own.
    own = library()
    named = subprocess.run(["readelf", "-d", str(own)], capture_output=True, text=True, check=True)
    (soname,) = re.findall(r"SONAME.*\[(.+)\]", named.stdout)
    (folder / soname).symlink_to(own)
    words = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{folder}"]
    words += ["snippets/onnxruntime.cc", str(folder / soname), f"-Wl,-rpath,{folder}"]
    program = folder / "program"
    built = subprocess.run(
        [*words, "-o", str(program)], cwd=bundle, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return program


def run(program, bundle):
    words = {"cwd": bundle, "capture_output": True, "text": True, "check": False}
    return subprocess.run([str(program)], env={"ORT_DISABLE_TELEMETRY": "1"}, **words)


def test_it_is_compiled_and_agrees_and_sees_another_output(tmp_path):
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None or shutil.which("readelf") is None or library() is None:
        pytest.skip("no C++ compiler, or no library beside the Python package")
    files = tmp_path / "files"
    files.mkdir()
    bundle = digits_bundle.bundle(digits_bundle.made(files, "onnx"), tmp_path)
    program = compiled(bundle, tmp_path / "built", compiler)
    ended = run(program, bundle)
    assert (ended.returncode, ended.stdout) == (0, "models/fp32.onnx: agrees\n"), ended.stderr
    bare = bundle / "golden" / "fp32.onnx.output.bin"
    (np.fromfile(bare, np.float32) + 1.0).tofile(bare)
    ended = run(program, bundle)
    assert (ended.returncode, ended.stdout.count("DIFFERS")) == (1, 1), ended.stderr
    (bundle / "models" / "fp32.onnx").write_bytes(b"no model")
    ended = run(program, bundle)
    assert ended.returncode == 2
    assert "models/fp32.onnx: " in ended.stderr
