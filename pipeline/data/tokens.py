"""Texts as token ids: a byte-level BPE trained on train, or a user's own tokenizer.json.

Byte-level BPE (Sennrich 2016, Radford 2019): its smallest tokens are bytes, so no text holds an
unknown one, and training it twice gives the same file.

>>> train(texts, rows, form, Path("tokenizer.json"))
>>> load(Path("tokenizer.json")).encode("a fine film").ids
[2, 263, 1042, 587, 0, 0, 0, 0]
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, HostError
from ..recipe.data import TextForm
from .text_store import BLOCK, Texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE = "tokenizer.json"
"""What the tokenizer is called where it ships with a model."""
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[MASK]")
"""The first tokens of a trained tokenizer, ids 0 to 3."""
PADS = ("[PAD]", "<pad>")
UNKNOWNS = ("[UNK]", "<unk>")
MASKS = ("[MASK]", "<mask>")
_THREADS = "TOKENIZERS_PARALLELISM"
_SERIAL = "off"
"""Of the library's words for no the one that nobody writes: so it is known for ours."""


class Cut(NamedTuple):
    """How texts fit into their length.

    Attributes:
        texts: how many were encoded.
        cut: how many of them were longer than ``max_length``.
        median: tokens of the median text, special tokens included, before it is cut.
        p99: the same of the 99th percentile.
        longest: the same of the longest.
    """

    texts: int
    cut: int
    median: float
    p99: float
    longest: int


def train(texts: Texts, rows: NDArray[Any], form: TextForm, path: Path) -> None:
    """Train a tokenizer on some rows and save it.

    The file pads and cuts to ``form.max_length`` by itself, so that ``encode(text).ids`` is the
    model's input.

    Args:
        texts: all texts.
        rows: int [n], those of train: a token only test has must not be known.
        form: ``vocabulary``, ``max_length`` and ``lowercase``.
        path: the tokenizer.json to write.

    Raises:
        HostError: tokenizers is not installed.
    """
    library = _library()
    tokenizer = library.Tokenizer(library.models.BPE(unk_token="[UNK]"))  # noqa: S106
    steps = [library.normalizers.NFKC()]
    steps += [library.normalizers.Lowercase()] if form.lowercase else []
    tokenizer.normalizer = library.normalizers.Sequence(steps)
    # With a space in front, a word is the same token wherever it stands.
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = library.decoders.ByteLevel()
    alphabet = _alphabet(tokenizer, texts, rows, form.vocabulary - len(SPECIAL))
    trainer = library.trainers.BpeTrainer(
        vocab_size=form.vocabulary,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(SPECIAL),
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
    )
    with _parallel():
        tokenizer.train_from_iterator(texts.blocks(rows), trainer)
    tokenizer.post_processor = library.processors.TemplateProcessing(
        single="[CLS] $A",
        pair="[CLS] $A $B",
        special_tokens=[("[CLS]", tokenizer.token_to_id("[CLS]"))],
    )
    save(tokenizer, form, path)


def _alphabet(tokenizer: "Tokenizer", texts: Texts, rows: NDArray[Any], most: int) -> list[str]:
    """All bytes, or the most frequent ones where the vocabulary is too small for all."""
    library = _library()
    every = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    if len(every) <= most:
        return every
    counts: Counter[str] = Counter()
    for block in texts.blocks(rows):
        for text in block:
            plain = tokenizer.normalizer.normalize_str(text)
            for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(plain):
                counts.update(piece)
    seen = [mark for mark in every if counts[mark]]
    return sorted(seen, key=lambda mark: (-counts[mark], mark))[:most]


def load(path: Path) -> "Tokenizer":
    """A tokenizer from its file.

    Raises:
        DataError: no such file, or not a tokenizer.
        HostError: tokenizers is not installed.
    """
    library = _library()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"not text ({error})"
        raise DataError(reason, where=str(path), fix="correct data.text.tokenizer") from None
    try:
        return library.Tokenizer.from_str(text)  # type: ignore[no-any-return]
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise DataError(
            found=f"no tokenizer ({error})",
            expected="a tokenizer.json as the library tokenizers saves it",
            where=str(path),
            fix="convert it (transformers: save_pretrained() of a fast tokenizer writes one)",
        ) from None


def save(tokenizer: "Tokenizer", form: TextForm, path: Path) -> None:
    """Write a tokenizer that pads and cuts to the model's length by itself."""
    pad = pad_id(tokenizer)
    with _fitted(tokenizer, form.max_length):
        tokenizer.enable_padding(
            pad_id=pad, pad_token=tokenizer.id_to_token(pad) or "[PAD]", length=form.max_length
        )
        tokenizer.save(str(path))


def describe(tokenizer: "Tokenizer", form: TextForm) -> dict[str, Any]:
    """What has to be done to text before the model, as JSON; travels with the model.

    Raises:
        DataError: no id is free for padding.
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
    """The highest id there is and one: the rows of an embedding."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def pad_id(tokenizer: "Tokenizer") -> int:
    """The id that stands behind the end of a text.

    What the tokenizer pads with, else its token ``[PAD]`` or ``<pad>``, else 0 where it is no word.

    Raises:
        DataError: none of these.
    """
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    named = _first_of(tokenizer, PADS)
    if named is not None:
        return named
    token = tokenizer.id_to_token(0)
    added = tokenizer.get_added_tokens_decoder()
    is_special = 0 in added and added[0].special
    # A special token that stands in every text, or for an unknown one, marks no end.
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
    """The id of what is no token: ``[UNK]``, ``<unk>`` or the model's own, else as ``mask_id``.

    Raises:
        DataError: as ``pad_id``.
    """
    own = getattr(tokenizer.model, "unk_token", None)
    found = _first_of(tokenizer, (*UNKNOWNS, own) if isinstance(own, str) else UNKNOWNS)
    if found is None:
        found = _first_of(tokenizer, MASKS)
    return pad_id(tokenizer) if found is None else found


def mask_id(tokenizer: "Tokenizer") -> int:
    """The id that hides a token: ``[MASK]`` or ``<mask>``, else as ``unknown_id``, else padding.

    Raises:
        DataError: as ``pad_id``.
    """
    found = _first_of(tokenizer, MASKS)
    return unknown_id(tokenizer) if found is None else found


def _first_of(tokenizer: "Tokenizer", tokens: tuple[str, ...]) -> int | None:
    ids = (tokenizer.token_to_id(token) for token in tokens)
    return next((i for i in ids if i is not None), None)


def _ignores_case(tokenizer: "Tokenizer") -> bool:
    normalizer = tokenizer.normalizer
    return normalizer is not None and normalizer.normalize_str("A").strip("▁") == "a"


def blocks(rows: int) -> int:
    """How often ``encode`` says that it advances."""
    return -(-rows // BLOCK)


def encode(
    tokenizer: "Tokenizer",
    texts: Texts,
    rows: NDArray[Any],
    max_length: int,
    pad: int,
    out: NDArray[np.int32],
    advance: Callable[[str], None] = lambda _: None,
) -> Cut:
    """Token ids of some texts: cut behind, padded behind.

    Args:
        tokenizer: left as it is.
        texts: all texts.
        rows: int [n].
        max_length: tokens a text, special tokens included.
        pad: id behind the end.
        out: int32 [n, max_length], filled.
        advance: told after each block, ``blocks(n)`` times.

    Raises:
        DataError: a text of no token, an id beyond the vocabulary, or a length the special tokens
            fill.
    """
    special = tokenizer.num_special_tokens_to_add(False)
    if special >= max_length:
        raise DataError(
            found=f"max_length {max_length}, which {special} special tokens fill",
            where="data.text.max_length",
            fix=f"raise it above {special}",
        )
    known = vocabulary(tokenizer)
    if not 0 <= pad < max(known, 1):
        raise DataError(
            found=f"padding id {pad}",
            expected=f"0 to {known - 1}, as the vocabulary has {known} tokens",
            where="data.text.tokenizer",
        )
    whole = np.zeros(len(rows), dtype=np.int64)
    at = 0
    with _fitted(tokenizer, max_length), _parallel():
        for block in texts.blocks(np.asarray(rows)):
            part = slice(at, at + len(block))
            ids, whole[part] = _block(tokenizer, block, max_length, pad)
            _within(ids, whole[part], known, np.asarray(rows)[part])
            out[part] = ids
            at = part.stop
            advance(f"{at} texts")
    if not len(whole):
        return Cut(0, 0, 0.0, 0.0, 0)
    median, p99 = (float(value) for value in np.percentile(whole, (50, 99)))
    return Cut(len(whole), int((whole > max_length).sum()), median, p99, int(whole.max()))


def _block(
    tokenizer: "Tokenizer", texts: list[str], max_length: int, pad: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Ids int32 [n, max_length], and tokens int64 [n] of each text before it was cut."""
    try:
        encoded = tokenizer.encode_batch_fast(texts)
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise DataError(
            f"the tokenizer fails on these texts ({error})", where="data.text.tokenizer"
        ) from None
    kept = np.array([len(one) for one in encoded], dtype=np.int64)
    ids = np.full((len(texts), max_length), pad, dtype=np.int32)
    flat = chain.from_iterable(one.ids for one in encoded)
    ids[np.arange(max_length) < kept[:, None]] = np.fromiter(flat, np.int64, int(kept.sum()))
    beyond = [sum(len(o) - sum(o.special_tokens_mask) for o in one.overflowing) for one in encoded]
    return ids, kept + np.array(beyond, dtype=np.int64)


def _within(
    ids: NDArray[np.int32], lengths: NDArray[np.int64], known: int, rows: NDArray[Any]
) -> None:
    if not lengths.all():
        raise DataError(
            found=f"a text of no token in row {int(rows[int(np.argmin(lengths))])} (from 0)",
            expected="at least one",
            where="data.text.tokenizer",
            fix="leave that row out, or use a tokenizer that knows its characters",
        )
    if ids.min(initial=0) < 0 or ids.max(initial=0) >= known:
        raise DataError(
            found=f"token id {int(ids.max())}",
            expected=f"0 to {known - 1}, as the vocabulary has {known} tokens",
            where="data.text.tokenizer",
            fix="its post-processor names an id that is no token: save it again",
        )


@contextmanager
def _fitted(tokenizer: "Tokenizer", max_length: int) -> Iterator[None]:
    """Cut to a length and do not pad, for a while."""
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
def _parallel() -> Iterator[None]:
    """All cores for a while; afterwards one, or a child forked later could hang or warn."""
    if os.environ.get(_THREADS, _SERIAL) != _SERIAL:  # the user decided
        yield
        return
    os.environ[_THREADS] = "true"
    try:
        yield
    finally:
        os.environ[_THREADS] = _SERIAL


def _library() -> Any:
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
