"""Where a trained quantization rounds: a quantizer for torchao's PT2E that suits ONNX Runtime.

ONNX Runtime computes an operator in int8 where a DequantizeLinear stands before each of its inputs
and, but for fully connected layers, a QuantizeLinear behind it, with nothing but the activation
between (its ``qdq_transformer``). So that is where they are put, and nowhere else: a pair that no
operator takes in is two more passes over memory and one more rounding.

Types and bits are those of the target's plan. The graph is that of ``torch.export``, in eval mode,
batch norm folded.
"""

from typing import Any, cast

import torch
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import (
    FakeQuantize,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
)
from torchao.quantization.pt2e.quantizer import (
    DerivedQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
)

from ...records import Plan
from ..int8.saturation import fitting, in_kernel_order

aten = torch.ops.aten
CONVOLUTIONS = (
    aten.conv1d.default,
    aten.conv2d.default,
    aten.conv1d.padding,
    aten.conv2d.padding,
)
LAYERS = (*CONVOLUTIONS, aten.linear.default)
"""Operators with a weight."""
TABLE = aten.embedding.default
PRODUCTS = (aten.matmul.default, aten.bmm.default)
"""Products of two activations, as in attention."""
SUMS = (aten.add.Tensor, aten.add_.Tensor)
POOLS = (
    aten.mean.dim,
    aten.adaptive_avg_pool1d.default,
    aten.adaptive_avg_pool2d.default,
    aten.avg_pool1d.default,
    aten.avg_pool2d.default,
)
CLAMPS = (
    aten.relu.default,
    aten.relu_.default,
    aten.relu6.default,
    aten.relu6_.default,
    aten.hardtanh.default,
    aten.hardtanh_.default,
)
"""Activations that become part of the operator before them, for clamping is what rounding does."""
PADS = (aten.constant_pad_nd.default, aten.pad.default)
MOVES = (
    *PADS,
    aten.flatten.using_ints,
    aten.max_pool1d.default,
    aten.max_pool2d.default,
    aten.permute.default,
    aten.reshape.default,
    aten.select.int,
    aten.slice.Tensor,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.transpose.int,
    aten.unsqueeze.default,
    aten.view.default,
)
"""Operators that only move values, so that these need no rounding of their own."""
VANISHES = (
    aten.chunk.default,
    aten.clone.default,
    aten.contiguous.default,
    aten.dropout.default,
    aten.dropout_.default,
    aten.feature_dropout.default,
    aten.split.Tensor,
)
"""Operators that the exported file lacks, or that return several tensors: not annotated."""
SMALLEST_SCALE = 2.0**-16
"""Of weights and activations: a channel that is dead would else have a scale near 0, and its bias,
which the runtime stores in units of both, would not fit into int32."""
AVERAGING = 0.01
"""Share of a batch's range in the running one, while training (Jacob et al. 2018, §3.1)."""


class FittingObserver(MovingAveragePerChannelMinMaxObserver):  # type: ignore[misc]
    """The range of a layer's weights as they are, a channel, in which no pair of them saturates.

    On an x86 CPU without VNNI; see ``saturation``. Large weights with small neighbours keep nearly
    all eight bits, where seven bits for all would give half of the levels away.
    """

    def forward(self, weights: torch.Tensor) -> torch.Tensor:
        """Take the range of weights [outputs, inputs, *kernel]; returns them unchanged."""
        largest = torch.from_numpy(fitting(in_kernel_order(weights.detach().cpu().numpy()))).float()
        for bound, value in ((self.min_val, -largest), (self.max_val, largest)):
            bound.resize_(value.shape).copy_(value)
        return weights


class RuntimeQuantizer(Quantizer):  # type: ignore[misc]
    """Annotates convolutions, fully connected layers, products, sums and pooling.

    Weights are symmetric with a scale an output channel, activations have a scale and a zero point
    a tensor (Krishnamoorthi 2018, §2). In float stay what is before the first layer, what is behind
    the last, a softmax and what it is fed with, and whatever no int8 operator reads.

    Args:
        plan: types and bits; whether weights are scaled so that no pair saturates.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._weight = _weights(plan, MovingAveragePerChannelMinMaxObserver)
        self._paired = _weights(plan, FittingObserver) if plan.pairs_fit else self._weight
        self._activation, self._table = (
            _activations(plan, averaging) for averaging in (AVERAGING, 1.0)
        )

    def annotate(self, model: GraphModule) -> GraphModule:
        """Write into each node's ``meta`` what is rounded before and behind it."""
        chosen, inner = _chosen(model)
        rounded: dict[Node, Node] = {}
        for node in model.graph.nodes:
            if node.target is TABLE and _is_weight(node.args[0]):
                self._annotate_table(node)
            elif node in chosen:
                last = _tail(node)
                # A convolution is int8 whole or not at all; what is fully connected gives floats.
                behind = node in inner if node.target in CONVOLUTIONS else _read_by(last, chosen)
                self._annotate(node, last, rounded, behind=behind)
                if behind:
                    rounded[last] = last
            elif _moves(node) and (source := rounded.get(cast(Node, node.args[0]))):
                if node.target not in VANISHES and _read_by(node, chosen):
                    node.meta["quantization_annotation"] = QuantizationAnnotation(
                        output_qspec=self._as(source), _annotated=True
                    )
                rounded[node] = source
        return model

    def validate(self, model: GraphModule) -> None:
        """Nothing is left to check: what cannot be quantized is not annotated."""

    def _annotate(self, node: Node, last: Node, rounded: dict[Node, Node], *, behind: bool) -> None:
        inputs = {
            tensor: self._of_weight(node, tensor) if _is_weight(tensor) else self._activation
            for tensor in _given(node)
            if tensor not in rounded
        }
        for part in {node, last}:
            part.meta["quantization_annotation"] = QuantizationAnnotation(_annotated=True)
        if (bias := _bias(node)) is not None:
            tensor, weight = _given(node)
            inputs[bias] = _of_sums(rounded.get(tensor, (tensor, node)), (weight, node))
        node.meta["quantization_annotation"].input_qspec_map = inputs
        if behind:
            last.meta["quantization_annotation"].output_qspec = self._activation

    def _of_weight(self, node: Node, weight: Node) -> QuantizationSpec:
        """A convolution with one channel a group is computed another way and pairs none."""
        groups = node.args[6] if node.target in CONVOLUTIONS and len(node.args) > 6 else 1
        pairs = groups == 1 or weight.meta["val"].shape[1] > 1
        return self._paired if pairs else self._weight

    def _annotate_table(self, node: Node) -> None:
        """Rows are looked up as uint8 and only then become floats: one scale for all of them."""
        weight = node.args[0]
        node.meta["quantization_annotation"] = QuantizationAnnotation(
            input_qspec_map={weight: self._table},
            output_qspec=self._as((weight, node)),
            _annotated=True,
        )

    def _as(self, source: Any) -> DerivedQuantizationSpec:
        """Rounded as another node is, or what goes from one node to another."""
        return DerivedQuantizationSpec(
            derived_from=[source],
            derive_qparams_fn=_same,
            dtype=self._activation.dtype,
            quant_min=self._activation.quant_min,
            quant_max=self._activation.quant_max,
            qscheme=self._activation.qscheme,
        )


def _weights(plan: Plan, observer: type[Any]) -> QuantizationSpec:
    """Symmetric around 0, or around the middle where the target takes no signs."""
    largest, signed = 2 ** (plan.weight_bits - 1) - 1, plan.weights == "s8"
    return QuantizationSpec(
        dtype=torch.int8 if signed else torch.uint8,
        quant_min=-largest if signed else 0,
        quant_max=largest if signed else 2 * largest + 1,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        # The range is that of the weights as they are, without memory.
        observer_or_fake_quant_ctr=FakeQuantize.with_args(
            observer=observer, averaging_constant=1.0, eps=SMALLEST_SCALE
        ),
    )


def _activations(plan: Plan, averaging: float) -> QuantizationSpec:
    dtype = torch.uint8 if plan.activations == "u8" else torch.int8
    limits = torch.iinfo(dtype)
    return QuantizationSpec(
        dtype=dtype,
        quant_min=limits.min,
        quant_max=limits.max,
        qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=FakeQuantize.with_args(
            observer=MovingAverageMinMaxObserver, averaging_constant=averaging, eps=SMALLEST_SCALE
        ),
    )


def _same(rounding: list[Any]) -> Any:
    return rounding[0].calculate_qparams()


def _of_sums(activation: Any, weight: Any) -> DerivedQuantizationSpec:
    """A bias as the runtime adds it: int32, in units of activation and weight multiplied."""

    def scales(rounding: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        scale = torch.mul(*(quantizer.calculate_qparams()[0] for quantizer in rounding))
        return scale, torch.zeros_like(scale, dtype=torch.int32)

    limits = torch.iinfo(torch.int32)
    return DerivedQuantizationSpec(
        derived_from=[activation, weight],
        derive_qparams_fn=scales,
        dtype=torch.int32,
        quant_min=limits.min,
        quant_max=limits.max,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
    )


def _bias(node: Node) -> Node | None:
    """The bias of a layer, but for a product of three axes, behind which it is added in float."""
    if node.target not in LAYERS or len(node.args) < 3 or not _is_weight(node.args[2]):
        return None
    if node.target is aten.linear.default and node.meta["val"].dim() > 2:
        return None
    return cast(Node, node.args[2])


def _chosen(model: GraphModule) -> tuple[set[Node], set[Node]]:
    """The operators to compute in int8, and every node that leads to one of them."""
    chosen: set[Node] = set()
    inner: set[Node] = set()
    for node in reversed(model.graph.nodes):
        if any(user in chosen or user in inner for user in node.users):
            inner.add(node)
        if _is_float(node) and _fits(node, chosen):
            chosen.add(node)
    return chosen, inner


def _fits(node: Node, chosen: set[Node]) -> bool:
    """Whether an operator can be computed in int8 and gains by it, those behind it being known."""
    tensors = _given(node)
    if node.target in LAYERS:
        return _is_weight(tensors[-1])
    if any(map(_is_weight, tensors)):
        return False
    if node.target in PRODUCTS:
        return True
    # A sum or a mean that only float operators read is computed in float just as well.
    if not _read_by(_tail(node), chosen):
        return False
    if node.target in SUMS:
        return len(tensors) == 2
    return node.target in POOLS and _source(tensors[0]).target in (*CONVOLUTIONS, *SUMS)


def _given(node: Node) -> list[Node]:
    """The tensors that an operator computes with, but for a bias."""
    most = 1 if node.target in POOLS else 2
    return [argument for argument in node.args[:most] if isinstance(argument, Node)]


def _tail(node: Node) -> Node:
    """The activation behind an operator where nothing else reads it, or the operator itself."""
    users = list(node.users)
    return users[0] if len(users) == 1 and users[0].target in CLAMPS else node


def _read_by(node: Node, chosen: set[Node]) -> bool:
    """Whether an int8 operator reads these values, moved or not."""
    return any(user in chosen or (_moves(user) and _read_by(user, chosen)) for user in node.users)


def _source(node: Node) -> Node:
    """What computed these values, before they were moved or clamped."""
    while (_moves(node) or node.target in CLAMPS) and isinstance(node.args[0], Node):
        node = node.args[0]
    return node


def _moves(node: Node) -> bool:
    if node.target in PADS and any(node.args[2:]) and node.args[-1] != "constant":
        return False  # With another value than 0, which may be none that was given.
    return node.target in (*MOVES, *VANISHES) or _is_part(node)


def _is_part(node: Node) -> bool:
    """One of the several tensors that an operator gives."""
    return getattr(node.target, "__name__", "") == "getitem"


def _is_weight(node: object) -> bool:
    return isinstance(node, Node) and node.op == "get_attr"


def _is_float(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype == torch.float32
