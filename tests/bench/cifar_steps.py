"""Training steps on images of CIFAR-10's shape, as the pipeline takes them; what the benches share.

What an image shows does not change what it costs, so the images and the answers are random.
"""

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.distill import targets
from edgestill.pipeline.distill.batches import Batches
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.distill.inputs import Distillation
from edgestill.pipeline.distill.loop import TrainingSetup, _Trainer
from edgestill.pipeline.distill.student import _stored
from edgestill.pipeline.engine.compute import Compute, computing
from edgestill.pipeline.models import deployed
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.distill import SoftLosses
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.records import DataRecord, TargetsRecord

BATCH = 128
SCHEDULE = Schedule(epochs=1000, batch_size=BATCH, optimizer="sgd", learning_rate=1e-3)
AUGMENT = Augment(crop=4, flip=True)


def record(samples: int) -> DataRecord:
    """Of a data set of so many images."""
    return DataRecord(
        source="bench", task="classification", labels=tuple("abcdefghij"),
        sample_shape=(32, 32, 3), layout="hwc", dtype="uint8", mean=(125.0,) * 3, std=(63.0,) * 3,
        rows={"train": samples}, counts={"train": (samples // 10,) * 10}, dropped=0, notes=(),
        fingerprint="",
    )  # fmt: skip


def images(samples: int, seed: int = 0) -> Arrays:
    """So many images and labels."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (samples, 32, 32, 3), np.uint8)
    return Arrays(x, random.integers(0, 10, samples))


def stored_answers(train: Arrays, folder: Path, views: int = 4) -> SimpleNamespace:
    """Soft targets of so many views."""
    random = np.random.default_rng(1)
    shape = (views, len(train.y), 10)
    np.save(folder / targets.LOGITS, random.normal(size=shape).astype(np.float16))
    np.save(folder / targets.ROWS, targets.identities(train.x))
    facts = TargetsRecord(
        views=views, rows=len(train.y), outputs=10, kept=10, bytes=0, train_score=0.1, answered=()
    )
    return SimpleNamespace(path=folder, record=facts)


class Steps:
    """A training that goes on for as many steps as are asked for.

    Args:
        model: such as ``resnet8``.
        width: of it.
        precision: as in a recipe.
        distilled: whether it has stored soft targets.
        samples: images to draw from.
    """

    def __init__(
        self, model: str, width: int, *, precision: str = "fp32", distilled: bool = True,
        samples: int = 12_800,
    ) -> None:  # fmt: skip
        self.data, train = record(samples), images(samples)
        schedule = SCHEDULE.model_copy(update={"precision": precision})
        loss, view_of = hard_labels(self.data, schedule), lambda epoch: epoch % 4
        if distilled:
            self._folder = tempfile.TemporaryDirectory()
            made = stored_answers(train, Path(self._folder.name))
            how = Distillation(SoftLosses(), made)
            loss, view_of, _ = _stored(loss, how, train.x, self.data)
        torch.manual_seed(0)
        self.model = deployed(Architecture(model=model, width=width), self.data)
        batches = Batches(self.data, train, AUGMENT, 0)
        self.setup = TrainingSetup(batches, images(256, 2), self.data, schedule, loss, view_of, 0)
        self.trainer = _Trainer(self.model, self.setup, Silent(), model, None)
        self.trainer._train_mode()
        self._order = iter(np.concatenate([batches.order(BATCH, 0, e) for e in range(50)]))

    def run(self, steps: int) -> float:
        """Images a second over so many steps, torch set up as a stage has it."""
        trainer, setup = self.trainer, self.setup
        with computing(Compute(torch.get_num_threads())):
            began = time.perf_counter()
            for _ in range(steps):
                batch = setup.batches(next(self._order), 0, trainer.ranks)
                trainer._step(batch.to(trainer.device))
            return steps * BATCH / (time.perf_counter() - began)


def bare(model: str, width: int, *, bf16: bool = False):
    """Images a second of the least that can be done: one batch in memory, no views, no targets."""
    from edgestill.pipeline.models import Signature, build

    torch.manual_seed(0)
    net = build(Architecture(model=model, width=width), Signature((32, 32, 3), "hwc", 10))
    net = net.to(memory_format=torch.channels_last).train()
    train = images(BATCH)
    x = torch.from_numpy(train.x).permute(0, 3, 1, 2).float().div(255)
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(train.y)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=True
    )

    def run(steps: int) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                outputs = net(x)
            loss = torch.nn.functional.cross_entropy(outputs.float(), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            loss.item()
        return steps * BATCH / (time.perf_counter() - began)

    return run
