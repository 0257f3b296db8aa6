"""Run one job in a fresh process of this machine and bring its answer back.

>>> run(ProbeJob(), timeout_s=30).runtime           # doctest: +SKIP
'onnxruntime 1.32.0'
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from ....errors import HostError, MeasureError, StorageError
from ..machine.child import PYTHON, Ending, finish, last_line
from ..machine.limits import memory_group, ran_out
from ..measure.answer import Answer
from ..measure.answer_json import answer_type, from_json
from ..measure.job import CountJob, JobFor, MemoryJob, to_json
from ..refusals import raise_refusal

A = TypeVar("A", bound=Answer)
_WORKER = (*PYTHON, "edgestill.devices.onboard.measure.worker")
# What these jobs find depends on where things lie: whether a window of pages that the kernel maps
# at once is cut short, in what order a hash table of pointers is walked. It repeats where they lie
# the same each time. Times are of any layout, so that no figure rests on a lucky one.
_AT_FIXED_ADDRESSES = (MemoryJob, CountJob)


def run(
    job: JobFor[A],
    *,
    timeout_s: float,
    memory_limit_bytes: int | None = None,
    cores: Sequence[int] = (),
    command: Sequence[str] = _WORKER,
) -> A:
    """Run a job in a fresh child and return its answer.

    Args:
        job: what to do.
        timeout_s: wall-clock seconds until the child is ended.
        memory_limit_bytes: of what the child has resident where a control group can be made, else
            of its address space; None: no limit.
        cores: to pin it to; none: wherever this process may run.
        command: the program that takes the job, as an argument list.

    Returns:
        The worker's answer.

    Raises:
        UsageError, DataError, ModelError: the worker refused the job, its inputs or the model.
        MeasureError: it died, ran out of time or memory, or answered nothing or in another form.
    """
    subject = getattr(job, "model", None)
    with (
        memory_group(memory_limit_bytes) as group,
        tempfile.TemporaryDirectory(prefix="edgestill-") as folder,
    ):
        answer = Path(folder) / "answer.json"
        limits = {
            "memory_limit_bytes": memory_limit_bytes,
            "memory_group": str(group) if group else None,
            "cores": list(cores),
        }
        fixed = fixed_addresses() if isinstance(job, _AT_FIXED_ADDRESSES) else ()
        ending = finish(
            (*fixed, *command),
            _envelope(job, answer, limits),
            timeout_s=timeout_s,
            where=subject,
            threads=job.session.threads,
        )
        if ending is None:
            raise MeasureError(
                f"no answer after {timeout_s:g} s",
                where=subject,
                fix="give it more time, or measure fewer queries",
            )
        if ending.status != 0:
            full = group is not None and ran_out(group)
            raise _died(ending, subject, memory_limit_bytes if full else None)
        return from_json(answer_type(job), _read(answer, ending, subject))


def _envelope(job: JobFor[Any], answer: Path, limits: Mapping[str, Any]) -> str:
    """What the worker reads from stdin."""
    envelope = {
        "job": to_json(job),
        "answer": str(answer),
        "parent": os.getpid(),
        **limits,
        "spawned_ns": time.perf_counter_ns(),
    }
    return json.dumps(envelope)


@cache
def fixed_addresses() -> tuple[str, ...]:
    """The words that start a program without address randomization, where that is allowed.

    A container may forbid it; figures then differ a little more often.
    """
    words = ("setarch", "-R")
    if shutil.which(words[0]) is None:
        return ()
    tried = subprocess.run([*words, "true"], check=False, capture_output=True)
    return words if tried.returncode == 0 else ()


def _died(ending: Ending, subject: str | None, full_at_bytes: int | None) -> HostError:
    if ending.disk is not None:
        return StorageError(
            f"its samples cannot be written ({ending.disk})",
            where=subject,
            fix="free some space, or write to another disk",
        )
    if full_at_bytes is not None:
        return MeasureError(
            f"out of memory at the limit of {full_at_bytes} bytes",
            where=subject,
            fix="give it more memory, or a smaller batch",
        )
    causes = {
        "SIGKILL": "the kernel kills a process when memory runs out; free some, or use less",
        "SIGSEGV": "the runtime crashed in this model; try another version of it",
        "SIGABRT": "the runtime gave up in this model; try another version of it",
        "SIGILL": "the runtime was built for another processor",
    }
    return MeasureError(
        f"a measuring process that {ending.how}",
        where=subject,
        fix=causes.get(ending.signal or ""),
    )


def _read(answer: Path, ending: Ending, subject: str | None) -> dict[str, Any]:
    try:
        document = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise MeasureError(
            f"a measuring process without an answer{last_line(ending.words)}", where=subject
        )
    raise_refusal(document)
    return document
