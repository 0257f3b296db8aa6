"""A job of several processes, as torchrun starts them: one builds, the others help it to train.

    torchrun --nproc-per-node 2 -m edgestill build recipe.toml
    edgestill build recipe.toml --processes 2        # the same on one machine, without torchrun

The first process runs the command. It alone writes: the store, the terminal, the reports. The
others wait for a training, do their share of it and wait for the next (``follow``). They are told
through the job's key-value store, so that a stage of hours between two trainings meets no time
limit. Where a process is gone, the next message to it fails, and the job ends with what is known.

Torch's store asks for no password. So that of a job started here listens on the loopback address
alone, and tasks, which are pickled, are sealed with a secret that the first process gives to those
it starts: one with another seal is never unpickled. Under torchrun the store is torchrun's, which
listens on every interface, and the processes have no secret among them.
"""

import hmac
import math
import os
import pickle
import platform
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import EdgestillError, HostError, UsageError
from ..progress import Silent
from .compute import WHERE, Compute, computing, shared_by
from .stage import Stage, function_of

if TYPE_CHECKING:
    from .ranks import Ranks

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5
_GRACE_S = 5.0
"""For the first process to fail by itself, as it does where all meet the same error."""
_LIMIT = timedelta(minutes=30)
"""For a message in a training: no step and no share of a validation takes so long."""
_TASK, _ENDED, _FAILED = "task/{}", "ended/{}", "failed/{}"
_OVER = b""
_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_LOOPBACK = "127.0.0.1"
_SECRET = "EDGESTILL_JOB_SECRET"  # noqa: S105 - the name of a variable
_SEAL, _SEAL_BYTES = "sha256", 32


@dataclass(frozen=True, slots=True)
class _Task:
    """A stage whose training is shared."""

    number: int
    stage: Stage[Any, Any]
    inputs: Any
    compute: Compute
    work: Path | None


class Job:
    """This process among those of a job.

    Args:
        rank: its number; the first one leads.
        size: how many there are.
        open_store: gives the job's key-value store; called once, when it is needed.
        secret: what its tasks are sealed with.
    """

    def __init__(
        self, rank: int, size: int, open_store: Callable[[], Any], secret: str = ""
    ) -> None:
        self.rank, self.size = rank, size
        self._open_store, self._secret = open_store, secret.encode()
        self._opened: Any = None
        self._group: Any = None
        self._tasks = 0

    @contextmanager
    def leading(
        self, stage: Stage[Any, Any], inputs: object, compute: Compute, work: Path | None
    ) -> Iterator[None]:
        """A training in here is shared by all processes, which are told when it begins.

        Raises:
            LostError: another process has ended; with what it said.
        """
        from .ranks import LostError, Ranks, sharing

        task = _Task(self._tasks, stage, inputs, compute, work)

        def call() -> Ranks:
            content = pickle.dumps(task)
            self._store.set(_TASK.format(task.number), self._seal(content) + content)
            self._tasks = task.number + 1
            return self._ranks(compute)

        try:
            with sharing(Ranks(0, self.size, None, call)):
                yield
        except LostError as lost:
            raise self._explained(lost) from lost.__cause__
        finally:
            if self._tasks > task.number:
                self._tell(_ENDED.format(task.number), b"1")

    def over(self) -> None:
        """Let the other processes end."""
        self._tell(_TASK.format(self._tasks), _OVER)
        self._leave()

    def follow(self) -> None:
        """Do this process's share of each training until the first process ends.

        Raises:
            EdgestillError: what ended a training here and not in the first process; a task that is
            not of this job.
            SystemExit: a process is gone, which the first one has told.
        """
        number = 0
        while (task := self._next(number)) is not None:
            self._take_part(task)
            number += 1
        self._leave()

    def _next(self, number: int) -> _Task | None:
        key = _TASK.format(number)
        try:
            self._is_set(key, within_s=math.inf)
            given = self._store.get(key)
        except RuntimeError:
            return None  # The first process has ended, and the store with it.
        if given == _OVER:
            return None
        seal, content = given[:_SEAL_BYTES], given[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(content)):
            raise HostError(
                "a task that no process of this job sent",
                where="the job's key-value store",
                fix="see which machines reach the ports of this one",
            )
        task = pickle.loads(content)  # noqa: S301 - of this job
        assert isinstance(task, _Task)  # noqa: S101
        return task

    def _seal(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, _SEAL)

    def _take_part(self, task: _Task) -> None:
        from .ranks import LostError, ShareEndedError, sharing

        try:
            _check_alike(task.compute)
            with (
                tempfile.TemporaryDirectory(prefix="edgestill-") as out,
                computing(task.compute),
                sharing(self._ranks(task.compute)),
            ):
                kept = {"work": task.work} if task.work is not None else {}
                function_of(task.stage.run)(Path(out), Silent(), task.inputs, **kept)
        except ShareEndedError:
            return
        except LostError:
            if self._leader_ends(task):
                raise SystemExit(HostError.exit_code) from None
            raise
        except Exception as error:
            text = str(error) or type(error).__name__
            self._tell(_FAILED.format(self.rank), text.encode())
            # What all processes meet is the first one's to tell.
            if not self._leader_ends(task):
                raise

    def _leader_ends(self, task: _Task) -> bool:
        """Whether the first process ends the stage, too."""
        try:
            return self._is_set(_ENDED.format(task.number), within_s=_GRACE_S)
        except RuntimeError:
            return False

    def _is_set(self, key: str, within_s: float) -> bool:
        """Whether a key is set in so many seconds.

        Torch's own ``wait`` prints two warnings each time it has waited in vain.

        Raises:
            RuntimeError: nobody keeps the store any longer.
        """
        until, pause = time.monotonic() + within_s, _FIRST_PAUSE_S
        while not self._store.check([key]):
            if time.monotonic() >= until:
                return False
            time.sleep(pause)
            pause = min(2.0 * pause, _LONGEST_PAUSE_S)
        return True

    def _explained(self, lost: EdgestillError) -> EdgestillError:
        """With what a process said before it ended."""
        for rank in range(1, self.size):
            with suppress(RuntimeError):
                if self._store.check([_FAILED.format(rank)]):
                    said = self._store.get(_FAILED.format(rank)).decode()
                    lost = type(lost)(
                        f"process {rank} of {self.size} failed: {said}", where=lost.where
                    )
        return lost

    def _ranks(self, compute: Compute) -> "Ranks":
        """The processes, connected."""
        import torch.distributed as dist

        from .ranks import Ranks

        if self._group is None:
            backends = "cpu:gloo,cuda:nccl" if compute.device.kind == "cuda" else "gloo"
            store = dist.PrefixStore("group", self._store)  # type: ignore[attr-defined]
            dist.init_process_group(
                backends, store=store, rank=self.rank, world_size=self.size, timeout=_LIMIT
            )
            self._group = dist.group.WORLD
        return Ranks(self.rank, self.size, self._group)

    @property
    def _store(self) -> Any:
        if self._opened is None:
            self._opened = self._open_store()
        return self._opened

    def _tell(self, key: str, value: bytes) -> None:
        """Set a key, unless nobody is there to read it."""
        with suppress(RuntimeError):
            self._store.set(key, value)

    def _leave(self) -> None:
        if self._group is not None:
            import torch.distributed as dist

            with suppress(RuntimeError):
                dist.destroy_process_group()


def job_of(environment: Mapping[str, str]) -> Job | None:
    """The job that torchrun, or what works as it does, put this process into; None: it is alone."""
    if not all(environment.get(name) for name in _VARIABLES):
        return None
    rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])

    def open_store() -> Any:
        from torch.distributed.rendezvous import rendezvous

        store, _, _ = next(iter(rendezvous("env://", rank, size)))
        return store

    return Job(rank, size, open_store, environment.get(_SECRET, "")) if size > 1 else None


@contextmanager
def started(count: int, engine: str = "local") -> Iterator[None]:
    """Lead a job of so many processes of this machine, which are started and ended here.

    Args:
        count: with this one.
        engine: what runs the stages of the build; another one than this process shares nothing.

    Raises:
        UsageError: this process is one of a job already, or the stages run elsewhere.
    """
    if engine != "local" and max(count, 1 if _job is None else _job.size) > 1:
        raise UsageError(
            f"several processes and --engine {engine}",
            expected="one of them: each training of a cluster runs in one process",
        )
    if count == 1:
        yield
        return
    if _job is not None:
        raise UsageError(
            f"--processes {count} in a job of {_job.size} processes",
            fix="leave --processes out, or start it without torchrun",
        )
    store, secret = _own_store(), secrets.token_hex()
    shared = {
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": _LOOPBACK,
        "MASTER_PORT": str(store.port),
        _SECRET: secret,
    }
    others = [
        subprocess.Popen(
            [sys.executable, "-m", "edgestill"],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for rank in range(1, count)
    ]
    try:
        with led(Job(0, count, lambda: store, secret)):
            yield
    finally:
        for other in others:
            with suppress(subprocess.TimeoutExpired):
                other.wait(_GRACE_S)
            other.kill()
            other.wait()


def _own_store() -> Any:
    """A key-value store that other machines cannot reach."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    listening = socket.create_server((_LOOPBACK, 0))
    port = listening.getsockname()[1]
    return TCPStore(
        _LOOPBACK,
        port,
        is_master=True,
        wait_for_workers=False,
        master_listen_fd=listening.detach(),
    )


_job: Job | None = None


@contextmanager
def led(job: Job | None) -> Iterator[None]:
    """What runs in here leads a job; its other processes end with it."""
    global _job
    before, _job = _job, job
    try:
        with shared_by(1 if job is None else job.size):
            yield
    finally:
        _job = before
        if job is not None:
            job.over()


@contextmanager
def shared(
    stage: Stage[Any, Any], inputs: object, compute: Compute, work: Path | None
) -> Iterator[None]:
    """The trainings of a stage are shared by the processes of the job, if there is one."""
    if _job is None or not stage.processes:
        yield
        return
    if compute.device.kind == "mps":
        raise HostError(
            found=f"{_job.size} processes and {compute.device}",
            expected="one process, as Apple's GPU is not shared",
            where=WHERE,
            fix="set it to 'cpu'",
        )
    with _job.leading(stage, inputs, compute, work):
        yield


def _check_alike(compute: Compute) -> None:
    """Refuse another device than the first process has: the key names that one.

    Raises:
        HostError: it is another one.
    """
    from ...devices import accelerators

    found = accelerators.find(compute.device.kind)
    if found.device is None or found.device.identity != compute.device.identity:
        raise HostError(
            found=f"{found.device or found.why} on {platform.node()}",
            expected=f"{compute.device}, as the first process has",
            where=WHERE,
            fix="use machines of one kind, or set it to 'cpu'",
        )
