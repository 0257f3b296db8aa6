"""Every kind of training step, small: each loss, optimizer and precision that a recipe can name.

kit = Kit(folder)
state = trained(kit, "layers")        # the weights behind a few steps
"""

import contextlib
import copy
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import torch
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.compress.train import pruning, qat
from edgestill.pipeline.distill import loop, targets
from edgestill.pipeline.distill.inputs import (
    Distillation,
    Samples,
    TargetsInputs,
    Teachers,
    Training,
)
from edgestill.pipeline.distill.loop import fit
from edgestill.pipeline.distill.probe import fit_head
from edgestill.pipeline.distill.start import begin
from edgestill.pipeline.distill.student import open_training
from edgestill.pipeline.models import deployed
from edgestill.pipeline.models.weights import WEIGHTS, save
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.compress import Compress
from edgestill.pipeline.recipe.distill import LayerPair, SoftLosses, SoftTargets, TeacherLayers
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.records import SPLITS, ModelRecord, TargetsRecord
from small_trainings import DATA, TEXTS, Told, drawn, texts

ROWS = 48
SHORT = Schedule(epochs=2, batch_size=13, optimizer="sgd", learning_rate=0.01)
"""Of 48 samples in batches of 13 three steps an epoch; 13 is no multiple of two or three."""
NUMBERS = DATA.model_copy(
    update={"task": "regression", "labels": ("u", "v", "w"), "counts": {},
            "answer_mean": (1.0, 2.0, 3.0), "answer_std": (2.0, 3.0, 4.0)}
)  # fmt: skip
SETS = DATA.model_copy(update={"task": "multi-label"})
LAYERS = tuple(
    LayerPair(loss=loss, teacher=f"layer{place}.0", student=f"layer{place}.0", weight=0.1)
    for loss, place in zip(
        ("hint", "attention", "similarity", "rkd", "cosine"), (1, 2, 3, 3, 2), strict=True
    )
)


class Kit:
    """Data, a teacher and its answers, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        random = np.random.default_rng(7)
        self.data = {}
        for name, record in (
            ("images", DATA), ("texts", TEXTS), ("numbers", NUMBERS), ("sets", SETS),
            ("partly", DATA.model_copy(update={"rows": {"train": 24}, "unlabelled": 24})),
        ):  # fmt: skip
            (folder / name).mkdir()
            for place, split in enumerate(SPLITS):
                arrays = (texts if name == "texts" else drawn)(ROWS, place)
                y = arrays.y
                if name == "numbers":
                    y = random.normal(size=(ROWS, 3)).astype(np.float32)
                if name == "sets":
                    y = (random.random((ROWS, 3)) < 0.4).astype(np.float32)
                if name == "partly" and split == "train":
                    y = y[:24]
                np.save(folder / name / f"x_{split}.npy", arrays.x)
                np.save(folder / name / f"y_{split}.npy", y)
            self.data[name] = SimpleNamespace(path=folder / name, record=record)
        self.teacher = self._teacher()
        self._answers = random.normal(size=(2, ROWS, 3)).astype(np.float16)

    def _teacher(self):
        torch.manual_seed(5)
        architecture = Architecture(model="resnet8", width=8)
        (self.folder / "teacher").mkdir()
        save(deployed(architecture, DATA), self.folder / "teacher" / WEIGHTS)
        record = ModelRecord(
            model="resnet8", width=8, outputs=3, parameters=1, seed=0, distilled=False,
            origin="loaded", curve=(), best_epoch=None, validation_score=1.0, weights_sha256="",
        )  # fmt: skip
        return SimpleNamespace(path=self.folder / "teacher", record=record)

    def stored(self, views, name="images"):
        """Stored answers to so many views of a data set's train split; 0: the teacher answers."""
        folder = self.folder / f"targets-{name}-{views}"
        if not folder.exists():
            folder.mkdir()
            np.save(folder / targets.LOGITS, self._answers[: max(views, 1)])
            x = np.load(self.data[name].path / "x_train.npy")
            np.save(folder / targets.ROWS, targets.identities(x))
        record = TargetsRecord(
            views=views, rows=ROWS, outputs=3, kept=3, bytes=0, train_score=1.0, answered=()
        )
        return SimpleNamespace(path=folder, record=record)

    def distilled(self, losses, *, name="images", augment=None, schedule=SHORT):
        """A training by stored answers."""
        soft = SoftLosses(losses=losses, temperature=2.0)
        samples = Samples(self.data[name], augment or Augment(), 0)
        return Training(samples, schedule, Distillation(soft, self.stored(2, name)))

    def online(self, layers=()):
        """A training whose teacher answers at every step."""
        between = TeacherLayers(layers=layers) if layers else None
        teachers = Teachers((self.teacher,), (1.0,))
        how = Distillation(SoftLosses(), self.stored(0), between, teachers)
        return Training(Samples(self.data["images"], Augment(), 0), SHORT, how)

    def plain(self, name="images", augment=None, **schedule):
        """A training on labels alone."""
        samples = Samples(self.data[name], augment or Augment(), 0)
        return Training(samples, SHORT.model_copy(update=schedule))


TRAININGS = {
    "labels": lambda kit: kit.plain(),
    "adamw, clipped, averaged": lambda kit: kit.plain(optimizer="adamw", clip=1.0, ema=0.9),
    "class weights, smoothing, mixup": lambda kit: kit.plain(
        class_weights=True, label_smoothing=0.1, augment=Augment(mixup=0.4, crop=1, flip=True)
    ),
    "several labels": lambda kit: kit.plain("sets", class_weights=True),
    "numbers": lambda kit: kit.plain("numbers"),
    "texts": lambda kit: kit.plain("texts"),
    "kd": lambda kit: kit.distilled({"kd": 1.0}),
    "dkd, mse": lambda kit: kit.distilled({"dkd": 1.0, "mse": 0.1}),
    # Its correlations turn the last bits of a few almost equal answers into steps of their own.
    "dist": lambda kit: kit.distilled(
        {"dist": 1.0}, schedule=SHORT.model_copy(update={"learning_rate": 0.001})
    ),
    "binary kd": lambda kit: kit.distilled({"kd": 1.0}, name="sets"),
    "answers in units": lambda kit: kit.distilled({"mse": 1.0}, name="numbers"),
    "some without a label, mixup": lambda kit: kit.distilled(
        {"kd": 1.0, "dkd": 0.5}, name="partly", augment=Augment(mixup=0.4)
    ),
    "a teacher at every step": lambda kit: kit.online(),
    "layers": lambda kit: kit.online(LAYERS),
}
"""A training of each kind, made of a kit."""


def model_of(name):
    """The student of a training, with its first weights."""
    torch.manual_seed(0)
    if name == "texts":
        return deployed(Architecture(model="transformer1", width=8), TEXTS)
    data = {"several labels": SETS, "binary kd": SETS, "numbers": NUMBERS,
            "answers in units": NUMBERS}.get(name, DATA)  # fmt: skip
    return deployed(Architecture(model="resnet8", width=4), data)


def trained(kit, name, work=None):
    """What a training gives: the model's state, and losses and scores of its epochs."""
    model = model_of(name)
    with open_training(model, TRAININGS[name](kit), 0) as setup:
        torch.manual_seed(3)
        fitted = fit(model, setup, progress=Silent(), what=name, work=work)
    return model.state_dict(), figures(fitted)


class KilledError(Exception):
    """In place of SIGKILL."""


def killed_and_resumed(kit, name, work):
    """The same, killed after four steps and gone on with from a checkpoint of each step."""

    def kill(step):
        if step == 5:
            raise KilledError

    work.mkdir()
    before, loop.SECONDS_BETWEEN_CHECKPOINTS = loop.SECONDS_BETWEEN_CHECKPOINTS, 0.0
    try:
        with open_training(model := model_of(name), TRAININGS[name](kit), 0) as setup:
            torch.manual_seed(3)
            with contextlib.suppress(KilledError):
                fit(model, setup, progress=Told(kill), what=name, work=work)
        return trained(kit, name, work)
    finally:
        loop.SECONDS_BETWEEN_CHECKPOINTS = before


def adapted(kit):
    """A student that starts from other weights, half of it frozen."""
    weights = kit.folder / "start.safetensors"
    if not weights.exists():
        save(model_of("labels"), weights)
    model = model_of("kd")
    began = begin(model, weights, "partly", DATA, "resnet8")
    with open_training(model, kit.plain(), 0) as setup:
        head = fit_head(
            model, began.head, setup.batches.train, setup.validation, DATA, setup.schedule
        )
        setup = setup._replace(frozen=began.frozen, untaught=head.untaught)
        fitted = fit(model, setup, progress=Silent(), what="adapted")
    return model.state_dict(), figures(fitted)


def pruned(kit):
    """A student with channels cut out, distilled again."""
    model = deployed(Architecture(model="resnet8", width=16), DATA).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    small, _ = pruning.prune(model, torch.from_numpy(drawn(8).x), 0.25)
    with open_training(small, kit.distilled({"kd": 1.0}), 0) as setup:
        fitted = fit(small, setup, progress=Silent(), what="pruned")
    return small.state_dict(), figures(fitted)


def rounded(kit):
    """A student that rounds as int8 does, with a loss between layers; needs torchao."""
    model = qat.prepared(model_of("kd").eval(), DATA, plan(Compress()))
    qat.calibrate(model, [drawn(16).x])
    training = kit.online(LAYERS[1:4])
    model.train()
    with open_training(model, training, 0) as setup:
        fitted = fit(model, setup, progress=Silent(), what="rounded")
    return model.state_dict(), figures(fitted)


OTHERS = {"adapted": adapted, "pruned": pruned, "rounded": rounded}
"""Trainings of models that are made of a student."""


def answers(kit, folder):
    """What the targets stage stores of a teacher, for two views."""
    folder.mkdir()
    (folder / "work").mkdir()
    (folder / "out").mkdir()
    samples = Samples(kit.data["images"], Augment(flip=True), 0)
    inputs = TargetsInputs(Teachers((kit.teacher,), (1.0,)), SoftTargets(views=2), samples)
    targets.make_targets(folder / "out", Silent(), inputs, folder / "work")
    return np.load(folder / "out" / targets.LOGITS)


def figures(fitted):
    """What a curve says of a training, without its times."""
    return [(epoch.loss, epoch.validation_loss, epoch.validation_score) for epoch in fitted.curve]


def trained_by(kit, name, size, together):
    """The same by ``size`` threads as processes: the state in each of them."""
    model = model_of(name)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # threads share torch's random numbers
    with ExitStack() as stack:
        models = [copy.deepcopy(model) for _ in range(size)]
        setups = [
            stack.enter_context(open_training(one, TRAININGS[name](kit), 0)) for one in models
        ]

        def one(ranks):
            from edgestill.pipeline.engine.ranks import ShareEndedError

            own = models[ranks.rank]
            try:
                fitted = fit(own, setups[ranks.rank], progress=Silent(), what=name)
            except ShareEndedError:
                assert not ranks.leads
                return own.state_dict(), None
            return own.state_dict(), figures(fitted)

        return together(size, one)
