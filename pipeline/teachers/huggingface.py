"""A text classifier of the transformers library, from a local folder.

    >>> teacher = load(Path("my-bert"), outputs=2, pad=0)       # doctest: +SKIP
    >>> teacher(ids).shape                                      # doctest: +SKIP
    torch.Size([32, 2])

Nothing is downloaded, no code of the folder is run, and only safetensors files are read.
"""

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import HostError, ModelError, no_file
from . import refuse_link


class SequenceClassifier(nn.Module):
    """Takes token ids and gives logits.

    Args:
        model: of transformers, for sequence classification.
        pad: the id after the end of a text, which the model does not attend to.

    Shape:
        input integers [n, length]; output float32 [n, outputs].
    """

    def __init__(self, model: nn.Module, pad: int) -> None:
        super().__init__()
        self.model = model
        self.pad = pad

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits [n, outputs] of ids [n, length]."""
        mask = ids != self.pad
        # Some models give NaN if all tokens are masked, as in a text of padding alone.
        first = torch.arange(ids.shape[1], device=ids.device) == 0
        answer = self.model(input_ids=ids.long(), attention_mask=(mask | first).long())
        logits: torch.Tensor = answer.logits
        return logits


def load(
    folder: Path, outputs: int, *, pad: int = 0, vocabulary: int = 0, length: int = 0
) -> nn.Module:
    """A trained classifier, in evaluation mode and float32.

    Args:
        folder: with ``config.json`` and ``*.safetensors``.
        outputs: logits per text.
        pad: the id after the end of a text.
        vocabulary: number of ids of the data set; 0: not checked.
        length: tokens per text; 0: not checked.

    Raises:
        ModelError: no such folder, other files than these, another number of classes, weights that
            are missing, or a model too small for the ids or the length.
        HostError: the library is not installed.
    """
    _check_files(folder)
    library = _library()
    try:
        model, loaded = library.AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:
        # A wrong config or a broken file can make the library raise any error.
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"not loadable as a sequence classifier ({reason})",
            where=str(folder),
            fix="save it with model.save_pretrained(folder)",
        ) from error
    _check_loaded(loaded, folder)
    _check_size(model, folder, outputs=outputs, vocabulary=vocabulary)
    # Decoders use the last token that is not padding.
    model.config.pad_token_id = pad
    teacher = SequenceClassifier(model.float().eval(), pad)
    if length:
        _check_runs(teacher, folder, length, pad)
    return teacher


def _library() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError:
        raise HostError(
            "no library transformers",
            where="teacher.model",
            fix="pip install 'edgestill[text]' transformers",
        ) from None


def _check_files(folder: Path) -> None:
    where = str(folder)
    if not folder.is_dir():
        raise no_file(folder, ModelError, "correct teacher.model", "folder")
    files = sorted(folder.iterdir())
    for path in files:
        if not path.name.startswith("."):
            refuse_link(path)
    names = [path.name for path in files]
    if "config.json" not in names:
        raise ModelError(
            f"files {names[:8]}",
            expected="config.json and model.safetensors",
            where=where,
            fix="save it with model.save_pretrained(folder)",
        )
    if not any(name.endswith(".safetensors") for name in names):
        pickled = [name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt"))]
        raise ModelError(
            f"weights in {pickled[0]!r}, a pickle" if pickled else f"files {names[:8]}",
            expected="*.safetensors",
            where=where,
            fix="convert it where you trust it: load it with transformers and save it with "
            "model.save_pretrained(folder, safe_serialization=True)",
        )


def _check_loaded(loaded: dict[str, Any], folder: Path) -> None:
    """Refuse missing weights, which the library would replace with random numbers."""
    missing = sorted(str(key) for key in loaded.get("missing_keys", ()))
    missing += sorted(str(key) for key in loaded.get("mismatched_keys", ()))
    if missing:
        raise ModelError(
            f"no weights for {len(missing)} tensors, such as {missing[0]!r}",
            expected="a classifier that was trained, head and all",
            where=str(folder),
            fix="fine-tune it for the task first, then save it with model.save_pretrained(folder)",
        )


def _check_size(model: Any, folder: Path, *, outputs: int, vocabulary: int) -> None:
    if model.config.num_labels != outputs:
        raise ModelError(
            f"a model of {model.config.num_labels} classes",
            expected=f"{outputs}, as in the data set",
            where=str(folder),
        )
    rows = model.get_input_embeddings().num_embeddings
    if rows < vocabulary:
        raise ModelError(
            f"a model of {rows} tokens",
            expected=f"at least the {vocabulary} of the data set's tokenizer",
            where=str(folder),
            fix="set data.text.tokenizer to the model's own tokenizer.json",
        )


def _check_runs(teacher: nn.Module, folder: Path, length: int, pad: int) -> None:
    try:
        with torch.inference_mode():
            teacher(torch.full((1, length), 0 if pad else 1))
    except (IndexError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"a model that does not take {length} tokens ({reason})",
            where=str(folder),
            fix="lower data.text.max_length to what it was trained with",
        ) from None
