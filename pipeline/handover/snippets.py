"""Programs that run a bundle's models on its golden samples, one a language, and a page.

Python, JavaScript and the page read ``bundle.json``; in the others the names and shapes of one
package are constants, as literals of the language: a name cannot end its string.
"""

import json
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from ...exporters.interface import INPUT, OUTPUT
from ..printable import printable
from .manifest import BundledPackage, Golden, Manifest

FOLDER = "snippets"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One program.

    Attributes:
        file: its name in the folder ``snippets``.
        language: of the program.
        runtimes: that it is for, by the names of ``devices.onboard.runtimes``.
        command: how it is run, from the bundle's folder; None: its first lines say.
        run: whether edgestill's tests run it; what is not run is marked in the bundle.
        parts: files that it is made of besides, which another program may share.
        npm: by runtime, the package of npm that the command needs beside the bundle.
        integers: whether it makes integers of the golden samples, for models that take them.
        literal: writes a text as a literal of the language.
        types: by numpy's name of the input's type, the runtime's; None: it needs none.
    """

    file: str
    language: str
    runtimes: tuple[str, ...]
    command: str | None
    run: bool
    parts: tuple[str, ...] = ()
    npm: Mapping[str, str] = field(default_factory=dict)
    integers: bool = False
    literal: Callable[[str], str] = json.dumps
    types: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A program that was written.

    Attributes:
        snippet: which.
        models: the models that it runs.
        install: what brings the packages of npm that it needs; None: it needs none.
    """

    snippet: Snippet
    models: tuple[str, ...]
    install: str | None = None


def c_literal(text: str) -> str:
    r"""A string of C++: every byte that is not plain ASCII in octal, which takes three digits.

    >>> c_literal('a"\\')
    '"a\\042\\134"'
    """
    shown = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(shown)}"'


def kotlin_literal(text: str) -> str:
    """A string of Kotlin, in which ``$`` begins a template."""
    return json.dumps(printable(text)).replace("$", "\\$")


def swift_literal(text: str) -> str:
    r"""A string of Swift, whose escapes of characters have braces; ``\(`` cannot come about."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    shown = (c if " " <= c <= "~" else f"\\u{{{ord(c):X}}}" for c in escaped)
    return f'"{"".join(shown)}"'


def _constant(
    file: str,
    language: str,
    literal: Callable[[str], str],
    types: dict[str, str] | None = None,
    *,
    run: bool = False,
) -> Snippet:
    """A program whose names and shapes are constants, for the runtime that it is named for."""
    runtime = file.partition(".")[0].lower()
    return Snippet(file, language, (runtime,), None, run, literal=literal, types=types)


_PLAIN = frozenset(string.ascii_letters + string.digits + " !#$%&()*+,-./:;<=>@[]^_`{|}~")
"""Without quotes, the backslash, and ``?``, which begins C's trigraphs."""
_TYPES = ("float32", "uint8", "int8", "int16", "int32", "int64")
_ORT = ("FLOAT", "UINT8", "INT8", "INT16", "INT32", "INT64")
_C_TYPES = {
    ours: f"ONNX_TENSOR_ELEMENT_DATA_TYPE_{name}" for ours, name in zip(_TYPES, _ORT, strict=True)
}
_JAVA_TYPES = dict(zip(_TYPES, _ORT, strict=True))
_OPENVINO_TYPES = dict(zip(_TYPES, ("F32", "U8", "I8", "I16", "I32", "I64"), strict=True))
_SWIFT_TYPES = {
    "float32": "float",
    "uint8": "uInt8",
    "int8": "int8",
    "int32": "int32",
    "int64": "int64",
}
NODE = "onnxruntime-node@1.30.0"
WEB = {"onnxruntime": "onnxruntime-web@1.30.0", "litert": "@litertjs/core@2.5.3"}
"""Packages of npm, in the versions that edgestill's tests run."""
SNIPPETS = (
    Snippet(
        "run.py",
        "Python",
        ("onnxruntime", "litert", "openvino", "executorch", "ncnn", "tflite-micro"),
        "python snippets/run.py",
        run=True,
        integers=True,
    ),
    Snippet(
        "run.mjs",
        "JavaScript",
        ("onnxruntime",),
        "node snippets/run.mjs",
        run=True,
        parts=("golden.mjs", "onnxruntime.mjs"),
        npm={"onnxruntime": NODE},
    ),
    Snippet(
        "web.html",
        "HTML and JavaScript",
        ("onnxruntime", "litert"),
        "python3 -m http.server --bind 127.0.0.1 --directory ..",
        run=True,
        parts=("web.mjs", "golden.mjs", "onnxruntime.mjs", "litert.mjs"),
        npm=WEB,
    ),
    _constant("onnxruntime.cc", "C++", c_literal, _C_TYPES, run=True),
    _constant("litert.cc", "C++", c_literal),
    _constant("openvino.cc", "C++", c_literal, _OPENVINO_TYPES, run=True),
    _constant("OnnxRuntime.kt", "Kotlin", kotlin_literal, _JAVA_TYPES),
    _constant("LiteRt.kt", "Kotlin", kotlin_literal),
    _constant("OnnxRuntime.swift", "Swift", swift_literal, _SWIFT_TYPES),
    _constant("LiteRt.swift", "Swift", swift_literal),
)
"""In the order in which a bundle lists them."""


def write(folder: Path, manifest: Manifest, output: str = OUTPUT) -> tuple[Written, ...]:
    """Write the programs for the packages of a bundle.

    Args:
        folder: the bundle.
        manifest: of it; its list of files is not needed.
        output: the name of the models' output.
    """
    target = folder / FOLDER
    target.mkdir()
    written = []
    for snippet in SNIPPETS:
        several = snippet.literal is json.dumps
        fitting = [
            package
            for package in manifest.packages
            if package.golden
            and package.runtime in snippet.runtimes
            and (snippet.integers or not _takes_integers(package))
        ]
        if not fitting:
            continue
        install = _install(snippet, fitting)
        texts = {
            file: _drawn(snippet, file, fitting[0], install, output)
            for file in (snippet.file, *snippet.parts)
        }
        if None in texts.values():
            continue
        for file, text in texts.items():
            (target / file).write_text(text or "", encoding="utf-8", newline="\n")
        models = tuple(package.model for package in (fitting if several else fitting[:1]))
        written.append(Written(snippet, models, install))
    return tuple(written)


def _takes_integers(package: BundledPackage) -> bool:
    """Whether its integers stand for numbers."""
    return package.input is not None and package.input.scale is not None


def _install(snippet: Snippet, packages: Sequence[BundledPackage]) -> str | None:
    """What brings the packages of npm, beside the bundle, whose own files are all listed."""
    runtimes = dict.fromkeys(package.runtime for package in packages if package.runtime)
    needed = [snippet.npm[name] for name in runtimes if name in snippet.npm]
    return f"npm install --ignore-scripts --prefix .. {' '.join(needed)}" if needed else None


def _drawn(
    snippet: Snippet, file: str, package: BundledPackage, install: str | None, output: str
) -> str | None:
    """The text of a program's file; None where its runtime has no tensor of the input's type."""
    assert package.golden is not None  # noqa: S101 - only packages with one are drawn
    kind = package.golden.input.dtype
    if snippet.types is not None and kind not in snippet.types:
        return None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - no HTML; every text is a literal of its language
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    names = _constants(package, package.golden, snippet.literal)
    names["output_name"] = snippet.literal(output)
    names["type"] = snippet.types[kind] if snippet.types is not None else ""
    names |= {"install": install, "web": WEB}
    return environment.get_template(f"{file}.jinja").render(names)


def _constants(
    package: BundledPackage, golden: Golden, literal: Callable[[str], str]
) -> dict[str, Any]:
    samples, *sample_shape = golden.input.shape
    return {
        "model": literal(package.model),
        "input_name": literal(INPUT),
        "input_file": literal(golden.input.file),
        "output_file": literal(golden.output.file),
        "samples": samples,
        "batch": golden.batch,
        "outputs": prod(golden.output.shape[1:]),
        "sample_bytes": prod(sample_shape) * np.dtype(golden.input.dtype).itemsize,
        "query_shape": ", ".join(map(str, (golden.batch, *sample_shape))),
        "compare_class": golden.rule.compare == "class",
        "at_most": repr(float(golden.rule.at_most)),
    }
