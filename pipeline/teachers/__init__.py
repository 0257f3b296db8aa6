"""Teachers that are not trained here: files, folders and functions of the user.

    >>> kind("onnx:/models/big.onnx"), address("onnx:/models/big.onnx")
    ('onnx', '/models/big.onnx')
    >>> kind("resnet20"), kind("mine.models:make")
    ('family', 'factory')

``black_box`` runs an ONNX file in a child process, ``recorded`` reads logits of a teacher that ran
elsewhere, ``huggingface`` and ``timm_`` load models of those libraries. This module is needed
before any work, so it imports neither torch nor a runtime.

A new kind is a file beside these, a line in ``TEACHER_KINDS`` of ``recipe/model_names.py`` and, if
it has files, a line in ``_FINGERPRINTS`` below; ``distill/teacher.py`` loads it.
"""

import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import ModelError, no_file, no_read
from ..engine.store import digest_of, file_sha256
from ..recipe.model_names import PATH_KINDS, TEACHER_KINDS, is_factory

_MODEL_FIX = "correct teacher.model"
_WEIGHTS_FIX = "correct teacher.weights"


def kind(model: str) -> str:
    """The kind of a teacher: one of ``TEACHER_KINDS``, ``factory`` or ``family``."""
    prefix, colon, rest = model.partition(":")
    if prefix in TEACHER_KINDS and colon and rest:
        return prefix
    return "factory" if is_factory(model) else "family"


def address(model: str) -> str:
    """The file, folder or name after the kind: ``resnet18`` of ``timm:resnet18``."""
    return model.partition(":")[2]


def fingerprint(model: str, weights: Path | None) -> str | None:
    """The hash of a teacher's files, for a stage's key.

    Args:
        model: the teacher's name in the recipe.
        weights: the checkpoint it names, or None.

    Returns:
        None if the teacher has no files, so that the recipe alone decides.

    Raises:
        ModelError: a file or folder is missing or unreadable, or ``weights`` is set for a teacher
            with weights of its own.
    """
    read = _FINGERPRINTS.get(kind(model))
    own = read(model) if read is not None else None
    if weights is None:
        return own
    if kind(model) in PATH_KINDS:
        raise ModelError(
            f"teacher.weights beside a teacher that has its own ({model!r})",
            where=str(weights),
            fix="remove teacher.weights",
        )
    loaded = hash_of_file(weights, _WEIGHTS_FIX)
    return loaded if own is None else digest_of([own, loaded])


def hash_of_file(path: Path, fix: str) -> str:
    """The hash of a file that a recipe names.

    Raises:
        ModelError: it is missing or unreadable; ``fix`` says what to do.
    """
    try:
        return file_sha256(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise no_read(path, error, ModelError, fix) from None


def _onnx(path: Path) -> str:
    """The hash of the file and of the files of weights that it refers to."""
    own = hash_of_file(path, _MODEL_FIX)
    if not _may_have_external_data(path):
        return own
    from .black_box import external_files

    beside = {
        str(file.relative_to(path.parent)): hash_of_file(file, _MODEL_FIX)
        for file in external_files(path)
    }
    return digest_of([own, beside]) if beside else own


def _may_have_external_data(path: Path) -> bool:
    """Whether a file may refer to other files. False is certain, True is not.

    A tensor in another file has the key ``location``, whose bytes are in the file. Only a parser
    could be certain, and a file that is not trusted is not parsed in this process.
    """
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        return view.find(b"location") >= 0


def _folder(folder: Path) -> str:
    """The hash of a folder's names and contents, without hidden files."""
    if not folder.is_dir():
        raise no_file(folder, ModelError, _MODEL_FIX, "folder")
    digests: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):
            continue
        refuse_link(path)
        if path.is_file():
            digests[name.as_posix()] = hash_of_file(path, _MODEL_FIX)
    return digest_of(digests)


def refuse_link(path: Path) -> None:
    """Refuse a symbolic link in a folder from elsewhere.

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


def _function(model: str) -> str:
    from ..recipe.user_function import fingerprint as fingerprint_of

    return fingerprint_of(model, "teacher.model", ModelError)


_FINGERPRINTS: dict[str, Callable[[str], str]] = {
    "onnx": lambda model: _onnx(Path(address(model))),
    "logits": lambda model: hash_of_file(Path(address(model)), _MODEL_FIX),
    "hf": lambda model: _folder(Path(address(model))),
    "factory": _function,
}
"""How the files of each kind of teacher are hashed; the other kinds have no files."""
