"""Read a model file without trusting it.

    >>> check_external_data(Path("model.onnx"))         # doctest: +SKIP
    (PosixPath('model.onnx.data'),)

An ONNX file may keep weights in other files and names them itself, so a foreign model can name any
file its reader may read (CVE-2022-25882, CVE-2024-27318; ONNX Runtime 1.32 still
follows hard links). Only a plain file below the model's own folder is accepted here.

onnx is imported inside the functions: a process that measures has no use for it.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from ....errors import ModelError, no_read

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto


@dataclass(frozen=True, slots=True)
class Input:
    """One input or output of a model.

    Attributes:
        name: as the model has it; data, not to be trusted in a page.
        type: ONNX Runtime's type string, such as `tensor(float)`.
        shape: an int where fixed, a str where symbolic, None where unnamed.
    """

    name: str
    type: str
    shape: tuple[int | str | None, ...]


_EXPORT = "export the model again; torch.onnx.export writes such a file"
_FIX = "keep weights in plain files beside the model, or load it with onnx and save it as one file"


def is_ort(path: Path) -> bool:
    """Whether the file is in ONNX Runtime's own format (flatbuffers identifier ORTM).

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == b"ORTM"
    except OSError as error:
        raise no_read(path, error, ModelError) from None


def load(path: Path) -> ModelProto:
    """Parse an ONNX file, leaving external data where it is.

    Raises:
        ModelError: the file cannot be read or is not an ONNX model.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise no_read(path, error, ModelError) from None
    except DecodeError:
        raise ModelError(
            "a broken file", expected="an ONNX model", where=str(path), fix=_EXPORT
        ) from None
    # Protocol buffers parse an empty file as an empty message.
    if not model.ir_version or not model.HasField("graph"):
        raise ModelError(
            "a file without a graph", expected="an ONNX model", where=str(path), fix=_EXPORT
        )
    return model


def load_whole(path: Path) -> ModelProto:
    """Parse an ONNX file with the weights that lie beside it.

    Raises:
        ModelError: as `load` and `check_external_data`.
    """
    from onnx.external_data_helper import load_external_data_for_model

    external = check_external_data(path)
    model = load(path)
    if external:
        load_external_data_for_model(model, str(path.parent))
    return model


def check_external_data(path: Path) -> tuple[Path, ...]:
    """Refuse a model whose external data could lie outside its own folder.

    Refused: an empty or absolute location, `..`, a backslash or drive, a symbolic link anywhere on
    the way, a hard link, a file that is missing, special or too short.

    Returns:
        The external files, each once, sorted; empty for a model that is one file.

    Raises:
        ModelError: the model cannot be read or names a file it may not.
    """
    if is_ort(path):
        return ()
    files: set[Path] = set()
    for tensor in tensors_of(load(path)):
        if tensor.external_data or tensor.data_location == tensor.EXTERNAL:
            files.add(_checked(path, tensor))
    if files and path.is_symlink():
        # Runtimes differ in which folder the locations are then relative to.
        raise ModelError("a symbolic link to a model with external data", where=str(path), fix=_FIX)
    return tuple(sorted(files))


def tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor a model stores: initializers and attributes, in subgraphs and functions too."""
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _tensors_of_node(node)
    for training in model.training_info:
        yield from _tensors_of_graph(training.initialization)
        yield from _tensors_of_graph(training.algorithm)


def _tensors_of_graph(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        yield from _tensors_of_node(node)


def _tensors_of_node(node: object) -> Iterator[TensorProto]:
    for attribute in node.attribute:  # type: ignore[attr-defined]  # NodeProto of either origin
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for sparse in [attribute.sparse_tensor, *attribute.sparse_tensors]:
            yield sparse.values
            yield sparse.indices
        if attribute.HasField("g"):
            yield from _tensors_of_graph(attribute.g)
        for graph in attribute.graphs:
            yield from _tensors_of_graph(graph)


def _checked(model: Path, tensor: TensorProto) -> Path:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    where = f"{model}: external data of {printable(tensor.name)}"

    def refuse(found: str, expected: str) -> ModelError:
        return ModelError(found, expected=expected, where=where, fix=_FIX)

    shown = printable(location)
    parts = PurePosixPath(location).parts
    windows = PureWindowsPath(location)
    if not location or "\0" in location:
        raise refuse("an empty location", "a file name")
    if location.startswith("/") or windows.drive or windows.root or "\\" in location:
        raise refuse(f"the absolute path {shown}", "a path below the model's folder")
    if ".." in parts:
        raise refuse(f"{shown}, which climbs out", "a path below the model's folder")
    step = model.parent
    for part in parts:
        step = step / part
        if step.is_symlink():
            raise refuse(f"{shown}, a symbolic link", "a plain file")
    try:
        status = step.stat(follow_symlinks=False)
    except OSError:
        raise refuse(f"{shown}, which is missing", "a plain file") from None
    if not stat.S_ISREG(status.st_mode):
        raise refuse(f"{shown}, not a regular file", "a plain file")
    if status.st_nlink > 1:
        raise refuse(f"{shown}, a file with {status.st_nlink} names", "a file without hard links")
    _check_extent(entries, status.st_size, where)
    return step


def _check_extent(entries: dict[str, str], size: int, where: str) -> None:
    offset, length = entries.get("offset", "0"), entries.get("length", "0")
    if not (offset.isdecimal() and length.isdecimal()):
        raise ModelError(
            f"offset {printable(offset)}, length {printable(length)}",
            expected="whole numbers of bytes",
            where=where,
        )
    if int(offset) + int(length) > size:
        raise ModelError(
            f"bytes {offset} to {int(offset) + int(length)} of a file of {size}", where=where
        )


def printable(name: str, limit: int = 80) -> str:
    """A name out of a model as quoted, short, printable text; it is data and may hold anything."""
    shown = name if len(name) <= limit else name[: limit - 1] + "…"
    return ascii(shown) if not shown.isprintable() else f"'{shown}'"
