"""The trial stage: a module of the user takes one training step and is exported, before any hour.

A family of ours is known to train and to export; what a function of the user returns is not. A
training that takes hours would end in the exporter's refusal. The untrained module shows the same
in seconds: export does not look at values, and a step that fails is the first one.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from ...devices.onboard.model import training_operators
from ...devices.onboard.model.modelfile import load
from ...errors import ModelError
from ...exporters import onnx
from .. import tasks
from ..data.arrays import Arrays, draw, open_split
from ..distill.batches import Batch
from ..distill.hard_labels import hard_labels
from ..judge import parity
from ..models import deployed, example
from ..models.deployed import Deployed
from ..models.factory import blamed
from ..models.weights import WEIGHTS, restore, save
from ..progress import Progress
from ..records import DataRecord, TrialRecord
from .inputs import TrialInputs

SAMPLES = 8
"""Samples of train that a module is tried on; a batch norm needs a few."""
_CLOSE = 1e-4
"""Of the largest output (at least 1): about ten times what another order of summing changes."""


def try_out(out: Path, progress: Progress, inputs: TrialInputs) -> TrialRecord:
    """Run, train, save, restore and export an untrained module of the user.

    Args:
        out: nothing is kept there.
        progress: gets a warning where the gradient does not reach all parameters.
        inputs: of the trial stage.

    Raises:
        ModelError: a step fails or gives another answer than it must; with the cause in one line.
    """
    del out
    data = inputs.data.record
    samples = draw(open_split(inputs.data.path, "train"), SAMPLES)
    torch.manual_seed(0)
    model = _made(inputs, data)
    where = f"{inputs.key} {inputs.architecture.model}"
    _is_no_script(model, where)
    _answers(model, inputs, samples, where)
    trained = 0
    if inputs.trained:
        trained = _step(model, samples, data, where)
        if trained < (parameters := _count(model, trainable=True)):
            progress.warn(
                f"{where}: no gradient reaches {parameters - trained:,} of its {parameters:,} "
                "trainable parameters in a step; they stay as they are"
            )
    with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
        _restored(model, inputs, samples, Path(folder) / WEIGHTS, where)
        _exported(model, inputs, samples, Path(folder) / "model.onnx", where)
    return TrialRecord(model=inputs.architecture.model, parameters=_count(model), trained=trained)


def _made(inputs: TrialInputs, data: DataRecord) -> Deployed:
    return deployed(inputs.architecture, data, normalized=inputs.normalized)


def _is_no_script(model: Deployed, where: str) -> None:
    """A scripted module has no source that an exporter could follow."""
    if any(isinstance(part, torch.jit.ScriptModule) for part in model.modules()):
        raise ModelError(
            "a module of torch.jit, which cannot be exported to ONNX",
            expected="a plain torch.nn.Module",
            where=where,
            fix="return the module without torch.jit.script or torch.jit.trace",
        )


@torch.no_grad()
def _answers(model: Deployed, inputs: TrialInputs, samples: Arrays, where: str) -> None:
    """Refuse a module whose answer to a sample is not finite, or not the sample's alone."""
    model.eval()
    x = torch.from_numpy(samples.x)
    with blamed(where, "answer samples of train"):
        first, again = model(x), model(x)
        alone = torch.cat([model(x[i : i + 1]) for i in range(len(x))])
    if not torch.isfinite(first).all():
        raise ModelError(
            "NaN or infinity in its output for samples of train",
            where=where,
            fix="bound what goes into log, sqrt and divisions",
        )
    if not torch.equal(first, again):
        raise ModelError(
            f"two answers to the same samples in eval mode{_by_operator(model, inputs)}",
            expected="one answer",
            where=where,
            fix="pass training=self.training to F.dropout, and draw no random numbers in eval mode",
        )
    if alone.shape != first.shape or not _close(alone, first):
        raise ModelError(
            "another answer to a sample alone than in a batch, in eval mode"
            f"{_by_operator(model, inputs)}",
            expected="an answer that depends on the sample alone",
            where=where,
            fix="keep statistics over the batch to training mode",
        )


def _by_operator(model: Deployed, inputs: TrialInputs) -> str:
    """The operators that act as in training, where the module can be exported and shows them."""
    with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
        path = Path(folder) / "model.onnx"
        try:
            onnx.export(model, example(inputs.data.record), path, opset=inputs.opset)
        except ModelError:
            return ""
        found = training_operators.training_operators(load(path))
    return f": {training_operators.sentence(found)}" if found else ""


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    scale = max(1.0, float(b.abs().max()))
    return float((a - b).abs().max()) <= _CLOSE * scale


def _step(model: Deployed, samples: Arrays, data: DataRecord, where: str) -> int:
    """One forward and backward pass in training mode; how many parameters the gradient reaches."""
    if not _count(model, trainable=True):
        raise ModelError(
            "no trainable parameter",
            expected="weights that training can change",
            where=where,
            fix="leave requires_grad of the weights to be trained at True",
        )
    model.train()
    x, rows = torch.from_numpy(samples.x), np.arange(len(samples.x))
    batch = Batch(x, torch.from_numpy(np.ascontiguousarray(samples.y)), rows, 0)
    has_labels = tasks.of(data.task).labels is not None
    with blamed(where, "answer in training mode"):
        outputs = model(x)
    loss = hard_labels(data)(outputs, batch) if has_labels else outputs.square().mean()
    if not loss.requires_grad:
        raise ModelError(
            "an output that depends on no trainable parameter",
            expected="one that training can change",
            where=where,
            fix="leave out no_grad, detach and .data in forward",
        )
    with blamed(where, "be trained"):
        loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    if not all(torch.isfinite(gradient).all() for gradient in gradients):
        raise ModelError("NaN or infinity in a gradient of its first training step", where=where)
    model.zero_grad(set_to_none=True)
    return sum(gradient.numel() for gradient in gradients)


def _restored(
    model: Deployed, inputs: TrialInputs, samples: Arrays, path: Path, where: str
) -> None:
    """Refuse a module that stored weights do not make again: training would be for nothing."""
    with blamed(where, "be stored and made again from its weights"):
        save(model, path)
        again = _made(inputs, inputs.data.record)
        restore(again, path)
        x = torch.from_numpy(samples.x)
        with torch.no_grad():
            same = _close(again.eval()(x), model.eval()(x))
    if not same:
        raise ModelError(
            "other answers once its weights are stored and loaded into a new module",
            expected="the same answers",
            where=where,
            fix="keep all that the answers depend on in parameters and buffers",
        )


def _exported(
    model: Deployed, inputs: TrialInputs, samples: Arrays, path: Path, where: str
) -> None:
    """Export it, and compare the file with the module."""
    try:
        onnx.export(model, example(inputs.data.record), path, opset=inputs.opset)
    except ModelError as error:
        raise ModelError(error.found, where=where, fix=error.fix) from error
    training_operators.check(path, where)
    for compared in parity.with_module(path, model.eval(), samples):
        if not compared.holds:
            raise ModelError(
                f"an ONNX file whose answers differ from the module's by "
                f"{compared.max_abs_difference:.3g} at batch {compared.batch}",
                expected=f"at most {compared.tolerance:.3g}",
                where=where,
                fix="leave out what depends on values of tensors or on the batch size",
            )


def _count(model: torch.nn.Module, *, trainable: bool = False) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)
