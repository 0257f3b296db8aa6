"""The training loop of every model: teacher, student with soft targets, student without.

Batches are drawn by index from memory maps. Their order depends on the seed and the epoch alone. So
a student with soft targets and one without see the same batches from the same first weights, and a
training that was killed resumes in the middle of an epoch. It runs on the device of its stage, and
leaves the model on the processor, where it is exported and judged. Several processes may share it
(``engine.ranks``): it is the same loop, in which one process is a batch's only part.
"""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel

from ...errors import ModelError, RecipeError
from .. import tasks
from ..data.arrays import Arrays
from ..engine import compute, ranks
from ..engine.ranks import ALONE, Ranks
from ..models.weights import WEIGHTS, save
from ..progress import Progress
from ..recipe.training import Schedule
from ..records import DataRecord, Epoch, StepScore
from ..tasks.metric import Metric
from . import checkpoint
from .batches import Batch, Batches, ViewOf, as_model_input
from .hard_labels import Loss, hard_labels
from .optimizer import Average, optimizer_of, put_back, set_rate, state_of
from .shared_layers import shared_layers

EVALUATION_BATCH = 128
SECONDS_BETWEEN_CHECKPOINTS = 30.0
"""A kill loses at most this much work."""
_SMOOTHING = 0.98
"""Of the running loss, which tells a training that diverges from a single bad batch."""
_DIVERGED = 10.0
"""Times its lowest value that the running loss may reach, and twice ``_State.first``."""


class Fitted(NamedTuple):
    """A model restored to its best epoch on validation, its curve, and its scores after steps."""

    curve: tuple[Epoch, ...]
    best: Epoch
    steps: tuple[StepScore, ...] = ()


class TrainingSetup(NamedTuple):
    """On what a model is trained, and towards what.

    Attributes:
        batches: the train split as batches.
        validation: chooses the best epoch.
        data: what they are.
        schedule: the recipe's part.
        loss: of outputs and batch.
        view_of: the view that an epoch shows.
        seed: of the order.
        extra: more parameters to train, such as those of a bridge between layers.
        select_by: the metric by which the best epoch is kept; None: see ``Task.chooses``.
        frozen: modules that stay in eval mode, so that their statistics do not move either.
        scored_after: steps after which the model is scored on validation, too; 0: before the first.
        untaught: loss from labels of a model that knows nothing; 0: this one is random at first.
    """

    batches: Batches
    validation: Arrays
    data: DataRecord
    schedule: Schedule
    loss: Loss
    view_of: ViewOf
    seed: int
    extra: tuple[torch.nn.Parameter, ...] = ()
    select_by: str | None = None
    frozen: tuple[torch.nn.Module, ...] = ()
    scored_after: frozenset[int] = frozenset()
    untaught: float = 0.0

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return len(self.batches) // self.schedule.batch_size * self.schedule.epochs

    @property
    def chosen_by(self) -> Metric:
        """The metric by which the best epoch is kept."""
        task = tasks.of(self.data.task)
        return task.chooses(self.select_by, class_weights=self.schedule.class_weights)

    def better(self, loss: float, score: float, than: Epoch) -> bool:
        """Whether these figures on validation are better than an epoch's: the score, then the loss.

        Args:
            loss: mean loss from labels.
            score: of the metric that chooses.
            than: the epoch.
        """
        merit = self.chosen_by.merit
        return (merit(score), -loss) > (merit(than.validation_score), -than.validation_loss)


def new_view_each_epoch(epoch: int) -> int:
    """A view of its own for each epoch."""
    return epoch


def fit(
    model: torch.nn.Module,
    setup: TrainingSetup,
    *,
    progress: Progress,
    what: str,
    work: Path | None = None,
) -> Fitted:
    """Train, and leave the model at its best epoch on validation: by its metric, then the loss.

    Args:
        model: trained in place; on the processor before and afterwards.
        setup: on what, and how.
        progress: gets each step.
        what: its name in progress and errors.
        work: where checkpoints are kept; a training found there is resumed. None keeps none.

    Raises:
        ModelError: the loss is no longer finite, or many times what it was; the best weights so
            far are kept in ``work``.
        RecipeError: more processes than samples in a batch.
        LostError: another process of the training has ended.
        ShareEndedError: behind a training that another process leads.
    """
    trainer = _Trainer(model, setup, progress, what, work)
    try:
        fitted = trainer.run()
    finally:
        model.to("cpu")
    trainer.ranks.part()
    return fitted


class _State(BaseModel):
    """The state of a training besides its tensors, as a checkpoint stores it."""

    step: int = 0
    mean: float = 0.0
    """Of the losses of this epoch so far."""
    first: float = 0.0
    """Loss of the first step of all, or of a model that knows nothing if that is more."""
    running: float = 0.0
    lowest: float = 0.0
    """Of the running loss."""
    seconds: float = 0.0
    """Of this epoch so far."""
    curve: list[Epoch] = []
    steps: list[StepScore] = []
    best: int = -1
    """Place of the best epoch on the curve."""


class _Trainer:
    def __init__(
        self,
        model: torch.nn.Module,
        setup: TrainingSetup,
        progress: Progress,
        what: str,
        work: Path | None,
    ) -> None:
        self.model, self.setup, self.progress, self.what = model, setup, progress, what
        self.work = work
        schedule = setup.schedule
        self.device, self.ranks = compute.device(), _called(schedule)
        model.to(self.device)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.ranks.size > 1:
            _copy(self.ranks.of_first(_state(model, setup.extra)), model, setup.extra)
        self.parameters = [*model.parameters(), *setup.extra]
        self.optimizer = optimizer_of(self.parameters, schedule)
        self.average = Average(model, schedule.ema) if schedule.ema else None
        self.bf16 = schedule.precision == "bf16" or (
            schedule.precision == "auto" and compute.has_bf16()
        )
        self.per_epoch = len(setup.batches) // schedule.batch_size
        self.total = setup.total_steps
        self.score = setup.chosen_by.name
        self.at = _State()
        self.best: dict[str, torch.Tensor] = {}
        self.saved = time.monotonic()

    def run(self) -> Fitted:
        setup, at, detail = self.setup, self._resumed(), ""
        if at.step == 0:
            self._scored()
        with self.progress.steps(self.what, self.total - at.step) as steps:
            for number in range(at.step // self.per_epoch, setup.schedule.epochs):
                began = time.monotonic() - at.seconds
                order = setup.batches.order(setup.schedule.batch_size, setup.seed, number)
                self._train_mode()
                for rows in order[at.step % self.per_epoch :]:
                    batch = setup.batches(rows, setup.view_of(number), self.ranks)
                    self._step(batch.to(self.device))
                    steps.advance(f"loss {at.mean:.4f}{detail}")
                    if at.step % self.per_epoch:
                        at.seconds = time.monotonic() - began
                        self._save()
                epoch = self._judged(number, time.monotonic() - began)
                at.mean = at.seconds = 0.0
                self._save()
                detail = f"  validation {self.score} {epoch.validation_score:.4f}"
        self.model.load_state_dict(self.best)
        best = at.curve[at.best]
        self.progress.note(
            f"  {self.what}: best epoch {best.epoch}, {self.score} {best.validation_score:.4f} "
            "on validation"
        )
        return Fitted(tuple(at.curve), best, tuple(at.steps))

    def _train_mode(self) -> None:
        self.model.train()
        for module in self.setup.frozen:
            module.eval()

    def _step(self, batch: Batch) -> None:
        at, schedule = self.at, self.setup.schedule
        place = at.step % self.per_epoch + 1
        set_rate(self.optimizer, schedule, at.step, self.total)
        with (
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16),
            shared_layers(self.ranks, len(batch.rows)),
        ):
            outputs = self.model(batch.x)
        loss = self.setup.loss(batch.whole(outputs.float()), batch)
        value = loss.item()
        self._sound(value, f"epoch {at.step // self.per_epoch + 1}, step {place}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.ranks.add_gradients(self.parameters)
        if schedule.clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, schedule.clip)
        self.optimizer.step()
        at.step += 1
        at.mean += (value - at.mean) / place
        if self.average is not None:
            self.average.update(at.step)
        self._scored()

    def _scored(self) -> None:
        """Score the model where the setup asks for it after this step."""
        at = self.at
        if at.step in self.setup.scored_after:
            at.steps.append(StepScore(step=at.step, score=self._on_validation()[1]))
            self._train_mode()

    def _on_validation(self) -> tuple[float, float]:
        """Loss and score of the weights that would be kept now."""
        setup = self.setup
        with self.average.in_place() if self.average is not None else nullcontext():
            return evaluate(self.model, setup.validation, setup.data, setup.chosen_by, self.ranks)

    def _sound(self, loss: float, when: str) -> None:
        """Raise where a step's loss shows that the training diverges."""
        self._finite(loss, when)
        at = self.at
        if at.step == 0:
            at.first, at.running, at.lowest = max(loss, self.setup.untaught), loss, loss
        at.running = _SMOOTHING * at.running + (1.0 - _SMOOTHING) * loss
        at.lowest = min(at.lowest, at.running)
        if at.running > max(_DIVERGED * at.lowest, 2.0 * at.first):
            raise self._stopped(
                f"a loss that rises (lately {at.running:.4g}, {at.lowest:.4g} at best) in {when}",
                "a loss that falls",
            )

    def _finite(self, loss: float, when: str) -> None:
        if not math.isfinite(loss):
            raise self._stopped(f"a loss of {loss} in {when}", "a finite loss")

    def _stopped(self, found: str, expected: str) -> ModelError:
        kept = ""
        if self.work is not None and self.best and self.ranks.leads:
            self.model.load_state_dict(self.best)
            save(self.model.to("cpu"), self.work / WEIGHTS)
            epoch = self.at.curve[self.at.best].epoch
            kept = f"; the best so far, epoch {epoch}, is kept as {self.work / WEIGHTS}"
        return ModelError(
            found=found,
            expected=expected,
            where=self.what,
            fix=f"lower learning_rate, or look for outliers in the data{kept}",
        )

    def _judged(self, number: int, seconds: float) -> Epoch:
        """End an epoch: add it to the curve, and keep its weights if they are the best so far."""
        at, setup = self.at, self.setup
        with self.average.in_place() if self.average is not None else nullcontext():
            loss, score = evaluate(
                self.model, setup.validation, setup.data, setup.chosen_by, self.ranks
            )
            better = not at.curve or setup.better(loss, score, than=at.curve[at.best])
            if better:
                state = {key: value.clone() for key, value in self.model.state_dict().items()}
        self._finite(loss, f"epoch {number + 1}, on validation")
        epoch = Epoch(
            epoch=number + 1,
            loss=at.mean,
            validation_loss=loss,
            validation_score=score,
            seconds=seconds,
        )
        at.curve.append(epoch)
        if better:
            at.best, self.best = number, state
        return epoch

    def _save(self) -> None:
        """Write a checkpoint, if the last one is old enough."""
        soon = time.monotonic() - self.saved < SECONDS_BETWEEN_CHECKPOINTS
        if self.work is None or soon or not self.ranks.leads:
            return
        groups = {
            "model": self.model.state_dict(),
            "best": self.best,
            "extra": checkpoint.numbered(self.setup.extra),
            "optimizer": state_of(self.optimizer),
            "average": checkpoint.numbered(self.average.mean if self.average is not None else ()),
            "random": compute.random_state(),
        }
        checkpoint.write(self.work, groups, self.at.model_dump())
        self.saved = time.monotonic()

    def _resumed(self) -> _State:
        """Load the checkpoint, if there is one."""
        keeps = self.work is not None and self.ranks.leads
        saved = self.ranks.of_first(checkpoint.read(self.work) if keeps and self.work else None)
        if saved is None:
            return self.at
        groups = saved.groups
        self.at = _State.model_validate(saved.facts)
        self.model.load_state_dict(groups["model"])
        self.best = groups.get("best", {})
        put_back(self.optimizer, groups["optimizer"])
        checkpoint.fill(self.setup.extra, groups.get("extra", {}))
        if self.average is not None:
            checkpoint.fill(self.average.mean, groups["average"])
        compute.set_random_state(groups["random"])
        self.progress.note(f"  {self.what}: resumes after step {self.at.step} of {self.total}")
        return self.at


def _called(schedule: Schedule) -> Ranks:
    """The processes of this training, all of them in it.

    Raises:
        RecipeError: some of them would have no sample.
    """
    found = ranks.current()
    if schedule.batch_size < found.size:
        raise RecipeError(
            found=f"batch_size = {schedule.batch_size} for {found.size} processes",
            expected="a sample for each of them",
            where="training",
            fix="raise batch_size, or start fewer processes",
        )
    return found.called()


def _state(
    model: torch.nn.Module, extra: Iterable[torch.Tensor]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """All that is trained, on the processor."""
    named = (model.state_dict(), checkpoint.numbered(extra))
    model_state, extra_state = ({key: t.detach().cpu() for key, t in x.items()} for x in named)
    return model_state, extra_state


def _copy(
    state: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]],
    model: torch.nn.Module,
    extra: Iterable[torch.Tensor],
) -> None:
    model.load_state_dict(state[0])
    checkpoint.fill(extra, state[1])


def evaluate(
    model: torch.nn.Module,
    split: Arrays,
    data: DataRecord,
    metric: Metric | None = None,
    shared: Ranks = ALONE,
) -> tuple[float, float]:
    """Mean loss from labels and a metric over a split, the model in eval mode.

    Args:
        model: takes ``data``.
        split: its samples and labels.
        data: what they are.
        metric: one of the task; None: its score.
        shared: the processes that compute the outputs; each gets the result.
    """
    metric = metric or tasks.of(data.task).metric
    loss_of, loss = hard_labels(data), 0.0
    outputs = outputs_of(model, split.x, data, shared)
    for part in _blocks(len(outputs)):
        y = torch.from_numpy(np.ascontiguousarray(split.y[part]))
        own = torch.from_numpy(outputs[part])
        batch = Batch(own, y, np.arange(part.start, part.stop), 0)
        loss += loss_of(own, batch).item() * len(own)
    return loss / len(outputs), metric.measure(outputs, split.y)


@torch.no_grad()
def logits_of(
    model: torch.nn.Module, x: NDArray[Any], data: DataRecord, shared: Ranks = ALONE
) -> Iterator[tuple[torch.Tensor, slice]]:
    """Outputs for all samples in order, a block at a time, the model in eval mode.

    Args:
        model: on any device; its outputs are given on the processor.
        x: samples of the data set.
        data: what they are.
        shared: the processes that take the blocks in turn.
    """
    model.eval()
    on = next((tensor.device for tensor in (*model.parameters(), *model.buffers())), None)
    for part in _blocks(len(x))[shared.rank :: shared.size]:
        samples = torch.from_numpy(as_model_input(x[part], data))
        yield model(samples if on is None else samples.to(on)).cpu(), part


def outputs_of(
    model: torch.nn.Module, x: NDArray[Any], data: DataRecord, shared: Ranks = ALONE
) -> NDArray[np.float32]:
    """Outputs for all samples at once, [n, outputs]; the arguments as of ``logits_of``."""
    own = [(part.start, outputs.numpy()) for outputs, part in logits_of(model, x, data, shared)]
    blocks = sorted(
        (block for of_rank in shared.all(own) for block in of_rank), key=lambda block: block[0]
    )
    return np.concatenate([outputs for _, outputs in blocks])


def _blocks(samples: int) -> list[slice]:
    starts = range(0, samples, EVALUATION_BATCH)
    return [slice(start, min(start + EVALUATION_BATCH, samples)) for start in starts]
