"""Dynamic int8: weights in int8, activations quantized as they come, fully connected layers only.

Convolutions stay in float: as ``ConvInteger`` a small CNN runs several times slower than in fp32
(DECISIONS.md has the figure).
"""

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from ..method import Effect, Job, changed, quiet

OPERATORS = ["MatMul", "Gemm"]
LAYERS = (*OPERATORS, "Conv", "ConvTranspose")


def quantize(job: Job) -> Effect:
    """Write the dynamic int8 variant.

    Raises:
        NoEffectError: the model has no fully connected layer with constant weights.
    """
    with quiet():
        quantize_dynamic(
            job.source,
            job.target,
            op_types_to_quantize=OPERATORS,
            per_channel=True,
            reduce_range=job.plan.uniform_bits == 7,
            weight_type=QuantType.QInt8,
        )
    layers, quantized = (
        sum(node.op_type in kinds for node in onnx.load(path).graph.node)
        for path, kinds in ((job.source, LAYERS), (job.target, ("MatMulInteger",)))
    )
    notes = (
        f"{quantized} of {layers} layers are quantized; convolutions stay in float",
        "activations are quantized per query, so answers depend on the batch they come in",
    )
    return Effect(changed(job.target, "int8-dynamic"), notes)
