"""Teachers that are not trained here: files, folders and functions of the user's.

    >>> kind("onnx:/models/big.onnx"), address("onnx:/models/big.onnx")
    ('onnx', '/models/big.onnx')
    >>> kind("resnet20"), kind("mine.models:make")
    ('family', 'factory')

``black_box`` asks an ONNX file in a child process, ``recorded`` reads logits that were written down
elsewhere, ``huggingface`` and ``timm_`` load models of those libraries. What stands here is needed
before any work, so it is cheap to import and knows neither torch nor a runtime.
"""

import mmap
from pathlib import Path
from typing import Any, Literal

from ...errors import ModelError
from ..engine.store import digest_of, file_sha256
from ..recipe.model_names import PATH_KINDS, TEACHER_KINDS, is_factory

Kind = Literal["family", "factory", "onnx", "logits", "hf", "timm"]
_MODEL_FIX = "correct teacher.model"
_WEIGHTS_FIX = "correct teacher.weights"


def kind(model: str) -> Kind:
    """What a teacher's name stands for."""
    told, mark, rest = model.partition(":")
    for one in TEACHER_KINDS:
        if told == one and mark and rest:
            return one  # type: ignore[return-value]  # the table's members are those of Kind
    return "factory" if is_factory(model) else "family"


def address(model: str) -> str:
    """The file, folder or name behind the kind: ``resnet18`` of ``timm:resnet18``."""
    return model.partition(":")[2]


def fingerprint(model: str, weights: Path | None) -> str | None:
    """What stands for a teacher's outside files in a stage's key: a hash of their content.

    Args:
        model: the teacher's name in the recipe.
        weights: the checkpoint it names, or None.

    Returns:
        None where nothing but the recipe decides.

    Raises:
        ModelError: a file or folder is missing or unreadable, or weights stand beside a teacher
            that brings its own.
    """
    found = _of_model(kind(model), address(model), model)
    if weights is None:
        return found
    if kind(model) in PATH_KINDS:
        raise ModelError(
            f"teacher.weights beside a teacher that brings its own ({model!r})",
            where=str(weights),
            fix="drop teacher.weights",
        )
    loaded = _file(weights, _WEIGHTS_FIX)
    return loaded if found is None else digest_of([found, loaded])


def _of_model(told: Kind, place: str, model: str) -> str | None:
    if told == "onnx":
        return _onnx(Path(place))
    if told == "logits":
        return _file(Path(place), _MODEL_FIX)
    if told == "hf":
        return _folder(Path(place))
    if told == "factory":
        from ..recipe import user_function as reference

        return reference.fingerprint(model, "teacher.model", ModelError)
    return None


def _file(path: Path, fix: str) -> str:
    try:
        return file_sha256(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        missing = isinstance(error, FileNotFoundError)
        raise ModelError(
            "no such file" if missing else str(error), where=str(path), fix=fix
        ) from None


def _onnx(path: Path) -> str:
    """The file's hash, with those of the weights it keeps in other files."""
    own = _file(path, _MODEL_FIX)
    if not _may_have_external_data(path):
        return own
    from .black_box import external_files

    beside = {
        str(one.relative_to(path.parent)): _file(one, _MODEL_FIX) for one in external_files(path)
    }
    return digest_of([own, beside]) if beside else own


def _may_have_external_data(path: Path) -> bool:
    """False is certain: the key ``location`` of such a tensor stands in the file as plain bytes.

    Only a parser could tell the rest, and a foreign file is not parsed in this process.
    """
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return view.find(b"location") >= 0


def _folder(folder: Path) -> str:
    """Names and contents of a folder's files; hidden ones (a download's own notes) do not count."""
    if not folder.is_dir():
        raise ModelError("no such folder", where=str(folder), fix=_MODEL_FIX)
    digests: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):
            continue
        refuse_link(path)
        if path.is_file():
            digests[name.as_posix()] = _file(path, _MODEL_FIX)
    return digest_of(digests)


def refuse_link(path: Path) -> None:
    """Refuse a symbolic link in a folder that somebody gave the user.

    Raises:
        ModelError: it is one.
    """
    if path.is_symlink():
        raise ModelError(
            "a symbolic link",
            expected="a plain file",
            where=str(path),
            fix="copy the folder with its links followed (cp -rL)",
        )
