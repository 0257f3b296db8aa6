"""The engine whose stages run on a cluster: it stands where the ``Builder`` stands.

    with Cluster(executor, logs) as cluster:
        engine = cluster.engine(store, compute, progress)
        flow(recipe, named, engine)     # all that can run runs at once
        engine.finish()

``run_stage`` works out the key, and returns at once: what the flow asks for next may run beside it.
Stages that read the user's files alone run here, where these lie. A stage that can be shared out
(``Stage.shards``) becomes a task a part, and one that puts them together.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self

from ...devices.profiles.profile import Profile
from ..progress import Progress
from .compute import Compute
from .dispatch import Call, Dispatcher
from .executor import Executor, Place
from .flow import Builder, stop_after
from .keys import ingredients
from .runner import Around
from .shown import Shown
from .stage import Inputs, Made, Output, Stage, function_of
from .store import Store, digest_of
from .task import Done, Task
from .upstream import Stored, by_key, upstream


class Cluster:
    """A ``Runner`` on a cluster; its calls are shared by all flows of a command.

    Args:
        executor: runs tasks.
        logs: the folder of the logs, a file a stage; None: none are written.
    """

    def __init__(self, executor: Executor, logs: Path | None) -> None:
        self.executor, self._logs = executor, logs
        self.dispatcher = Dispatcher(executor, lambda text: self._warn(text))
        self._warn: Callable[[str], None] = lambda _: None
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dispatcher.close()

    def parallel(self, compute: Compute) -> int:
        """How many trainings run at once now."""
        return self.executor.parallel(_training(compute))

    def engine(
        self,
        store: Store,
        compute: Compute,
        progress: Progress,
        *,
        until: str | None = None,
        around: Around = lambda _: nullcontext(),
    ) -> "Remote":
        """An engine for one flow."""
        self._warn = progress.warn
        return Remote(self, store, compute, progress, until=until, around=around)

    def log(self, stage: str, key: str) -> Path | None:
        """A new log for a stage."""
        if self._logs is None:
            return None
        self._number += 1
        return self._logs / f"{self._number:03}-{stage}-{key[:8]}.log"


class Remote:
    """Runs each stage that the store does not have on a cluster, as early as it can.

    Args:
        cluster: that runs them.
        store: where finished stages lie, seen by all machines under the same name.
        compute: what training computes with.
        progress: of the command.
        until: the name of the stage to stop after.
        around: entered around each stage that runs.
    """

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        compute: Compute,
        progress: Progress,
        *,
        until: str | None,
        around: Around,
    ) -> None:
        self._cluster, self._store, self._compute = cluster, store, compute
        self._progress, self._until, self._around = progress, until, around
        self._here = Builder(store, compute, progress, around=around)
        self._calls: list[Call] = []
        self.made: list[Made[Any]] = []

    @property
    def ran(self) -> list[str]:
        """Names of the stages that ran, here and there; of those that are done."""
        done = [call for call in self._calls if not call.part and call.outcome is not None]
        return [*self._here.ran, *(c.shown.name for c in done if c.outcome and c.outcome.fresh)]

    def run_stage(self, stage: Stage[Inputs, Output], inputs: Inputs, /) -> Made[Output]:
        """The stage's output from the store, or one that still runs.

        Raises:
            StopHereError: every call of the stage that ``until`` names is asked for.
        """
        stop_after(self._until, self.made, stage)
        run = self._here.run_stage if stage.reads_files else self._asked
        made: Made[Output] = run(stage, inputs)
        self.made.append(made)
        return made

    def _asked(self, stage: Stage[Inputs, Output], inputs: Inputs) -> Made[Output]:
        place = self._place(stage, inputs)
        machine = self._cluster.executor.machine(place) if stage.machine else None
        parts = ingredients(stage, inputs, self._compute, machine)
        key = digest_of(parts)
        call = self._cluster.dispatcher.find(key)
        if call is None:
            if (entry := self._store.read(key)) is not None:
                record = stage.gives.model_validate(entry.record)
                return Made(stage, key, record, entry.path)
            call = self._called(stage, inputs, parts, place)
        self._hold(call)
        return Made(stage, key, _pending=Running(self, stage, call))

    def _place(self, stage: Stage[Any, Any], inputs: Any) -> Place:
        if stage.machine:
            device: Profile = inputs.device
            return Place(device=device.name)
        return _training(self._compute.used_by(stage)) if stage.threads else Place()

    def _called(
        self, stage: Stage[Any, Any], inputs: Any, parts: dict[str, Any], place: Place
    ) -> Call:
        shards = self._split(stage, inputs)
        log = self._cluster.log(stage.name, digest_of(parts))
        shown = Shown(stage.name, self._progress, self._around, log, len(shards))
        needs = self._needs(inputs)
        if not shards:
            task = self._task(stage, inputs, parts)
            return self._cluster.dispatcher.add(Call(task.key, task, place, shown, needs))
        assert stage.shards is not None  # noqa: S101 - it was split
        made, calls = [], []
        for number, part in enumerate(shards, 1):
            task = self._task(stage.shards.stage, part)
            made.append(Made(task.stage, task.key))
            label = f"shard {number} of {len(shards)}"
            if self._store.has(task.key):
                shown.part_stored()
                continue
            call = Call(task.key, task, place, shown, needs, label)
            calls.append(self._cluster.dispatcher.add(call))
        task = self._task(stage, inputs, parts, tuple(made))
        return self._cluster.dispatcher.add(Call(task.key, task, place, shown, (*needs, *calls)))

    def _split(self, stage: Stage[Any, Any], inputs: Any) -> tuple[Any, ...]:
        """The inputs of each part; none where there would be only one."""
        if stage.shards is None:
            return ()
        split: tuple[Any, ...] = function_of(stage.shards.split)(inputs)
        return split if len(split) > 1 else ()

    def _task(
        self,
        stage: Stage[Any, Any],
        inputs: Any,
        parts: dict[str, Any] | None = None,
        shards: tuple[Made[Any], ...] | None = None,
    ) -> Task:
        parts = parts or ingredients(stage, inputs, self._compute)
        artifacts = str(self._store.root.parent.absolute())
        address = self._store.address
        return Task(stage, by_key(inputs), parts, self._compute, artifacts, address, shards)

    def _needs(self, inputs: Any) -> tuple[Call, ...]:
        """Calls of this command whose output the inputs hold, and that are not done."""
        found = (self._cluster.dispatcher.find(made.key) for made in upstream(inputs))
        return tuple(call for call in found if call is not None and call.outcome is None)

    def _hold(self, call: Call) -> None:
        if call not in self._calls:
            call.holders += 1
            self._calls.append(call)
            for part in (one for one in call.needs if one.part):
                self._hold(part)

    def wait(self, call: Call) -> Done:
        """Wait for a call of this flow.

        Raises:
            EdgestillError: what a stage of the flow raised.
        """
        try:
            return self._cluster.dispatcher.wait(call, self._calls)
        except BaseException:
            self.let_go()
            raise

    def entry_of(self, made: Made[Any]) -> Stored:
        """A finished stage, as this machine's store has it."""
        return Stored(made, self._store)

    def finish(self) -> None:
        """Wait for all stages of this flow.

        Raises:
            EdgestillError: what one of them raised.
        """
        for call in self._calls:
            self.wait(call)

    def let_go(self) -> None:
        """Cancel what no other flow of the command waits for."""
        calls, self._calls = self._calls, [one for one in self._calls if one.over]
        self._cluster.dispatcher.let_go(calls)

    def require(self, demand: Callable[[Output], None], made: Made[Output], /) -> None:
        """Check a stage's record against what the stages after it need."""
        demand(made.record)

    def holds(self, question: Callable[[Output], bool], made: Made[Output], /) -> bool:
        """The answer of a stage's record."""
        return question(made.record)


def _training(compute: Compute) -> Place:
    """What a training takes: its threads, and a GPU where it computes on one."""
    return Place(compute.threads, gpus=int(compute.device.kind == "cuda"))


@dataclass(frozen=True, slots=True)
class Running(Generic[Output]):
    """The output of a call; both wait for its end."""

    engine: Remote
    stage: Stage[Any, Output]
    call: Call

    def record(self) -> Output:
        """The stage's record."""
        return self.stage.gives.model_validate(self.engine.wait(self.call).record)

    def path(self) -> Path:
        """The folder of its files, in the store as this machine sees it."""
        self.engine.wait(self.call)
        return self.engine.entry_of(Made(self.stage, self.call.key)).path()
