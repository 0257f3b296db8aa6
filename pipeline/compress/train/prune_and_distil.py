"""Pruned: channels are cut out of the student, which is then distilled again."""

import torch

from ....exporters import onnx
from ...data.arrays import draw, open_split
from ...distill.batches import as_model_input
from ...distill.loop import fit
from ...models import deployed, example
from ...models.text_length import takes_any_length
from ...recipe.architecture import Architecture
from ...recipe.compress import Prune
from ...records import DataRecord
from ..method import Effect
from . import pruning
from .contract import FILE, StudentToTune, Tuned

NAME = "pruned"


def check_possible(architecture: Architecture, data: DataRecord, share: float) -> None:
    """Refuse a share that the student cannot lose, before anything is trained.

    Args:
        architecture: of the student.
        data: what it takes, and what it is to give.
        share: of its multiply-accumulates that is to go.

    Raises:
        RecipeError: more is to go than can; with what can.
        NoEffectError: it has no channels that can go.
        ModelError: it cannot be made or traced.
    """
    with torch.random.fork_rng(devices=[]):
        model = deployed(architecture, data).eval()
    pruning.check_possible(model, example(data), share)


def train(student: StudentToTune[Prune]) -> Tuned:
    """Cut a student, train what is left of it, and write it as ONNX.

    Raises:
        RecipeError: more is to go than can.
        ModelError: the student cannot be traced or exported.
        NoEffectError: it has no channels that can go.
    """
    settings, data = student.settings, student.data.record
    samples = draw(open_split(student.data.path, "calibration"), settings.calibration_samples).x
    shown = torch.from_numpy(as_model_input(samples, data))
    small, cut = pruning.prune(student.model, shown, settings.prune_share)
    schedule = student.schedule.model_copy(
        update={
            "epochs": settings.prune_epochs,
            "learning_rate": settings.prune_learning_rate or student.schedule.learning_rate,
        }
    )
    with student.open_training(small, schedule) as setup:
        fitted = fit(small, setup, progress=student.progress, what=NAME, work=student.work)
    texts = takes_any_length(small, data)
    onnx.export(small, example(data), student.out / FILE, opset=student.opset, texts=texts)
    notes = (
        f"{1 - cut.macs / cut.macs_before:.1%} of the multiply-accumulates and "
        f"{1 - cut.parameters / cut.parameters_before:.1%} of the parameters are cut out, then "
        f"distilled for {len(fitted.curve)} epochs",
        *(
            f"{layer_cut.layer}: {len(layer_cut.kept)} of {layer_cut.channels} channels are left"
            for layer_cut in cut.cuts
        ),
        *(f"{layer} is left whole: {why}" for layer, why in cut.left.items()),
    )
    return Tuned(small, fitted, Effect(len(cut.cuts), notes), small, rounds=False)
