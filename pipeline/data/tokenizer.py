"""A tokenizer: its file, its special ids, and what a model's metadata says of it.

>>> load(Path("tokenizer.json")).encode("a fine film").ids
[2, 263, 1042, 587, 0, 0, 0, 0]
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError, HostError, no_read
from ..recipe.data import TextForm

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE = "tokenizer.json"
"""Name of the tokenizer's file, which ships with a model."""
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[MASK]")
"""The first tokens of a trained tokenizer, ids 0 to 3."""
PADS = ("[PAD]", "<pad>")
UNKNOWNS = ("[UNK]", "<unk>")
MASKS = ("[MASK]", "<mask>")
_THREADS = "TOKENIZERS_PARALLELISM"
_SERIAL = "off"
"""One of the library's words for "no", and a rare one: it shows that the user did not set it."""


def load(path: Path) -> "Tokenizer":
    """A tokenizer from its file.

    Raises:
        DataError: no such file, or not a tokenizer.
        HostError: tokenizers is not installed.
    """
    library = load_library()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise no_read(path, error, DataError, "correct data.text.tokenizer") from None
    except ValueError as error:
        reason = f"not text ({error})"
        raise DataError(reason, where=str(path), fix="correct data.text.tokenizer") from None
    try:
        return library.Tokenizer.from_str(text)  # type: ignore[no-any-return]
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise DataError(
            found=f"a file that is no tokenizer ({error})",
            expected="a tokenizer.json, as the library tokenizers saves it",
            where=str(path),
            fix="convert it (transformers: save_pretrained() of a fast tokenizer writes one)",
        ) from None


def save(tokenizer: "Tokenizer", form: TextForm, path: Path) -> None:
    """Write a tokenizer whose file also pads and cuts to the model's length."""
    pad = pad_id(tokenizer)
    with cut_to(tokenizer, form.max_length):
        tokenizer.enable_padding(
            pad_id=pad, pad_token=tokenizer.id_to_token(pad) or "[PAD]", length=form.max_length
        )
        tokenizer.save(str(path))


def describe(tokenizer: "Tokenizer", form: TextForm) -> dict[str, Any]:
    """How text becomes the model's input, as JSON, for the model's metadata.

    Raises:
        DataError: no id can be used for padding.
    """
    return {
        "kind": "text",
        "tokenizer": FILE,
        "max_length": form.max_length,
        "pad": pad_id(tokenizer),
        "unknown": unknown_id(tokenizer),
        "mask": mask_id(tokenizer),
        "vocabulary": vocabulary(tokenizer),
        "lowercase": _ignores_case(tokenizer),
    }


def vocabulary(tokenizer: "Tokenizer") -> int:
    """The highest id plus one: the rows of an embedding."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def pad_id(tokenizer: "Tokenizer") -> int:
    """The id after the end of a text.

    It is the tokenizer's own padding, else its token ``[PAD]`` or ``<pad>``, else 0 if id 0 is no
    word.

    Raises:
        DataError: there is none of these.
    """
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    pad = _first_of(tokenizer, PADS)
    if pad is not None:
        return pad
    token = tokenizer.id_to_token(0)
    added = tokenizer.get_added_tokens_decoder()
    is_special = 0 in added and added[0].special
    # A special token that is in every text, or that means an unknown token, marks no end.
    in_use = token in UNKNOWNS or token in MASKS or 0 in tokenizer.encode("").ids
    if token is None or (is_special and not in_use):
        return 0
    raise DataError(
        found=f"a tokenizer without a padding token (id 0 is {token!r})",
        expected=f"a token {' or '.join(map(repr, PADS))}, or padding switched on",
        where="data.text.tokenizer",
        fix="tokenizer.add_special_tokens(['[PAD]']) and save it again",
    )


def unknown_id(tokenizer: "Tokenizer") -> int:
    """The id of unknown tokens: ``[UNK]``, ``<unk>`` or the model's own, else as ``mask_id``.

    Raises:
        DataError: as ``pad_id``.
    """
    own = getattr(tokenizer.model, "unk_token", None)
    unknown = _first_of(tokenizer, (*UNKNOWNS, own) if isinstance(own, str) else UNKNOWNS)
    if unknown is None:
        unknown = _first_of(tokenizer, MASKS)
    return pad_id(tokenizer) if unknown is None else unknown


def mask_id(tokenizer: "Tokenizer") -> int:
    """The id that hides a token: ``[MASK]`` or ``<mask>``, else as ``unknown_id``, else padding.

    Raises:
        DataError: as ``pad_id``.
    """
    mask = _first_of(tokenizer, MASKS)
    return unknown_id(tokenizer) if mask is None else mask


def _first_of(tokenizer: "Tokenizer", tokens: tuple[str, ...]) -> int | None:
    ids = (tokenizer.token_to_id(token) for token in tokens)
    return next((i for i in ids if i is not None), None)


def _ignores_case(tokenizer: "Tokenizer") -> bool:
    normalizer = tokenizer.normalizer
    return normalizer is not None and normalizer.normalize_str("A").strip("▁") == "a"


@contextmanager
def cut_to(tokenizer: "Tokenizer", max_length: int) -> Iterator[None]:
    """Within this context the tokenizer cuts to a length and does not pad."""
    truncation, padding = tokenizer.truncation, tokenizer.padding
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    try:
        yield
    finally:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if truncation:
            tokenizer.enable_truncation(**truncation)
        if padding:
            tokenizer.enable_padding(**padding)


@contextmanager
def all_cores() -> Iterator[None]:
    """Within this context the library uses all cores, and one afterwards.

    With its threads alive, a child that is forked later could hang or print a warning.
    """
    if os.environ.get(_THREADS, _SERIAL) != _SERIAL:  # the user set it
        yield
        return
    os.environ[_THREADS] = "true"
    try:
        yield
    finally:
        os.environ[_THREADS] = _SERIAL


def load_library() -> Any:
    """The library tokenizers.

    Raises:
        HostError: it is not installed.
    """
    try:
        import tokenizers
        from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
    except ImportError:
        raise HostError(
            "text needs tokenizers, which is not installed",
            where="data.source",
            fix="pip install 'edgestill[text]'",
        ) from None
    del decoders, models, normalizers, pre_tokenizers, processors, trainers
    return tokenizers
