"""Run one job in a fresh process of this machine and bring its answer back.

    >>> run(ProbeJob(), timeout_s=30)["runtime"]        # doctest: +SKIP
    'onnxruntime 1.32.0'

The parent blocks in the kernel while the child works: a parent that polls takes a core away from
what it measures. The child has a session of its own, so Ctrl-C reaches only the parent, which then
ends the child.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ....errors import MeasureError
from ..machine.limits import memory_group, ran_out
from ..measure.job import CountJob, Job, MemoryJob, to_json
from ..refusals import last_line, refusal

# What a child may see of our environment. Everything else (thread counts, preloads, debug switches)
# would make the figure depend on who ran it.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
# numpy's own pool computes nothing here, but starts its threads on import: one is none.
_NUMPY_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# -P: the current folder is no place to import from; a foreign one may hold a numpy.py.
_WORKER = (sys.executable, "-P", "-m", "edgestill.devices.onboard.measure.worker")
# What these jobs find depends on where things lie: whether a window of pages that the kernel maps
# at once is cut short, in what order a hash table of pointers is walked. It repeats where they lie
# the same each time. Times are of any layout, so that no figure rests on a lucky one.
_AT_FIXED_ADDRESSES = (MemoryJob, CountJob)


def run(
    job: Job,
    *,
    timeout_s: float,
    memory_limit_bytes: int | None = None,
    cores: Sequence[int] = (),
    command: Sequence[str] = _WORKER,
) -> dict[str, Any]:
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
        MeasureError: it died, ran out of time or memory, or answered nothing.
    """
    subject = getattr(job, "model", None)
    with (
        memory_group(memory_limit_bytes) as group,
        tempfile.TemporaryDirectory(prefix="edgestill-") as folder,
    ):
        answer = Path(folder) / "answer.json"
        envelope = {
            "job": to_json(job),
            "answer": str(answer),
            "parent": os.getpid(),
            "memory_limit_bytes": memory_limit_bytes,
            "memory_group": str(group) if group else None,
            "cores": list(cores),
            "spawned_ns": time.perf_counter_ns(),
        }
        if isinstance(job, _AT_FIXED_ADDRESSES):
            command = (*fixed_addresses(), *command)
        code, said = _finish(
            command, json.dumps(envelope), environment(job.session.threads), timeout_s, subject
        )
        if code != 0 and group and ran_out(group):
            raise MeasureError(
                f"out of memory at the limit of {memory_limit_bytes} bytes",
                where=subject,
                fix="give it more memory, or a smaller batch",
            )
        if code != 0:
            raise _died(code, said, subject)
        return _read(answer, said, subject)


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


def environment(threads: int, source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment a child gets: a few names of ours, the rest fixed."""
    fixed = {
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": str(threads),  # for execution providers that use OpenMP
        **dict.fromkeys(_NUMPY_THREADS, "1"),
    }
    return {name: source[name] for name in _KEPT if name in source} | fixed


def _finish(
    command: Sequence[str],
    text: str,
    env: Mapping[str, str],
    timeout_s: float,
    subject: str | None,
) -> tuple[int, str]:
    try:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(env),
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise MeasureError(f"no process could be started ({error})", where=subject) from None
    with child:
        try:
            _, said = child.communicate(text, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise MeasureError(
                f"no answer after {timeout_s:g} s",
                where=subject,
                fix="give it more time, or measure fewer queries",
            ) from None
        finally:
            # Also on KeyboardInterrupt: whatever happens, nothing is left running.
            if child.poll() is None:
                _end(child)
    return child.returncode, said


def _end(child: subprocess.Popen[str]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.wait()


def _died(code: int, said: str, subject: str | None) -> MeasureError:
    if code >= 0:
        return MeasureError(
            f"a measuring process that ended with status {code}{last_line(said)}", where=subject
        )
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    causes = {
        "SIGKILL": "the kernel ends a process so when memory runs out; free some, or use less",
        "SIGSEGV": "the runtime crashed in this model; try another version of it",
        "SIGABRT": "the runtime gave up in this model; try another version of it",
        "SIGILL": "the runtime was built for another processor",
    }
    return MeasureError(
        f"a measuring process ended by {name}{last_line(said)}",
        where=subject,
        fix=causes.get(name),
    )


def _read(answer: Path, said: str, subject: str | None) -> dict[str, Any]:
    try:
        document = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise MeasureError(f"a measuring process without an answer{last_line(said)}", where=subject)
    if document.get("error"):
        raise refusal(document["error"])
    return document
