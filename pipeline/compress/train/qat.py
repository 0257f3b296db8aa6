"""Quantization-aware training: the student is distilled further, with int8 rounding in the loop.

Forward passes round weights and activations as int8 does, gradients pass straight through what is
inside the range (Jacob et al. 2018, §3; Bengio et al. 2013). Batch norm is folded into the
convolutions before that, with the statistics it has: what is trained is then what runs, and a short
training at a small rate has no use for statistics that move (Krishnamoorthi 2018, §3.2.2).
"""

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import onnx as onnx_file
import torch
from torch import nn

from ....errors import HostError, ModelError, NoEffectError, reason
from ....exporters import onnx
from ...data.arrays import draw, open_split
from ...distill.batches import as_model_input
from ...distill.loop import evaluate, fit
from ...models import KINDS, example
from ...models.deployed import Deployed
from ...models.text_length import takes_any_length
from ...recipe.compress import Qat
from ...recipe.training import Schedule
from ...records import DataRecord, Plan
from ..method import Effect, changed
from . import learned_ranges
from .contract import FILE, StudentToTune, Tuned
from .layer_outputs import find, tapped

NAME = "int8-qat"
BATCH = 32
"""Calibration samples a run."""
SLOWER = 50
"""The learning rate is the student's over this number, where the recipe sets none."""
_DROPOUTS = (torch.ops.aten.dropout.default, torch.ops.aten.dropout_.default)
_LOGGERS = ("torchao", "torch.utils._pytree", "torch.export")


class Captured(nn.Module):
    """A graph of ``torch.export`` as a module with a training and an eval mode.

    In training, dropout drops and the ranges of activations follow; otherwise both stand still.
    It goes on being taught between layers (``distill.layers.Traced``).

    Args:
        graph: in eval mode.
        origin: the model that it was captured from, in eval mode.
        batch: random samples as it takes them, by which layers are found again.
    """

    def __init__(self, graph: torch.fx.GraphModule, origin: Deployed, batch: torch.Tensor) -> None:
        super().__init__()
        self.net = graph
        self.training = False
        # In a tuple, for what is trained is the graph alone.
        self._origin = (origin, batch)

    @property
    def origin(self) -> Deployed:
        """The model that it was captured from."""
        return self._origin[0]

    @contextmanager
    def tapped(self, names: Sequence[str]) -> Iterator[dict[str, nn.Module]]:
        """By name a module that gives what the layer gave, for as long as this lasts.

        Raises:
            ModelError: the graph does not compute what a layer gave; see ``absent``.
        """
        nodes = self._found(names)
        for name in names:
            if name not in nodes:
                raise ModelError(
                    found=f"layer {name!r}, whose output is not computed once batch norm is folded",
                    expected="a layer whose output is still there",
                    where=NAME,
                    fix="name the batch norm or the activation behind it",
                )
        with tapped(self.net, nodes) as taps:
            yield taps

    def absent(self, names: Sequence[str]) -> list[str]:
        """Those layers whose outputs the graph does not compute any more."""
        nodes = self._found(names)
        return [name for name in names if name not in nodes]

    def _found(self, names: Sequence[str]) -> dict[str, torch.fx.Node]:
        for rounding in self.roundings():
            rounding.disable_fake_quant()
        try:
            return find(self.net, *self._origin, names)
        finally:
            for rounding in self.roundings():
                rounding.enable_fake_quant()

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """As the captured model."""
        outputs: torch.Tensor = self.net(samples)
        return outputs

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move it: what the graph makes by itself has a device of its own."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        device = next((tensor.device for tensor in self.net.parameters()), None)
        for node in self.net.graph.nodes:
            if "device" in node.kwargs and device is not None:
                node.update_kwarg("device", device)
        self.net.recompile()
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch the mode; the graph itself refuses ``train`` and ``eval``."""
        if mode != self.training:
            self.training = mode
            for node in self.net.graph.nodes:
                if node.target in _DROPOUTS:
                    node.args = (*node.args[:2], mode)
            self.net.recompile()
        for rounding in self.running():
            rounding.enable_observer(mode)
        return self

    def roundings(self) -> list[Any]:
        """Torchao's modules that round."""
        return [module for module in self.net.modules() if hasattr(module, "observer_enabled")]

    def running(self) -> list[Any]:
        """Those of activations, whose ranges are averages over batches."""
        return [
            rounding
            for rounding in self.roundings()
            if rounding.activation_post_process.averaging_constant < 1.0
        ]


def train(student: StudentToTune[Qat]) -> Tuned:
    """Train a student on with rounding in the loop, and write it as ONNX with Q/DQ nodes.

    Raises:
        HostError: torchao is not installed.
        ModelError: the student cannot be captured or exported.
        NoEffectError: it has no layer that can be quantized.
    """
    settings, data = student.settings, student.data.record
    model = prepared(student.model, data, student.plan)
    x = draw(open_split(student.data.path, "calibration"), settings.calibration_samples).x
    calibrate(model, [as_model_input(x[i : i + BATCH], data) for i in range(0, len(x), BATCH)])
    with student.open_training(model, _schedule(student.schedule, settings)) as setup:
        loss, score = evaluate(model, setup.validation, data, setup.chosen_by)
        untrained = {key: value.clone() for key, value in model.state_dict().items()}
        fitted = fit(model, setup, progress=student.progress, what=NAME, work=student.work)
    note = f"trained further for {len(fitted.curve)} epochs with int8 rounding"
    if setup.better(loss, score, than=fitted.best):
        model.load_state_dict(untrained)
        note += "; the weights before this training scored better on validation and are kept"
    floats, ranges = without_rounding(model), learned_ranges.of(model, x, data)
    reference = converted(model)
    write(reference, data, student.out / FILE, opset=student.opset)
    effect = Effect(changed(student.out / FILE, NAME), (note, *student.plan.why))
    return Tuned(reference, fitted, effect, floats, ranges=ranges)


def prepared(model: Deployed, data: DataRecord, plan: Plan) -> Captured:
    """A student whose layers round their inputs and their weights.

    Args:
        model: in eval mode; shares no weights with what is returned.
        data: what it takes.
        plan: how int8 is done for the target.

    Raises:
        HostError: torchao is not installed.
        ModelError: the model cannot be captured as a graph.
        NoEffectError: no layer can be quantized.
    """
    with _quiet():
        pt2e = _library("torchao.quantization.pt2e.quantize_pt2e")
        from .annotate import RuntimeQuantizer

        try:
            batch, shapes = _shapes(data)
            program = torch.export.export(model.eval(), (batch,), dynamic_shapes=(shapes,))
        except (torch._dynamo.exc.TorchDynamoException, RuntimeError) as error:
            raise ModelError(
                found=f"cannot be captured as a graph ({reason(error)})",
                where=type(model.backbone).__name__,
                fix=f"leave {NAME!r} out of compress.variants",
            ) from error
        graph = program.module(check_guards=False)
        graph = pt2e.prepare_pt2e(graph, RuntimeQuantizer(plan))
        _train_biases(graph, model)
        captured = Captured(graph, model, _random(data))
    if not captured.roundings():
        raise NoEffectError(
            found=f"no layer of {type(model.backbone).__name__} that can be quantized",
            expected="a convolution or a fully connected layer",
            where="compress.variants",
            fix=f"leave {NAME!r} out of compress.variants",
        )
    return captured


@torch.no_grad()
def calibrate(model: Captured, batches: list[Any]) -> None:
    """Start the ranges of activations at their mean over batches of samples."""
    running = model.running()
    averaging = [rounding.activation_post_process.averaging_constant for rounding in running]
    for number, batch in enumerate(batches, 1):
        for rounding in running:
            rounding.activation_post_process.averaging_constant = 1.0 / number
        model(torch.from_numpy(batch))
    for rounding, constant in zip(running, averaging, strict=True):
        rounding.activation_post_process.averaging_constant = constant
        rounding.disable_observer()


def without_rounding(model: Captured) -> torch.fx.GraphModule:
    """A copy of a trained model that computes in float, with the weights that were trained."""
    with _quiet():
        graph: torch.fx.GraphModule = copy.deepcopy(model.eval().net)
    modules = dict(graph.named_modules())
    for node in list(graph.graph.nodes):
        if node.op == "call_module" and hasattr(modules[node.target], "observer_enabled"):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph


def converted(model: Captured) -> Captured:
    """The trained model with int8 weights and Q/DQ operators; the argument is consumed."""
    with _quiet():
        pt2e = _library("torchao.quantization.pt2e.quantize_pt2e")
        return Captured(pt2e.convert_pt2e(model.eval().net), *model._origin)


def write(reference: Captured, data: DataRecord, path: Path, *, opset: int) -> None:
    """Export what was converted, and give each weight a zero point of its own.

    The exporter stores equal ones once. ONNX Runtime's saturation-free mode makes u8 of s8 weights
    and of their zero points, weight by weight, and refuses to do so twice with one of those.

    Args:
        reference: by ``converted``.
        data: what it takes.
        path: the file to write.
        opset: ONNX operator set.

    Raises:
        ModelError: the exporter cannot express it.
    """
    onnx.export(
        reference, example(data), path, opset=opset, texts=takes_any_length(reference, data)
    )
    model = onnx_file.load(path)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            own = model.graph.initializer.add()
            own.CopyFrom(stored[node.input[2]])
            own.name = node.input[2] = f"{node.input[0]}_zero_point"
    used = {name for node in model.graph.node for name in node.input}
    for tensor in [
        initializer for initializer in model.graph.initializer if initializer.name not in used
    ]:
        model.graph.initializer.remove(tensor)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _schedule(distill: Schedule, settings: Qat) -> Schedule:
    """The student's schedule, shorter and gentler.

    Ranges and weights must belong together, so no average of weights ships; bfloat16 has fewer
    digits than the rounding needs.
    """
    rate = settings.qat_learning_rate or distill.learning_rate / SLOWER
    return distill.model_copy(
        update={
            "epochs": settings.qat_epochs,
            "learning_rate": rate,
            "ema": 0.0,
            "precision": "fp32",
        }
    )


def _shapes(data: DataRecord) -> tuple[torch.Tensor, dict[int, Any]]:
    """A batch to capture with, and which of its axes vary: texts are cut to the longest."""
    dynamic = torch.export.Dim.DYNAMIC
    batch = example(data)
    length = data.sample_shape[0]
    if data.layout != "tokens" or length < 4:
        return batch, {0: dynamic}
    return batch[:, : length // 2], {0: dynamic, 1: dynamic}


def _train_biases(graph: torch.fx.GraphModule, model: Deployed) -> None:
    """Let what folding batch norm has made be trained; torchao leaves it frozen."""
    names = {name for name, _ in model.named_parameters()}
    for name, parameter in graph.named_parameters():
        if name not in names:
            parameter.requires_grad_()


def _random(data: DataRecord) -> torch.Tensor:
    """A few samples of nothing, which differ at each place."""
    random = torch.Generator().manual_seed(0)
    shape = (4, *data.sample_shape)
    if data.layout == "tokens":
        return torch.randint(1, data.vocabulary, shape, generator=random, dtype=torch.int32)
    values = torch.randn(shape, generator=random) * max(data.std) + sum(data.mean) / len(data.mean)
    kind = KINDS[data.dtype]
    if not kind.is_floating_point:
        limits = torch.iinfo(kind)
        values = values.round().clamp(limits.min, limits.max)
    return values.to(kind)


def _library(module: str) -> Any:
    """A part of the library that inserts the rounding."""
    try:
        return import_module(module)
    except ImportError as error:
        raise HostError(
            found=f"torchao cannot be loaded ({error})",
            expected="it, to train with rounding",
            where="compress.variants",
            fix="pip install 'edgestill[qat]'",
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """The library tells of kernels for GPUs that it does not find, and of its own deprecations."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
