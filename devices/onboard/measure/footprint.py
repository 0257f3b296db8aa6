"""Memory of one model, under the runtime's own settings or others, and by its graph alone.

    answer = measure(MemoryJob(model="model.onnx", session=Session(arena=False)))
    answer.peak_memory_bytes

Each has a process of its own, because memory that an arena has taken is not given back by a later
session. Nothing is timed in it, so what makes a peak vary can be fixed: malloc's thresholds here,
addresses by the parent.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..model.modelfile import is_ort
from ..runtimes import label, runtime_of, tracing_runtime_of
from ..runtimes.contract import OPTIMIZED
from . import memory
from .answer import Fixed, MemoryAnswer
from .job import MemoryJob

if TYPE_CHECKING:
    from ..model.liveness import Needs


def measure(job: MemoryJob) -> MemoryAnswer:
    """Peak memory over the baseline and growth of the proportional share.

    Raises:
        ModelError, DataError, UsageError: the model, its inputs or a shape will not do.
    """
    from .feeds import batches_of, real_batches

    path = Path(job.model)
    runtime = runtime_of(path, job.session)
    real = real_batches(job.feed)
    malloc = memory.fix_thresholds()
    baseline = memory.begin()
    share = memory.share()
    model = runtime.load(path, job.session)
    feeds = batches_of(job.feed, model.inputs, real)
    for index in range(job.queries):
        model.answer(feeds[index % len(feeds)])
    peak = memory.peak_over(baseline)
    pss_bytes, no_share = memory.grown(share, memory.share())
    shapes = {name: array.shape for name, array in feeds[0].items()}
    del model
    return MemoryAnswer(
        peak_memory_bytes=peak.over_baseline_bytes,
        peak_memory_missing=peak.missing,
        pss_bytes=pss_bytes,
        pss_missing=no_share,
        fixed=Fixed(addresses=memory.addresses_fixed(), malloc=malloc),
        graph=_graph(path, job, shapes) if job.analyze else None,
        runtime=label(runtime),
    )


def _graph(path: Path, job: MemoryJob, shapes: dict[str, tuple[int, ...]]) -> "Needs":
    from ..model import liveness

    if is_ort(path):
        missing = "a file in ONNX Runtime's own format holds no graph that onnx can read"
        return liveness.Needs(weight_bytes=None, activation_bytes=None, at=None, missing=missing)

    # The layout pass of level "all" gives tensors new names and padded channels without writing
    # their shapes down, so the graph is read before it.
    level = "extended" if job.session.optimization == "all" else job.session.optimization
    with TemporaryDirectory(prefix="edgestill-") as folder:
        session = replace(job.session, optimization=level)
        tracing_runtime_of(path, session).load_traced(path, session, Path(folder))
        optimized = Path(folder) / OPTIMIZED
        return liveness.needs(path, optimized, job.feed.batch, shapes)
