"""Where a call runs its stages: ``engine=`` and ``address=`` of a build, a search, an adaptation.

with runner_of("ray", None, Path("artifacts"), "digits") as runner:
build(recipe, runner=runner)
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ...errors import UsageError
from ..engine.runner import IN_PROCESS, Runner
from ..engine.store import disk_errors

EngineOption = Literal["local", "ray"]
ENGINES: tuple[EngineOption, ...] = ("local", "ray")


@contextmanager
def runner_of(engine: str, address: str | None, artifacts: Path, name: str) -> Iterator[Runner]:
    """What runs the stages; a cluster that was started for it is ended afterwards.

    Args:
        engine: ``local``, one stage after the other in this process, or ``ray``.
        address: of the cluster; None: that of ``RAY_ADDRESS``, else Ray is started here.
        artifacts: the folder builds write to; logs go below it.
        name: of the recipe.

    Raises:
        UsageError: no such engine, or an address without one.
        HostError: Ray is not installed, or cannot be reached.
    """
    if engine not in ENGINES:
        raise UsageError(repr(engine), expected=" or ".join(ENGINES), where="--engine")
    if engine == "local":
        if address is not None:
            raise UsageError(
                f"{address!r} for the local engine",
                expected="--engine ray",
                where="--address",
                fix="add it, or leave the address out",
            )
        yield IN_PROCESS
        return
    from ..engine.ray_start import opened
    from ..engine.remote import Cluster

    # Where Ray itself runs a command (``ray job submit``), it says so there.
    address = address or os.environ.get("RAY_ADDRESS") or None
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    logs = artifacts.absolute() / "logs" / name / stamp
    with disk_errors(logs, opening=True):
        logs.mkdir(parents=True, exist_ok=True)
    with opened(address, logs / "ray.log") as executor, Cluster(executor, logs) as cluster:
        yield cluster
