"""What one model answers, for a comparison with the same model elsewhere.

answer(AnswersJob("model.onnx", "outputs.npz", Feed("inputs.npz")))
"""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.inputs import real_samples
from ..model.made_inputs import make_queries
from ..runtimes import label, runtime_of, tracing_runtime_of
from ..runtimes.contract import LoadedModel
from ..settings import Feed
from .answer import AnswersAnswer
from .feeds import batches_of
from .job import AnswersJob


def answer(job: AnswersJob) -> AnswersAnswer:
    """Run the model on every batch and write its outputs; what ran.

    Raises:
        ModelError, DataError: the model or its inputs will not do.
    """
    path = Path(job.model)
    runtime = runtime_of(path, job.session)
    model: LoadedModel
    if job.optimized is None:
        model = runtime.load(path, job.session)
    else:
        tracing = tracing_runtime_of(path, job.session)
        model = tracing.load_traced(path, job.session, Path(job.optimized))
    if job.queries is not None:
        outputs = _by_query(job.feed, model, job.queries)
    elif job.every:
        outputs = _named(_every(job.feed, model))
    else:
        answered = [model.answer(feed) for feed in batches_of(job.feed, model.inputs)]
        outputs = _named([np.concatenate(parts) for parts in zip(*answered, strict=True)])
    np.savez(job.outputs, allow_pickle=False, **outputs)
    return AnswersAnswer(runtime=label(runtime), machine=platform.machine())


def _named(joined: Sequence[NDArray[Any]]) -> dict[str, Any]:
    return {f"output_{index}": part for index, part in enumerate(joined)}


def _by_query(feed: Feed, model: LoadedModel, most: int) -> dict[str, Any]:
    """Each answer that is an array, by its query and its output."""
    if feed.inputs is None:
        queries = make_queries(model.inputs, feed, most)
    else:
        queries = batches_of(feed, model.inputs)[:most]
    samples = [
        max((len(one) for one in query.values() if one.ndim), default=1) for query in queries
    ]
    outputs: dict[str, Any] = {"samples": np.array(samples)}
    for number, query in enumerate(queries):
        for index, output in enumerate(model.answer(query)):
            # A scalar comes as a number; sequences, maps and texts are no arrays of numbers.
            if isinstance(output, np.ndarray | np.generic) and output.dtype.kind in "biuf":
                outputs[f"query_{number}_output_{index}"] = np.array(output)
    return outputs


def _every(feed: Feed, model: LoadedModel) -> list[NDArray[Any]]:
    """The outputs for all samples in order; the last query is filled up from the front."""
    arrays = dict(real_samples(feed, model.inputs))
    count, batch = len(next(iter(arrays.values()))), feed.batch
    answered: list[list[NDArray[Any]]] = []
    for start in range(0, count, batch):
        rows = np.arange(start, start + batch) % count
        query = {name: np.ascontiguousarray(array[rows]) for name, array in arrays.items()}
        # A runtime may give the same array each time.
        answered.append([np.array(output) for output in model.answer(query)])
    return [np.concatenate(parts)[:count] for parts in zip(*answered, strict=True)]
