"""Where a measuring job runs: this machine, or a device that is reached over a wire.

    >>> place = place_of(load("board.toml"))            # doctest: +SKIP
    >>> place.describe().cpu                            # doctest: +SKIP
    'Raspberry Pi 5 Model B Rev 1.0'

The worker is the same everywhere; a place only gets the job there and the answer back.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from ...errors import UsageError
from ..onboard.machine import disturbance, host, system
from ..onboard.machine.disturbance import Disturbance
from ..onboard.machine.host import Host
from ..onboard.measure.answer import Answer
from ..onboard.measure.job import JobFor
from ..onboard.process import run_job as local
from ..onboard.settings import Session
from ..profiles.connection import Reach
from ..profiles.profile import HOST, Profile
from .adb import Adb
from .remote import Remote
from .ssh import Ssh
from .worker import worker_of

A = TypeVar("A", bound=Answer)


class Place(Protocol):
    """Anything that runs jobs, each in a fresh process."""

    def run(
        self,
        job: JobFor[A],
        *,
        timeout_s: float,
        memory_limit_bytes: int | None = None,
        cores: Sequence[int] = (),
    ) -> A:
        """Run a job in a fresh process there.

        Args:
            job: what to do, with paths of this machine.
            timeout_s: seconds until the process is ended.
            memory_limit_bytes: what the process may have; None: no limit.
            cores: of that machine, to pin the process to; none: any.

        Returns:
            The worker's answer; files that the job names for its results lie here.

        Raises:
            UsageError, DataError, ModelError: the worker refused the job, its inputs or the model.
            MeasureError: it died, ran out of time or memory, or answered nothing; a `ReachError`
                where the way there is at fault.
        """

    def describe(self) -> Host:
        """The machine there.

        Raises:
            ReachError: it is not reached, or lacks what measuring needs.
        """

    def snapshot(self) -> Disturbance:
        """Counters of that machine now; only differences mean anything."""


class Local:
    """This machine."""

    def run(
        self,
        job: JobFor[A],
        *,
        timeout_s: float,
        memory_limit_bytes: int | None = None,
        cores: Sequence[int] = (),
    ) -> A:
        """Run a job in a child process; see `Place.run`."""
        return local.run(
            job,
            timeout_s=timeout_s,
            memory_limit_bytes=memory_limit_bytes,
            cores=cores,
            command=worker_of(job),
        )

    def describe(self) -> Host:
        """This machine."""
        return host.describe()

    def snapshot(self) -> Disturbance:
        """The counters now."""
        return disturbance.snapshot()


def place_of(profile: Profile, *, where: str = "the device") -> Place:
    """The place that a profile's `[reach]` table leads to; nothing is started yet.

    Raises:
        UsageError: a profile without one, one of another machine that claims to be this one, or
            an emulator, which gives no times.
    """
    reach = profile.reach
    if reach is None:
        if profile.name == HOST:
            return Local()
        raise UsageError(
            f"{profile.name}, which is only a profile",
            expected="a device that says how it is reached",
            where=where,
            fix="write a .toml of your own with a [reach] table, such as "
            'via = "ssh" and host = "board.local"',
        )
    if reach.via == "emulated":
        raise UsageError(
            f"{profile.name}, which is emulated",
            expected="a device that runs at its own speed",
            where=where,
            fix="an emulator counts instructions; for times use the device itself",
        )
    if reach.via == "local":
        if profile.arch != (here := system.machine()):
            raise UsageError(
                f"{profile.name}, a device of architecture {profile.arch}",
                expected=f"{here}, as this machine is",
                where=where,
                fix="say how the device itself is reached, reach.via",
            )
        return Local()
    shell = Ssh(reach) if reach.via == "ssh" else Adb(reach)
    return Remote(shell, reach, arch=profile.arch)


def bounds_of(profile: Profile, threads: int | None, spinning: bool | None) -> dict[str, Any]:
    """Session, cores and memory of a measuring process, by the names of `bench.Settings`.

    Args:
        profile: the device, whose `[reach]` table may say all four.
        threads: what is asked for, which comes first; None: what the device says, else 1.
        spinning: the same; None: what the device says, else off.
    """
    reach = profile.reach or Reach()
    return {
        "session": Session(
            threads=threads or reach.threads or 1,
            spinning=bool(reach.spinning) if spinning is None else spinning,
        ),
        "cores": reach.cores,
        "memory_mib": reach.memory_mib,
    }
