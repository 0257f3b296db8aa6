"""The answers of the teacher, or of several teachers as one, whatever kind each of them is."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import ModelError
from .. import tasks, teachers
from ..engine.compute import device
from ..engine.stage import Made
from ..models import deployed, scaling
from ..models.deployed import Deployed
from ..models.signature import signature
from ..models.weights import WEIGHTS, restore
from ..recipe.model_names import MODULE_KINDS
from ..records import DataRecord, ModelRecord, Split
from .batches import as_model_input

Answers = NDArray[np.float32]
BLACK_BOX = "model.onnx"
"""The file of a teacher that is a black box, in its stage's folder."""
RECORDED = "logits_{split}.npy"
"""The answers of a recorded teacher, in the order of a split."""
FOLDER = "foreign"
"""The folder with the source of a teacher of another library."""


class AnsweringTeacher(Protocol):
    """One teacher that answers."""

    def __call__(self, x: NDArray[Any], split: Split, rows: NDArray[np.int64]) -> Answers | None:
        """Outputs [n, outputs] for samples, which are these rows of a split, or views of them.

        None where it has no answers for the split.
        """
        ...

    def close(self) -> None:
        """Release its resources."""
        ...


class NetworkTeacher:
    """A teacher that is a torch module here, always in eval mode."""

    def __init__(self, made: Made[ModelRecord], data: DataRecord) -> None:
        self.model = restored(made, data).to(device())
        self._data = data

    @torch.no_grad()
    def __call__(self, x: NDArray[Any], split: Split, rows: NDArray[np.int64]) -> Answers:  # noqa: ARG002
        """Outputs for samples as the model takes them."""
        self.model.eval()
        samples = torch.from_numpy(as_model_input(x, self._data)).to(device())
        answers: Answers = self.model(samples).float().cpu().numpy()
        return answers

    def close(self) -> None:
        """A module needs no closing."""


class RecordedTeacher:
    """A teacher whose answers were recorded: of the samples themselves, of no views."""

    def __init__(self, made: Made[ModelRecord]) -> None:
        self._folder = made.path

    def __call__(self, x: NDArray[Any], split: Split, rows: NDArray[np.int64]) -> Answers | None:  # noqa: ARG002
        """The rows' recorded answers."""
        path = self._folder / RECORDED.format(split=split)
        if not path.exists():
            return None
        answers: Answers = np.load(path, mmap_mode="r")[rows]
        return answers

    def close(self) -> None:
        """A memory map needs no closing."""


class BlackBoxTeacher:
    """A teacher in an ONNX file, run in a separate process."""

    def __init__(self, made: Made[ModelRecord], data: DataRecord) -> None:
        from ..teachers import black_box

        self._process = black_box.BlackBox(made.path / BLACK_BOX, black_box.Signature.of(data))
        self._data = data

    def __call__(self, x: NDArray[Any], split: Split, rows: NDArray[np.int64]) -> Answers:  # noqa: ARG002
        """Outputs for samples of the data set, or for texts without their padding."""
        if self._data.layout == "tokens":
            behind = self._data.sample_shape[0] - x.shape[1]
            x = np.pad(x, ((0, 0), (0, behind)), constant_values=self._data.pad)
        return self._process.ask(x)

    def close(self) -> None:
        """End the process."""
        self._process.close()


class TeacherAnswers:
    """All teachers as one that answers with the mean of their answers, by their shares.

    The mean of class logits is that of log-softmax, whose softmax is the geometric mean of the
    teachers' probabilities (Hinton, Vinyals & Dean 2015, §1, names it beside the arithmetic one):
    raw logits of two teachers have no common zero. Other tasks' outputs have, and are averaged.
    """

    def __init__(
        self, models: Sequence[Made[ModelRecord]], shares: Sequence[float], data: DataRecord
    ) -> None:
        self._stack = ExitStack()
        self._shares, self._exclusive = shares, tasks.of(data.task).exclusive
        self.outputs = _of_all(models)
        self._teachers: list[AnsweringTeacher] = []
        try:
            for model in models:
                teacher = opened(model, data)
                self._stack.callback(teacher.close)
                self._teachers.append(teacher)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def __call__(self, x: NDArray[Any], split: Split, rows: NDArray[np.int64]) -> Answers | None:
        """Outputs [n, outputs] of all teachers together; None where one of them has none.

        Raises:
            ModelError: an answer that is not finite, which would teach NaN.
        """
        answers = [teacher(x, split, rows) for teacher in self._teachers]
        given_answers = [answer for answer in answers if answer is not None]
        if len(given_answers) < len(answers):
            return None
        mean = mixed(given_answers, self._shares, exclusive=self._exclusive)
        if not np.isfinite(mean).all():
            row = int(rows[int(np.argmax(~np.isfinite(mean).all(1)))])
            raise ModelError(
                found=f"answers of the teacher that are not finite, for row {row} of {split}",
                where="targets",
                fix="look for outliers in the data, or give data.mean and data.std",
            )
        return mean


def _of_all(models: Sequence[Made[ModelRecord]]) -> int:
    """The number of outputs, which all teachers share.

    Raises:
        ModelError: vectors of several lengths, which have no mean.
    """
    outputs = {model.record.model: model.record.outputs for model in models}
    if len(set(outputs.values())) > 1:
        raise ModelError(
            found="teachers whose answers differ in length: "
            + ", ".join(f"{model!r} gives {number}" for model, number in outputs.items()),
            expected="as many numbers of each",
            where="teacher.members",
        )
    return models[0].record.outputs


def opened(model: Made[ModelRecord], data: DataRecord) -> AnsweringTeacher:
    """One teacher, ready for calls."""
    if model.record.origin == "black box":
        return BlackBoxTeacher(model, data)
    if model.record.origin == "recorded":
        return RecordedTeacher(model)
    return NetworkTeacher(model, data)


def restored(stored: Made[ModelRecord], data: DataRecord) -> Deployed:
    """A trained or loaded model as it was stored, in eval mode."""
    record = stored.record
    with torch.random.fork_rng(devices=[]):  # the first weights of one training are not for another
        if teachers.kind(record.model) in MODULE_KINDS:
            folder = stored.path / FOLDER
            return foreign(record.model, folder, data, normalized=record.normalized).eval()
        module = deployed(
            record.architecture,
            data,
            record.outputs,
            normalized=record.normalized,
            standardized=record.standardized,
        )
    restore(module, stored.path / WEIGHTS)
    return module.eval()


def foreign(model: str, place: Path, data: DataRecord, *, normalized: bool = True) -> Deployed:
    """A model of another library, as a module that takes samples of the data set.

    Args:
        model: ``hf:FOLDER`` or ``timm:NAME``.
        place: the folder of a ``hf`` model; that which holds the checkpoint of a ``timm`` one.
        data: the data set; without classes a ``timm`` model gives its features.
        normalized: whether it takes normalized samples.
    """
    outputs = tasks.of(data.task).outputs(data) or 0
    if teachers.kind(model) == "hf":
        from ..teachers import huggingface

        length = data.sample_shape[0]
        backbone = huggingface.load(
            place, outputs, pad=data.pad, vocabulary=data.vocabulary, length=length
        )
    else:
        from ..teachers import timm_

        channels, height, width = signature(data, outputs).backbone_shape
        (weights,) = place.iterdir()
        backbone = timm_.load(
            teachers.address(model), weights, outputs, channels=channels, size=(height, width)
        )
    mean, std = scaling(data, normalized=normalized)
    return Deployed(backbone, data.layout, mean, std)


class Ensemble(torch.nn.Module):
    """Several models as one, whose answers are mixed as by ``mixed``; exported as the teacher."""

    def __init__(
        self, models: Sequence[Deployed], shares: Sequence[float], *, exclusive: bool
    ) -> None:
        super().__init__()
        self.models = torch.nn.ModuleList(models)
        self._shares, self._exclusive = tuple(shares), exclusive

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Outputs [n, outputs] of samples of the data set."""
        answers = [model(samples) for model in self.models]
        if self._exclusive:
            answers = [answer.log_softmax(1) for answer in answers]
        shared = [share * answer for share, answer in zip(self._shares, answers, strict=True)]
        return torch.stack(shared).sum(0)


def exportable(models: Sequence[Made[ModelRecord]]) -> bool:
    """Whether there are any, and all of them are torch modules here, which can be exported."""
    return bool(models) and all(model.record.origin in ("trained", "loaded") for model in models)


def ensemble(
    models: Sequence[Made[ModelRecord]], shares: Sequence[float], data: DataRecord
) -> torch.nn.Module:
    """One model as it was stored, or several as one, in eval mode."""
    modules = [restored(model, data) for model in models]
    if len(modules) == 1:
        return modules[0]
    return Ensemble(modules, shares, exclusive=tasks.of(data.task).exclusive).eval()


def mixed(answers: Sequence[Answers], shares: Sequence[float], *, exclusive: bool) -> Answers:
    """The weighted mean of several teachers' answers; one teacher's answers as they are."""
    if len(answers) == 1:
        return answers[0]
    if exclusive:
        answers = [_log_softmax(answer) for answer in answers]
    return sum(
        (share * answer for share, answer in zip(shares, answers, strict=True)),
        np.zeros_like(answers[0]),
    )


def _log_softmax(x: Answers) -> Answers:
    shifted = x - x.max(1, keepdims=True)
    log_p: Answers = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return log_p
