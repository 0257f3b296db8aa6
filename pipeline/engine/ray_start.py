"""A Ray cluster that is there, or a local one that is started and ended.

with opened("head:6379", log) as executor:
cluster = Cluster(executor, logs)
"""

import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...devices.onboard.machine.system import available_cores
from ...errors import HostError, UsageError, reason
from . import extras
from .executor import Executor
from .ray_cluster import LOCAL, RayExecutor

_OBJECT_STORE_BYTES = 128 * 2**20
"""Records and events travel through it; files do not."""
_REACH_S = 10.0
_LONGEST = 20
"""Characters of the folder for temporary files: paths of Ray's sockets below it may have 107."""
_WHERE = "--address"
_START = "start it with: ray start --head"


@contextlib.contextmanager
def opened(address: str | None, log: Path) -> Iterator[Executor]:
    """Connect to a Ray cluster, or start a local one and end it afterwards.

    Args:
        address: ``host:port`` of the cluster's head, or ``auto``; None: a local Ray.
        log: the file of what Ray says.

    Raises:
        UsageError: the address is of another form.
        HostError: Ray is not installed, or the cluster cannot be reached.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with contextlib.ExitStack() as stack:
        if find_spec("ray") is None:
            raise extras.missing("ray")
        given = _local(stack) if address is None else _reachable(address)
        ray = _imported()
        # Its import sets loggers up, so this comes after it.
        stack.enter_context(_said_in(log))
        stack.callback(ray.shutdown)
        failures = (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError)
        try:
            with _handler_kept(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _listened(ray)
                ray.init(**given, log_to_driver=False, configure_logging=False)
        except failures as error:
            raise _refused(address, error, log) from error
        yield RayExecutor(ray, own=address is None)


def _listened(ray: Any) -> None:
    """What Ray tells a driver of lost workers goes to the log, too; it has no option for that."""
    worker: Any = getattr(getattr(ray, "_private", None), "worker", None)
    if hasattr(worker, "print_to_stdstream"):

        def told(data: Mapping[str, Any], **_: Any) -> None:
            logging.getLogger("ray").warning("%s", "\n".join(data["lines"]))

        worker.print_to_stdstream = told


def _imported() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import ray
    except ImportError:
        raise extras.missing("ray") from None
    return ray


def _local(stack: contextlib.ExitStack) -> dict[str, Any]:
    """A Ray of this machine's cores, in a folder that goes with it."""
    place = tempfile.gettempdir()
    short = place if len(place) <= _LONGEST else "/tmp"  # noqa: S108 - mkdtemp takes a new name
    folder = tempfile.mkdtemp(prefix="ray-", dir=short)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return {
        "address": "local",
        "num_cpus": available_cores(),
        "resources": {LOCAL: 1},
        "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "_temp_dir": folder,
    }


def _reachable(address: str) -> dict[str, Any]:
    """The address, once something answers there: Ray itself tries for minutes."""
    host, colon, port = address.rpartition(":")
    if address == "auto":
        return {"address": address}
    if not colon or not host or not port.isdecimal() or "/" in host:
        raise UsageError(
            repr(address),
            expected="HOST:PORT of the cluster's head, such as 10.0.0.1:6379, or auto",
            where=_WHERE,
            fix="run the command on a node of the cluster; ray:// and http:// lead to other parts "
            "of Ray",
        )
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise HostError(
            f"no Ray at {address} ({reason(error).lower()})",
            where=_WHERE,
            fix=f"name the address of a cluster's head, or {_START}",
        ) from None
    return {"address": address}


def _refused(address: str | None, error: BaseException, log: Path) -> HostError:
    said = f"{reason(error)} (more in {log})"
    if address is None:
        return HostError(f"a local Ray did not start: {said}", fix="look into that file")
    return HostError(
        f"the Ray at {address} did not let this process in: {said}",
        where=_WHERE,
        fix="run the command on a node of that cluster, with its version of Ray and its token",
    )


@contextlib.contextmanager
def _handler_kept() -> Iterator[None]:
    """Ray sets a handler of SIGTERM, after which the command would not clean up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _said_in(log: Path) -> Iterator[None]:
    """What Ray says goes to a file, not to the terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("ray")
    handler = logging.FileHandler(log, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers = _Kept([handler])
    logger.propagate = False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        handler.close()
        logger.handlers, logger.propagate, level = before
        logger.setLevel(level)


class _Kept(list[logging.Handler]):
    """Handlers that stay: Ray, told to leave logging alone, takes all of them away first."""

    def clear(self) -> None:
        """Keep them."""
