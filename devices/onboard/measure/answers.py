"""What one model answers, for a comparison with the same model elsewhere.

answer(AnswersJob("model.onnx", inputs="inputs.npz", outputs="outputs.npz"))
"""

import platform
from pathlib import Path
from typing import Any

import numpy as np

from ..model.inputs import check_batch, load_batches
from ..runtimes import onnxruntime as runtime
from .job import AnswersJob


def answer(job: AnswersJob) -> dict[str, Any]:
    """Run the model on every batch and write its outputs; what ran, as JSON-ready values.

    Raises:
        ModelError, DataError: the model or its inputs will not do.
    """
    path = Path(job.model)
    session = runtime.open_session(
        path,
        threads=job.threads,
        optimization=job.optimization,
        precise=job.precise,
        traces=Path(job.optimized) if job.optimized else None,
    )
    schema = runtime.inputs_of(session)
    feeds = load_batches(Path(job.inputs), job.batch)
    check_batch(feeds[0], schema, [runtime.dtype_of(one) for one in schema], job.inputs)
    answered = [runtime.run_once(session, feed, path) for feed in feeds]
    outputs: dict[str, Any] = {
        f"output_{index}": np.concatenate(parts)
        for index, parts in enumerate(zip(*answered, strict=True))
    }
    np.savez(job.outputs, allow_pickle=False, **outputs)
    return {"runtime": f"onnxruntime {runtime.version()}", "machine": platform.machine()}
