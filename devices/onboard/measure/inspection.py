"""What a foreign model takes, gives and costs, without running it.

inspect(InspectJob("model.onnx")).inputs
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..machine.libraries import loaded_from
from ..model.inputs import complete_shapes, resolved
from ..runtimes import file_format, label, obeys, row_of, runtime_of
from .answer import InspectAnswer
from .job import InspectJob

if TYPE_CHECKING:
    from ..model.cost import Cost


def inspect(job: InspectJob) -> InspectAnswer:
    """Schema and cost of a foreign model, after its external data was found harmless.

    Raises:
        EdgestillError: the model will not do.
    """
    path = Path(job.model)
    kind = file_format(path)
    external = row_of(path, job.session).files_beside(path)
    # The runtime's own check of the graph comes before ours counts in it.
    session = job.session
    if obeys(path, session, "optimization"):
        session = replace(session, optimization="none")
    runtime = runtime_of(path, session)
    model = runtime.load(path, session)
    feed = resolved(job.feed, model.inputs)
    cost: Cost | None = None
    missing = training = None
    if kind == "onnx":
        # It needs onnx, which a device need not have.
        from ..model.cost import count
        from ..model.modelfile import load
        from ..model.training_operators import sentence, training_operators

        shapes = complete_shapes(model.inputs, feed, lambda _port, _axis: None)
        cost = count(path, feed.batch, shapes)
        training = sentence(training_operators(load(path))) or None
    elif kind == "ort":
        missing = "a file in ONNX Runtime's own format holds no graph that onnx can read"
    else:
        missing = f"operations of a .{kind} file are not counted"
    loaded = loaded_from(row_of(path, session).package)
    return InspectAnswer(
        format=kind,
        inputs=tuple(model.inputs),
        outputs=tuple(model.outputs),
        cost=cost,
        cost_missing=missing,
        external_files=tuple(str(file) for file in external),
        file_bytes=sum(file.stat().st_size for file in (path, *external)),
        training=training,
        runtime=label(runtime),
        library_bytes=None if loaded is None else sum(loaded.values()),
        libraries=tuple(loaded or ()),
    )
