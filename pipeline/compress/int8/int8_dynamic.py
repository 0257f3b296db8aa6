"""Dynamic int8: int8 weights, activations quantized in each query, fully connected layers only.

Convolutions stay in float: with ``ConvInteger`` a small CNN has several times the latency of fp32
(the figure is in DECISIONS.md).
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from ....devices.onboard.model.modelfile import printable
from ....devices.onboard.runtimes import load
from ....devices.onboard.settings import Session
from ....errors import ModelError
from ..method import Effect, Job, changed, quiet
from ..normalize.already import refuse_quantized
from ..normalize.editing import Editor
from ..normalize.names import MARK, apart, together
from ..normalize.products import plain_products
from ..normalize.split_products import split_products
from ..normalize.tidying import tidy
from .float_layers import float_layers
from .float_types import with_float_types
from .qdq import reason_of
from .refused import refused_nodes

OPERATOR = "MatMul"
LAYERS = (OPERATOR, "Conv", "ConvTranspose")


def quantize(job: Job) -> Effect:
    """Write the dynamic int8 variant.

    Raises:
        ModelError: the model is quantized already.
        NoEffectError: the model has no fully connected layer with constant weights.
    """
    model = onnx.load(job.source)
    refuse_quantized(model, job.source)
    editor = Editor(model)
    tidy(editor)
    plain_products(editor)
    split_products(editor)
    with TemporaryDirectory(dir=job.target.parent) as folder:
        model = with_float_types(model, Path(folder))
    matrices = {t.name for t in model.graph.initializer if len(t.dims) == 2}
    layers = [n for n in model.graph.node if n.op_type in LAYERS]
    names = [n.name for n in layers if n.op_type == OPERATOR and n.input[1] in matrices]
    feed = next(job.feeds())

    def attempt(only: Sequence[str]) -> str | None:
        try:
            _write(model, job, set(only))
            for level in ("none", "all"):
                session = Session(optimization=level, precise=job.plan.precise)
                load(job.target, session).answer(feed)
        except ModelError as error:
            return error.found
        return None

    bad = refused_nodes(names, attempt)
    if len(bad) == len(names):
        job.target.write_bytes(job.source.read_bytes())
    made = onnx.load(job.target)
    quantized = sum(node.op_type == "MatMulInteger" for node in made.graph.node)
    return Effect(
        changed(job.target, "int8-dynamic", "a fully connected layer with stored float32 weights"),
        (
            f"{quantized} of {len(layers)} layers are quantized; convolutions stay in float",
            "activations are quantized per query, so outputs depend on the other samples of the "
            "batch",
            *(
                f"{printable(n)} stays in float: it cannot be quantized ({w})"
                for n, w in bad.items()
            ),
            *float_layers(made),
        ),
    )


def _write(source: onnx.ModelProto, job: Job, only: Collection[str]) -> None:
    """Write the model with these layers quantized.

    Raises:
        ModelError: the quantizer cannot take it.
    """
    model = onnx.ModelProto()
    model.CopyFrom(source)
    names = apart(model)
    with TemporaryDirectory(dir=job.target.parent) as folder:
        marked, made = Path(folder) / "marked.onnx", Path(folder) / "made.onnx"
        onnx.save(model, marked)
        try:
            with quiet():
                quantize_dynamic(
                    marked,
                    made,
                    op_types_to_quantize=[OPERATOR],
                    nodes_to_quantize=[name + MARK for name in only],
                    per_channel=True,
                    reduce_range=job.plan.uniform_bits == 7,
                    weight_type=QuantType.QInt8,
                )
        except MemoryError:
            raise
        except Exception as error:  # The quantizer's errors share no narrower class.
            raise ModelError(reason_of(error), where=str(job.source)) from error
        quantized = onnx.load(made)
    together(quantized, names)
    job.target.write_bytes(quantized.SerializeToString(deterministic=True))
