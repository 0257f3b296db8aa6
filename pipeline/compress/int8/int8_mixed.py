"""Mixed precision: as few layers in float as the accuracy budget requires.

The damage of each layer is measured by quantizing it alone. The most damaging layers are left in
float, one after another, until the loss on the calibration split is within the budget. This follows
the sensitivity analysis of Wu et al. 2020 ("Integer Quantization for Deep Learning Inference",
section 6.1: partial quantization).
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from ...records import Left
from ..method import Effect, Job, Outputs, answers, changed, fp32_answers
from . import qdq
from .int8_static import calibrated, quantize_rest, ranges_note
from .saturation import saturable


def quantize(job: Job) -> Effect:
    """Write the mixed variant; the effect lists every step.

    Raises:
        ModelError: the graph cannot be prepared.
        NoEffectError: no layer can be quantized.
    """
    with TemporaryDirectory(dir=job.target.parent) as folder:
        prepared = calibrated(job, Path(folder))
        left = quantize_rest(prepared, job.target, job.plan, next(job.feeds()))
        file, model, leave = left.file, left.model, [*left.leave]
        tried = Path(folder) / "tried.onnx"
        fp32 = fp32_answers(job)
        layers = qdq.with_their_own(model, qdq.layers(model, leave))
        damage = {}
        for name, own in layers.items():
            qdq.quantize(file, tried, left.ranges, job.plan, leave, only=own)
            damage[name] = _damage(fp32, answers(tried, job))
        curve: list[Left] = []
        names = sorted(damage, key=lambda name: -damage[name])
        for last in (None, *names[:-1]):
            if last is not None:
                leave = [*leave, *layers[last]]
            qdq.quantize(file, job.target, left.ranges, job.plan, leave)
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
    count, lost = changed(job.target, "int8-mixed"), curve[-1].lost
    in_float = len(curve) - 1
    summary = (
        f"{in_float} of {len(names)} layers stay in float; the loss against fp32 is {lost:.4f}"
    )
    if lost > job.most_lost:
        summary += f", more than the {job.most_lost:g} allowed, with one layer left in int8"
    elif not in_float:
        summary = f"no layer has to stay in float; loss against fp32 with all in int8: {lost:.4f}"
    return Effect(
        count,
        (summary, ranges_note(job), *prepared.notes, *left.notes, *job.plan.why),
        saturable(onnx.load(job.target)),
        tuple(curve),
    )


def _damage(fp32: Outputs, outputs: Outputs) -> float:
    """The mean squared difference over the mean square of fp32, of the output where it is most."""
    return max((loss.damage for loss in outputs.losses(fp32)), default=0.0)
