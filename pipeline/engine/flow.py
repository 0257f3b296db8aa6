"""Walking the flow: what a stage's key is made of, and who walks.

``build.flow`` calls its ``walk`` once a stage. The ``Planner`` only works out keys (so that a plan,
or a build with nothing to do, imports no torch); the ``Builder`` reads each stage from the store or
runs it.

A key is the hash of the stage's inputs (recipe parts as JSON, upstream stages by key), the source
text of the stage's own modules, the versions of the libraries it uses, and, where the numbers
depend on them, the thread count and the CPU's kernel class.
"""

import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ...devices.onboard.machine import host
from ...devices.profiles.profile import Profile
from ...errors import HostError
from ..progress import Progress
from ..recipe.part import Part
from ..records import Record
from . import sources
from .store import Store, digest_of

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Stage(Generic[R]):
    """A stage: its name, the function that does it, and what its key must know.

    Attributes:
        name: as users type it, ``--until student``.
        run: ``module:function`` below ``edgestill``; imported only when it must run. Called as
            ``run(out: Path, progress, **inputs) -> record``.
        gives: the record it returns.
        libraries: distributions whose version decides the result.
        threads: whether the thread count does (1 and 2 torch threads train different weights).
        machine: whether the result belongs to this very machine (a measurement).
        resumes: whether it goes on after a kill; it is then also given ``work``, a folder that
            stays until the stage is done.
    """

    name: str
    run: str
    gives: type[R]
    libraries: tuple[str, ...]
    threads: bool = False
    machine: bool = False
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class Made(Generic[R]):
    """A stage's output, to be passed on: its key always, its record and folder once it exists."""

    stage: Stage[R]
    key: str
    _record: R | None = None
    _path: Path | None = None

    @property
    def record(self) -> R:
        """What the stage found; only while building."""
        if self._record is None:
            raise RuntimeError(f"{self.stage.name} was planned, not built")
        return self._record

    @property
    def path(self) -> Path:
        """Where the stage's files are; only while building."""
        if self._path is None:
            raise RuntimeError(f"{self.stage.name} was planned, not built")
        return self._path


class Walk(Protocol):
    """Takes a stage and its inputs, gives its output."""

    def __call__(self, stage: Stage[R], /, **inputs: Any) -> Made[R]:
        """The stage's output from these inputs."""
        ...

    def require(self, demand: Callable[[R], None], made: Made[R], /) -> None:
        """Refuse now what would fail later; a plan, which has no records, takes it on trust."""
        ...


class StopHereError(Exception):
    """The stage that ``--until`` names is done."""

    def __init__(self, made: Made[Any]) -> None:
        self.made = made
        super().__init__(made.stage.name)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan."""

    stage: str
    key: str
    cached: bool


class Planner:
    """Walks the flow for its keys alone."""

    def __init__(self, store: Store, threads: int) -> None:
        self._store, self._threads = store, threads
        self.steps: list[Step] = []

    def __call__(self, stage: Stage[R], /, **inputs: Any) -> Made[R]:
        """Work out the key and look whether the store has it."""
        key = digest_of(ingredients(stage, inputs, self._threads))
        self.steps.append(Step(stage.name, key, self._store.has(key)))
        return Made(stage, key)

    def require(self, *_: object) -> None:
        """Nothing is known yet that could be refused."""


class Builder:
    """Walks the flow, running each stage that the store does not have."""

    def __init__(
        self,
        store: Store,
        threads: int,
        progress: Progress,
        *,
        until: str | None = None,
        around: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._store, self._threads, self._progress = store, threads, progress
        self._until, self._around = until, around
        self.made: list[Made[Any]] = []
        self.ran: list[str] = []

    def __call__(self, stage: Stage[R], /, **inputs: Any) -> Made[R]:
        """Read the stage's output from the store, or run the stage and keep it.

        Raises:
            StopHereError: every call of the stage that ``until`` names is done.
        """
        if self.made and self.made[-1].stage.name == self._until != stage.name:
            raise StopHereError(self.made[-1])
        parts = ingredients(stage, inputs, self._threads)
        key = digest_of(parts)

        def make(out: Path) -> Mapping[str, Any]:
            kept = {"work": self._store.work(key)} if stage.resumes else {}
            with self._around(stage.name):
                function = _function(stage.run)
                with _repeatable(self._threads) if stage.threads else nullcontext():
                    record = function(out, self._progress, **inputs, **kept)
            return dict(record.model_dump(mode="json"))

        entry, fresh = self._store.made(key, stage.name, parts, make)
        made = Made(stage, key, stage.gives.model_validate(entry.record), entry.path)
        self.made.append(made)
        if fresh:
            self.ran.append(stage.name)
        return made

    def require(self, demand: Callable[[R], None], made: Made[R], /) -> None:
        """Hold what a stage made against what the stages after it need."""
        demand(made.record)


@contextmanager
def _repeatable(threads: int) -> Iterator[None]:
    """Torch as the key says: so many threads, only kernels that repeat; and back as it was."""
    import torch

    were = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(were[0])
            torch.use_deterministic_algorithms(were[1])


def ingredients(stage: Stage[Any], inputs: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """All that decides a stage's result, as JSON."""
    parts: dict[str, Any] = {
        "stage": stage.name,
        "inputs": {name: _plain(value) for name, value in sorted(inputs.items())},
        "sources": sources.digest(stage.run.partition(":")[0]),
        "gives": digest_of(stage.gives.model_json_schema()),
        "libraries": {name: _version(name) for name in stage.libraries},
    }
    here = _host()
    if stage.threads:
        kernels = [host.kernel_class(here.features), host.has_bf16(here.features)]
        parts |= {"threads": threads, "kernels": kernels}
    if stage.machine:
        parts["machine"] = [here.cpu, here.available_cores, here.memory_bytes, platform.release()]
    return parts


@cache
def _host() -> host.Host:
    return host.describe()


def _plain(value: Any) -> Any:
    if isinstance(value, Made):
        return {"key": value.key}
    if isinstance(value, Part):
        return value.ingredients()
    if isinstance(value, Record):
        return value.model_dump(mode="json")
    if isinstance(value, Profile):
        return asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


_EXTRAS = {"torchao": "qat"}
"""What brings a library that not every build needs."""


def _version(distribution: str) -> str:
    """The version of a library that a stage uses.

    Raises:
        HostError: it is not installed; seen before any stage runs.
    """
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        if distribution not in _EXTRAS:
            raise
        raise HostError(
            found=f"{distribution} is not installed",
            expected="it, for what the recipe asks for",
            fix=f"pip install 'edgestill[{_EXTRAS[distribution]}]'",
        ) from None


def _function(reference: str) -> Callable[..., Record]:
    module, _, name = reference.partition(":")
    return getattr(import_module(f"edgestill.{module}"), name)  # type: ignore[no-any-return]
