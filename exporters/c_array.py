"""A model as C++ source: an array for a program without a file system, and a header.

write(Path("int8-static.micro.tflite"), needs)     # int8-static.micro.cc, int8-static.micro.h
"""

import re
from pathlib import Path

from .microcontroller import Needs
from .scaled import Scaled, beside

_A_LINE = 12
_HEADER = """\
// {file}: {size} bytes of a TensorFlow Lite model for microcontrollers.
#pragma once
#include <cstddef>

extern const unsigned char {name}[];
constexpr std::size_t {name}_size = {size};
// Counted by {by}, with its reference kernels and 64-bit pointers. Kernels of a
// chip's maker may take scratch memory beside it.
constexpr std::size_t {name}_arena_bytes = {arena};
{scales}"""
_SCALE = """\
// {what}: {dtype} {shape}; a number is scale * (integer - zero_point).
constexpr float {name}_{what}_scale = {scale!r}f;
constexpr int {name}_{what}_zero_point = {zero};
"""


def write(model: Path, needs: Needs) -> tuple[Path, Path]:
    """Write the array and its header beside a model; both paths."""
    content, name = model.read_bytes(), identifier(model)
    source, header = beside(model, ".cc"), beside(model, ".h")
    rows = (content[start : start + _A_LINE] for start in range(0, len(content), _A_LINE))
    body = "\n".join(f"  {', '.join(f'0x{byte:02x}' for byte in row)}," for row in rows)
    # The runtime reads tensors where they lie, by instructions that want them aligned.
    source.write_text(
        f'#include "{header.name}"\n\nalignas(16) const unsigned char {name}[] = {{\n{body}\n}};\n',
        encoding="utf-8",
    )
    ports = (("input", needs.input), ("output", needs.output))
    header.write_text(
        _HEADER.format(
            file=model.name,
            name=name,
            size=len(content),
            by=needs.counted_by,
            arena=needs.arena_bytes,
            scales="".join(_scale(name, what, port) for what, port in ports),
        ),
        encoding="utf-8",
    )
    return source, header


def identifier(model: Path) -> str:
    """The array's name: ``int8_static_model``."""
    return re.sub(r"\W", "_", f"{model.name.partition('.')[0]}_model", flags=re.ASCII)


def _scale(name: str, what: str, port: Scaled) -> str:
    if port.scale is None:
        return f"// {what}: {port.dtype} {_shape(port)}.\n"
    return _SCALE.format(
        what=what,
        name=name,
        dtype=port.dtype,
        shape=_shape(port),
        scale=port.scale,
        zero=port.zero_point,
    )


def _shape(port: Scaled) -> str:
    return "x".join(map(str, port.shape))
