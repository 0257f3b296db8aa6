"""Dynamic int8: int8 weights, activations quantized in each query, fully connected layers only.

Convolutions stay in float: with ``ConvInteger`` a small CNN has several times the latency of fp32
(the figure is in DECISIONS.md).
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
        "activations are quantized per query, so outputs depend on the other samples of the batch",
    )
    return Effect(changed(job.target, "int8-dynamic"), notes)
