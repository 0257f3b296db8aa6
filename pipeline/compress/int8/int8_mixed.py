"""Mixed precision: the fewest layers in float that keep the accuracy budget.

Each layer's own damage is measured by quantizing it alone. The most damaging are left in float, one
after another, until what is lost on the calibration split is within the budget; this follows the
sensitivity analysis of Wu et al. 2020 ("Integer Quantization for Deep Learning Inference", section
6.1: partial quantization).
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from ...records import Left
from ..method import Effect, Job, Outputs, answers, changed, fp32_answers
from . import qdq
from .int8_static import calibrated, said
from .saturation import saturable


def quantize(job: Job) -> Effect:
    """Write the mixed variant, and tell every step on the way.

    Raises:
        ModelError: a graph that cannot be prepared.
        NoEffectError: nothing can be quantized, or nothing without losing more than may be lost.
    """
    with TemporaryDirectory(dir=job.target.parent) as folder:
        prepared, model, found = calibrated(job, Path(folder))
        leave, tried = qdq.in_float(model), Path(folder) / "tried.onnx"
        fp32 = fp32_answers(job)
        layers = {layer.name: qdq.with_its_own(model, layer) for layer in qdq.layers(model, leave)}
        damage = {}
        for name, own in layers.items():
            qdq.quantize(prepared, tried, found, job.plan, leave, only=own)
            damage[name] = _noise(fp32, answers(tried, job))
        curve: list[Left] = []
        names = sorted(damage, key=lambda name: -damage[name])
        for last in (None, *names[:-1]):
            if last is not None:
                leave = [*leave, *layers[last]]
            qdq.quantize(prepared, job.target, found, job.plan, leave)
            curve.append(
                Left(
                    layer=last,
                    damage=None if last is None else damage[last],
                    lost=job.lost(fp32, answers(job.target, job)),
                    bytes=job.target.stat().st_size,
                )
            )
            if curve[-1].lost <= job.most_lost:
                break
    count, least = changed(job.target, "int8-mixed"), curve[-1].lost
    kept = len(curve) - 1
    told = f"{kept} of {len(names)} layers stay in float, where {least:.4f} is lost to fp32"
    if least > job.most_lost:
        told += f": more than the {job.most_lost:g} that may be, with one layer left in int8"
    elif not kept:
        told = f"no layer has to stay in float: {least:.4f} is lost to fp32 with all in int8"
    return Effect(
        count, (told, said(job), *job.plan.why), saturable(onnx.load(job.target)), tuple(curve)
    )


def _noise(fp32: Outputs, found: Outputs) -> float:
    """Mean squared difference over the mean square of fp32."""
    power = float((fp32.astype(np.float64) ** 2).mean())
    return float(((fp32 - found).astype(np.float64) ** 2).mean()) / power if power else 0.0
