"""The fresh process in which one model is measured or looked at.

    python -m edgestill.devices.onboard.measure.worker < job.json

The job names the file that the answer goes to; stdout belongs to whatever the runtime prints. The
process holds numpy and the runtime and nothing else, because it is what the device would hold: with
torch in it the memory figure is a lie. A failure is an answer too; only a crash is not.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import MeasureError
from ..machine.confine import confine
from ..machine.limits import join, pin
from ..machine.system import affinity, name
from ..refusals import answer_or_refusal
from .job import (
    AnswersJob,
    ArenaJob,
    AttainJob,
    CountJob,
    InspectJob,
    Job,
    MeasureJob,
    MemoryJob,
    OperatorsJob,
    ProbeJob,
    ScenarioJob,
    from_json,
)

if TYPE_CHECKING:
    from .answer import Answer, ProcessFacts

_STARTED_NS = time.perf_counter_ns()  # one clock for all processes of a machine


def main() -> int:
    """Read the job from stdin, write the answer to the file it names."""
    envelope = json.load(sys.stdin)
    answer_to = Path(envelope["answer"])
    limit, group = envelope.get("memory_limit_bytes"), envelope.get("memory_group")
    grouped = group is not None and join(Path(group))
    bounded = confine(int(envelope["parent"]), None if grouped else limit)

    def work() -> dict[str, Any]:
        if not bounded:
            raise MeasureError(
                f"{name()}, which bounds no process's memory",
                where="memory_mib",
                fix="leave memory_mib out",
            )
        if envelope.get("cores"):
            pin(envelope["cores"])
        found = answer(from_json(envelope["job"]))
        limited = "control group" if grouped else "address space"
        process = _process(envelope.get("spawned_ns"), None if limit is None else limited)
        # Imported here, so that a cold start does not wait for it.
        from .answer_json import to_json

        return to_json(replace(found, process=process))

    def out_of_memory() -> MeasureError:
        return MeasureError(
            "out of memory" + (f" at the limit of {limit} bytes" if limit else ""),
            where=json.loads(envelope["job"]).get("model"),
            fix="give it more memory, or a smaller batch",
        )

    reply = answer_or_refusal(work, out_of_memory)
    temporary = answer_to.with_suffix(".tmp")
    temporary.write_text(json.dumps(reply, allow_nan=False), encoding="utf-8")
    temporary.replace(answer_to)
    return 0


def _process(spawned_ns: int | None, memory_limit: str | None) -> "ProcessFacts":
    from .answer import ProcessFacts

    # A parent on another machine has another clock, and so gives no start.
    start_ms = None if spawned_ns is None else (_STARTED_NS - spawned_ns) / 1e6
    return ProcessFacts(
        modules=tuple(sorted(sys.modules)),
        cores=affinity(),
        process_start_ms=start_ms,
        memory_limit=memory_limit,
    )


def answer(job: Job) -> "Answer":
    """Do a job in this process; what it found.

    Raises:
        EdgestillError: the model, its inputs or an option will not do.
    """
    cold = isinstance(job, ScenarioJob) and job.scenario == "cold-start"
    module, function = _COLD_START if cold else _WORK[type(job)]
    # Imported here, so that a process holds only what its own job needs.
    work: Callable[[Job], Answer] = getattr(import_module(module), function)
    return work(job)


_WORK: Mapping[type[Job], tuple[str, str]] = {
    MeasureJob: ("edgestill.devices.onboard.measure.single_stream", "measure"),
    InspectJob: ("edgestill.devices.onboard.measure.inspection", "inspect"),
    OperatorsJob: ("edgestill.devices.onboard.measure.operators", "time_operators"),
    MemoryJob: ("edgestill.devices.onboard.measure.footprint", "measure"),
    AttainJob: ("edgestill.devices.onboard.measure.peaks", "measure"),
    ScenarioJob: ("edgestill.devices.onboard.measure.scenario", "measure"),
    CountJob: ("edgestill.devices.onboard.measure.counts", "count"),
    AnswersJob: ("edgestill.devices.onboard.measure.answers", "answer"),
    ArenaJob: ("edgestill.devices.onboard.measure.arena", "measure"),
    ProbeJob: ("edgestill.devices.onboard.measure.probe", "probe"),
}
"""The module and the function that do each kind of job."""
_COLD_START = ("edgestill.devices.onboard.measure.cold_start", "start")
"""It imports nothing before its clock runs."""


if __name__ == "__main__":
    sys.exit(main())
