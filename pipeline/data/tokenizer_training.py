"""Training of a tokenizer: byte-level BPE (Sennrich 2016, Radford 2019).

Its smallest tokens are bytes, so no text has an unknown token. Training twice gives the same file.

>>> train(texts, rows, form, Path("tokenizer.json"))
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..recipe.data import TextForm
from .text_store import Texts
from .tokenizer import SPECIAL, all_cores, load_library, save

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def train(texts: Texts, rows: NDArray[Any], form: TextForm, path: Path) -> None:
    """Train a tokenizer on some rows and save it.

    The file also pads and cuts to ``form.max_length``, so that ``encode(text).ids`` is the model's
    input.

    Args:
        texts: all texts.
        rows: int [n], the rows of train alone: tokens of test must not influence the vocabulary.
        form: ``vocabulary``, ``max_length`` and ``lowercase``.
        path: the tokenizer.json to write.

    Raises:
        HostError: tokenizers is not installed.
    """
    library = load_library()
    tokenizer = library.Tokenizer(library.models.BPE(unk_token="[UNK]"))  # noqa: S106
    steps = [library.normalizers.NFKC()]
    steps += [library.normalizers.Lowercase()] if form.lowercase else []
    tokenizer.normalizer = library.normalizers.Sequence(steps)
    # With a space before the first word, a word is the same token anywhere in a text.
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
    with all_cores():
        tokenizer.train_from_iterator(texts.blocks(rows), trainer)
    tokenizer.post_processor = library.processors.TemplateProcessing(
        single="[CLS] $A",
        pair="[CLS] $A $B",
        special_tokens=[("[CLS]", tokenizer.token_to_id("[CLS]"))],
    )
    save(tokenizer, form, path)


def _alphabet(tokenizer: "Tokenizer", texts: Texts, rows: NDArray[Any], most: int) -> list[str]:
    """All bytes, or the most frequent ones if the vocabulary is too small for all."""
    library = load_library()
    alphabet = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    if len(alphabet) <= most:
        return alphabet
    counts: Counter[str] = Counter()
    for block in texts.blocks(rows):
        for text in block:
            plain = tokenizer.normalizer.normalize_str(text)
            for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(plain):
                counts.update(piece)
    used = [symbol for symbol in alphabet if counts[symbol]]
    return sorted(used, key=lambda symbol: (-counts[symbol], symbol))[:most]
