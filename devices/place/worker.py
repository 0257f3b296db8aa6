"""The words that start a worker in an interpreter that has the runtime which a job needs.

>>> worker_of(ProbeJob())[-1]
'edgestill.devices.onboard.measure.worker'
"""

from pathlib import Path
from typing import Any

from ... import toolchains
from ..onboard.measure.job import JobFor
from ..onboard.runtimes import row_of

WORKER = "edgestill.devices.onboard.measure.worker"


def worker_of(job: JobFor[Any]) -> tuple[str, ...]:
    """The command of a fresh worker for a job on this machine.

    Raises:
        HostError: no interpreter here has the runtime.
    """
    model = getattr(job, "model", None) or ""
    row = row_of(Path(model), job.session)
    python = toolchains.python_with(row.package)
    if python is None:
        raise toolchains.missing(f"{Path(model).name}, which {row.package} runs", row.package)
    return toolchains.command(python, WORKER)
