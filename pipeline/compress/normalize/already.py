"""A model that is quantized already is not quantized again.

refuse_quantized(onnx.load("model.onnx"), Path("model.onnx"))
"""

import re
from collections import Counter
from pathlib import Path

import onnx

from ....devices.onboard.model.modelfile import printable
from ....devices.onboard.model.names import nodes_of
from ....errors import ModelError

_INTEGER = re.compile(
    r"QuantizeLinear|DequantizeLinear|^DynamicQuantize|^QLinear|^Q(Gemm|Attention|Embed|Ordered)"
    r"|Integer$|IntegerToFloat|NBits|BlockQuantized"
)
_FORMS = (
    ("DynamicQuantizeLinear", "dynamic int8"),
    ("QLinear", "integer operators"),
    ("QuantizeLinear", "pairs of QuantizeLinear and DequantizeLinear"),
)


def quantized_operators(model: onnx.ModelProto) -> Counter[str]:
    """How many operators on integers a model has, by type."""
    return Counter(n.op_type for n in nodes_of(model.graph) if _INTEGER.search(n.op_type))


def refuse_quantized(model: onnx.ModelProto, source: Path) -> None:
    """Refuse a model with operators on integers.

    Raises:
        ModelError: it has some.
    """
    found = quantized_operators(model)
    if not found:
        return
    first = next(node for node in nodes_of(model.graph) if _INTEGER.search(node.op_type))
    counted = ", ".join(f"{count} {kind}" for kind, count in found.most_common(3))
    form = next((form for part, form in _FORMS if any(part in kind for kind in found)), "integers")
    raise ModelError(
        f"a model that is quantized already, to {form} ({counted}; the first is "
        f"{printable(first.name or first.output[0])})",
        expected="a model in float",
        where=str(source),
        fix="quantize the float model that it was made of",
    )
