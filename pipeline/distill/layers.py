"""Losses between layers: what to tap, how to compare channels of different number.

>>> between = LayerLosses(student, teacher, recipe.distill.layers, example)  # doctest: +SKIP
>>> student(x), teacher(x), between()  # the loss of what has just run     # doctest: +SKIP

Layers go by the names of ``named_modules()`` of the model itself, such as ``layer2.0``.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import torch
from torch import nn

from ...errors import ModelError, RecipeError
from ..models.deployed import Deployed
from ..recipe.distill import LayerPair
from ..recipe.model_names import is_factory
from .feature_losses import LayerLoss
from .losses import layer_loss, require_gradient

WHERE = "distill.layers"
Whole = Callable[[torch.Tensor], torch.Tensor]
_SHOWN = 12
"""Names of layers in a refusal."""
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
_FIRST = {
    3: (nn.Conv1d, nn.BatchNorm1d, nn.InstanceNorm1d, nn.GroupNorm),
    4: (nn.Conv2d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm),
}
"""Layers whose outputs have their channels first, by the axes of a feature."""
_WIDTHS = ("out_channels", "out_features", "num_features", "num_channels", "embedding_dim")
"""Where torch's layers say how many channels they give."""


@runtime_checkable
class Traced(Protocol):
    """A model that is a graph of operators, and maps the layers it was traced from to its nodes."""

    @property
    def origin(self) -> nn.Module:
        """The model that has the layers."""

    def tapped(self, names: Sequence[str]) -> AbstractContextManager[Mapping[str, nn.Module]]:
        """By name a module that gives what the layer gave, for as long as the context lasts."""


class Taps:
    """Outputs of some layers of a model, taken at each of its forward passes.

    Args:
        module: the model; the layers of a ``Deployed`` one are those of its backbone.
        names: of its layers, as ``named_modules()`` gives them.
        where: what a refusal calls the place they are named at.

    Raises:
        RecipeError: it has no such layer.
    """

    def __init__(self, module: nn.Module, names: Sequence[str], where: str) -> None:
        named = _named(module)
        all_names = [name for name, _ in named.named_modules(remove_duplicate=False) if name]
        for name in names:
            if name not in all_names:
                raise _unknown(name, all_names, where)
        self._names, self._where = tuple(dict.fromkeys(names)), where
        self._taken: dict[str, torch.Tensor] = {}
        with ExitStack() as stack:
            layers: Mapping[str, nn.Module]
            if isinstance(module, Traced):
                layers = stack.enter_context(module.tapped(self._names))
            else:
                layers = {name: named.get_submodule(name) for name in self._names}
            stack.callback(module.register_forward_pre_hook(self._forget).remove)
            for name, layer in layers.items():
                hook = layer.register_forward_hook(partial(self._take, name))
                stack.callback(hook.remove)
            self._closing = stack.pop_all()

    @property
    def taken(self) -> dict[str, torch.Tensor]:
        """What each layer gave in the model's latest pass: its last call, its first tensor.

        Raises:
            ModelError: a layer was not called.
        """
        for name in self._names:
            if name not in self._taken:
                raise ModelError(
                    found=f"layer {name!r}, which the model does not call",
                    expected="a layer whose output is used",
                    where=self._where,
                    fix="name a layer inside or behind it",
                )
        return dict(self._taken)

    def close(self) -> None:
        """Leave the model as it was."""
        self._closing.close()
        self._taken.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self, *_: Any) -> None:
        self._taken.clear()

    def _take(self, name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        tensor = _first_tensor(output)
        if tensor is None:
            raise ModelError(
                found=f"layer {name!r}, which gives {type(output).__name__}",
                expected="a tensor",
                where=self._where,
                fix="name another layer",
            )
        # The next layer may overwrite it, as nn.ReLU(inplace=True) does.
        self._taken[name] = tensor.clone()


class Bridge(nn.Module):
    """FitNets' regressor (Romero et al. 2015, §2.2): the student's channels to the teacher's.

    A linear map at each place, which is a convolution of kernel 1; it is trained with the student
    and thrown away.

    Args:
        axes: of a feature: 2 for [n, c], 3 for [n, c, t], 4 for [n, c, h, w].
        channels_in: of the student.
        channels: of the teacher.
    """

    def __init__(self, axes: int, channels_in: int, channels: int) -> None:
        super().__init__()
        self.map: nn.Module
        if axes == 2:
            self.map = nn.Linear(channels_in, channels)
        else:
            self.map = _CONVOLUTIONS[axes - 3](channels_in, channels, 1)

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """[n, channels_in, ...] to [n, channels, ...]."""
        regressed: torch.Tensor = self.map(feature)
        return regressed


class _Pair(NamedTuple):
    """A layer of the student and one of the teacher, to be compared."""

    layer: LayerPair
    loss_of: LayerLoss
    student_last: bool
    """Whether the channels are on the last axis, as those of tokens are."""
    teacher_last: bool
    bridge: Bridge | None

    def loss(self, student: torch.Tensor, teacher: torch.Tensor, whole: Whole) -> torch.Tensor:
        student = _channels_first(student, self.student_last)
        teacher = _channels_first(teacher, self.teacher_last).detach().to(student.dtype)
        if self.bridge is not None:
            student = self.bridge(student)
        return self.layer.weight * self.loss_of(whole(student), whole(teacher))


class LayerLosses:
    """The weighted sum of the losses between layers of two models that both have just run.

    ``hint`` always has a bridge; ``cosine`` has one where student and teacher differ in channels.
    The teacher's features get no gradient.

    Args:
        student: a model, as ``Taps`` takes it.
        teacher: the same of the teacher.
        layers: the recipe's part.
        example: a batch that both take as they stand here; it tells the shapes.
        seed: of the bridges' first weights; torch's own random numbers go on undisturbed.

    Raises:
        RecipeError: a name that is none of the model's layers, or a layer that the loss cannot
            teach: of another rank than the teacher's, or in front of every weight.
        ModelError: a layer that is not called or gives no tensor of samples.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        layers: Sequence[LayerPair],
        example: torch.Tensor,
        seed: int = 0,
    ) -> None:
        with ExitStack() as stack, torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._student = stack.enter_context(
                Taps(student, [layer.student for layer in layers], f"{WHERE}, student")
            )
            self._teacher = stack.enter_context(
                Taps(teacher, [layer.teacher for layer in layers], f"{WHERE}, teacher")
            )
            with torch.enable_grad(), _evaluating(student):
                student(example)
            with torch.no_grad(), _evaluating(teacher):
                teacher(example)
            of_student, of_teacher = self._student.taken, self._teacher.taken
            self._pairs = tuple(
                _pair(
                    layer,
                    (_named(student), of_student[layer.student]),
                    (_named(teacher), of_teacher[layer.teacher]),
                    len(example),
                )
                for layer in layers
            )
            self._closing = stack.pop_all()

    def __call__(self, whole: Whole = lambda part: part) -> torch.Tensor:
        """Σ weight · loss of the latest pass of each, a scalar.

        Args:
            whole: makes a feature of the whole batch, where the pass had a part of it.

        Raises:
            ModelError: one of them has not run, or not through all of the layers.
        """
        student, teacher = self._student.taken, self._teacher.taken
        return sum(
            (
                pair.loss(student[pair.layer.student], teacher[pair.layer.teacher], whole)
                for pair in self._pairs
            ),
            torch.zeros(()),
        )

    def to(self, device: torch.device) -> Self:
        """Its bridges on a device; both models are moved by those who have them."""
        for pair in self._pairs:
            if pair.bridge is not None:
                pair.bridge.to(device)
        return self

    def parameters(self) -> list[nn.Parameter]:
        """Those of the bridges, to be trained with the student's."""
        bridges = [pair.bridge for pair in self._pairs if pair.bridge is not None]
        return [parameter for bridge in bridges for parameter in bridge.parameters()]

    def close(self) -> None:
        """Leave both models as they were."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pair(
    layer: LayerPair,
    student: tuple[nn.Module, torch.Tensor],
    teacher: tuple[nn.Module, torch.Tensor],
    samples: int,
) -> _Pair:
    """Two layers with the bridge between them, after a check that they fit the loss."""
    lasts, features = [], []
    for role, name, (module, feature) in (
        ("student", layer.student, student),
        ("teacher", layer.teacher, teacher),
    ):
        where = f"{WHERE}, {role}"
        if feature.ndim < 2 or len(feature) != samples or not feature.is_floating_point():
            raise ModelError(
                found=f"layer {name!r}, which gives {feature.dtype} {_shape(feature)}",
                expected=f"float [{samples}, channels, ...] for {samples} samples",
                where=where,
                fix="name another layer",
            )
        lasts.append(_channels_last(module, name, feature.shape))
        features.append(_channels_first(feature, lasts[-1]))
    _comparable(layer, *features)
    a, b = features
    needs_bridge = layer.loss == "hint" or (layer.loss == "cosine" and a.shape[1] != b.shape[1])
    bridge = Bridge(a.ndim, a.shape[1], b.shape[1]).to(a.dtype) if needs_bridge else None
    loss_of = layer_loss(layer.loss)
    if is_factory(layer.loss):
        with torch.enable_grad():
            require_gradient(loss_of(a, b.detach()), layer.loss, WHERE)
    return _Pair(layer, loss_of, lasts[0], lasts[1], bridge)


def _comparable(layer: LayerPair, student: torch.Tensor, teacher: torch.Tensor) -> None:
    """Refuse layers that the loss cannot compare, or that depend on no weight of the student."""
    if not student.requires_grad:
        raise RecipeError(
            found=f"student layer {layer.student!r}, in front of every weight that is trained",
            expected="a layer that can learn",
            where=WHERE,
            fix="name a later layer",
        )
    if layer.loss in ("similarity", "rkd") or is_factory(layer.loss):
        return
    forms = ("[n, c]", "[n, c, t]", "[n, c, h, w]")[1 if layer.loss == "attention" else 0 :]
    if student.ndim != teacher.ndim or not 5 - len(forms) <= student.ndim <= 4:
        raise RecipeError(
            found=f"student layer {layer.student!r} with {_shape(student)} and "
            f"teacher layer {layer.teacher!r} with {_shape(teacher)}",
            expected=f"the same of {', '.join(forms)} from both for the loss {layer.loss!r}",
            where=WHERE,
            fix="name other layers, or use similarity or rkd, which take any",
        )


def _channels_last(model: nn.Module, name: str, shape: torch.Size) -> bool:
    """Whether a layer's output has its channels behind, as tokens [n, t, d] have.

    The shape alone does not say. The width of the last layer inside does, where it is that of one
    axis only; else whether there, or in the module around, are layers that want channels first.
    """
    if len(shape) not in _FIRST:
        return False
    parts = name.split(".")
    for depth in range(len(parts), -1, -1):
        inside = list(model.get_submodule(".".join(parts[:depth])).modules())
        widths = [width for module in inside if (width := _width(module)) is not None]
        if depth == len(parts) and shape[1] != shape[-1]:
            for width in reversed(widths):
                if width in (shape[1], shape[-1]):
                    return width == shape[-1]
        if widths:
            return not any(isinstance(module, _FIRST[len(shape)]) for module in inside)
    return False


def _width(module: nn.Module) -> int | None:
    """The channels of a single layer's output, where the layer declares them."""
    if isinstance(module, nn.LayerNorm):
        return module.normalized_shape[-1]
    widths = [getattr(module, key) for key in _WIDTHS if hasattr(module, key)]
    return widths[0] if widths and isinstance(widths[0], int) else None


def _channels_first(feature: torch.Tensor, last: bool) -> torch.Tensor:
    """[n, c, ...], in float32 where a forward pass at half precision gave less."""
    if feature.dtype in (torch.bfloat16, torch.float16):
        feature = feature.float()
    return feature.movedim(-1, 1) if last else feature


def _named(model: nn.Module) -> nn.Module:
    """The module that has the names of layers."""
    if isinstance(model, Traced):
        model = model.origin
    return model.backbone if isinstance(model, Deployed) else model


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode for a while; batch statistics stay as they are."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _first_tensor(output: Any) -> torch.Tensor | None:
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if not isinstance(output, list | tuple):
        return None
    tensors = (_first_tensor(part) for part in output)
    return next((tensor for tensor in tensors if tensor is not None), None)


def _shape(feature: torch.Tensor) -> str:
    return str(list(feature.shape))


def _unknown(name: str, names: Sequence[str], where: str) -> RecipeError:
    # A name of the whole model's has 'backbone.' or the like in front of it.
    inner = sorted((own for own in names if name.endswith(f".{own}")), key=len)
    near = inner[-1:] or difflib.get_close_matches(name, names, n=1)
    # The outer layers, which are the likelier ones to be meant, in the model's own order.
    shown = set(sorted(names, key=lambda name: name.count("."))[:_SHOWN])
    listed = ", ".join(repr(name) for name in names if name in shown)
    more = ", …" if len(names) > _SHOWN else ""
    suggestion = f"did you mean {near[0]!r}? " if near else ""
    return RecipeError(
        found=repr(name),
        expected="the name of a layer",
        where=where,
        fix=f"{suggestion}known: {listed}{more}",
    )
