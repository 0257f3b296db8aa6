"""Running a flow: the engines that run its stages.

``build.flow`` calls ``engine.run_stage`` once a stage. The ``Planner`` works out keys only, so that
a plan, or a build with nothing to do, imports no torch. The ``Builder`` reads each stage from the
store or runs it. ``keys`` says what a key is made of.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..progress import Progress
from .compute import Compute, computing
from .keys import ingredients
from .processes import shared
from .stage import Inputs, Made, Output, Stage, function_of
from .store import Store, digest_of


class Engine(Protocol):
    """Runs the stages of a flow, wherever they run: the one seam between the two.

    ``Planner`` and ``Builder`` implement it in this process. An engine that sends stages to the
    machines of a cluster stands beside them and implements the same methods. It has to send a
    stage's inputs and nothing else: recipe parts by value, and other stages by key, which a store
    that the machines share resolves. Two stages depend on each other only where the inputs of one
    hold the output of the other. So an engine may return a ``Made`` while its stage still runs, as
    long as ``record`` and ``path`` wait for the stage to end.
    """

    def run_stage(self, stage: Stage[Inputs, Output], inputs: Inputs, /) -> Made[Output]:
        """The stage's output from these inputs."""
        ...

    def require(self, demand: Callable[[Output], None], made: Made[Output], /) -> None:
        """Check an output against what later stages need; an engine without records skips it."""
        ...

    def holds(self, question: Callable[[Output], bool], made: Made[Output], /) -> bool:
        """What an output says about the stages to come; a plan may have to guess."""
        ...


class StopHereError(Exception):
    """The stage that ``--until`` names is done."""

    def __init__(self, made: Made[Any]) -> None:
        self.made = made
        super().__init__(made.stage.name)


def stop_after(until: str | None, made: Sequence[Made[Any]], stage: Stage[Any, Any]) -> None:
    """End a flow at the first stage behind all calls of the one to stop after.

    Args:
        until: the name of the stage to stop after; None: the flow goes to its end.
        made: what the flow has made.
        stage: that it asks for now.

    Raises:
        StopHereError: every call of the stage that ``until`` names is done.
    """
    if made and made[-1].stage.name == until != stage.name:
        raise StopHereError(made[-1])


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan.

    Attributes:
        stage: its name.
        key: of its output.
        cached: whether the store has it.
        device: what it would compute on; None where it does not train.
        unchecked: why a plan did not check what the stage would refuse; None: it did, or need not.
    """

    stage: str
    key: str
    cached: bool
    device: str | None = None
    unchecked: str | None = None


class Planner:
    """Works out the key of each stage and runs none.

    Args:
        store: where finished stages lie.
        compute: what training computes with.
        guess: what is taken for the answer to a question about a stage that the store lacks.

    Attributes:
        steps: the stages of the flow.
        guessed: whether there was such a question.
    """

    def __init__(self, store: Store, compute: Compute, *, guess: bool = False) -> None:
        self._store, self._compute, self._guess = store, compute, guess
        self.steps: list[Step] = []
        self.guessed = False

    def run_stage(self, stage: Stage[Inputs, Output], inputs: Inputs, /) -> Made[Output]:
        """Work out the key and look whether the store has it."""
        key = digest_of(ingredients(stage, inputs, self._compute))
        device = str(self._compute.device) if stage.device else None
        self.steps.append(Step(stage.name, key, self._store.has(key), device))
        return Made(stage, key)

    def require(self, *_: object) -> None:
        """There is no record yet to check."""

    def holds(self, question: Callable[[Output], bool], made: Made[Output], /) -> bool:
        """The answer of the store's record, or a guess."""
        record = self._store.peek(made.key)
        if record is None:
            self.guessed = True
            return self._guess
        return question(made.stage.gives.model_validate(record))


class Builder:
    """Runs each stage that the store does not have, one after the other, in this process."""

    def __init__(
        self,
        store: Store,
        compute: Compute,
        progress: Progress,
        *,
        until: str | None = None,
        around: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._store, self._compute, self._progress = store, compute, progress
        self._until, self._around = until, around
        self.made: list[Made[Any]] = []
        self.ran: list[str] = []

    def run_stage(self, stage: Stage[Inputs, Output], inputs: Inputs, /) -> Made[Output]:
        """Read the stage's output from the store, or run the stage and store it.

        Raises:
            StopHereError: every call of the stage that ``until`` names is done.
        """
        stop_after(self._until, self.made, stage)
        return self._run(stage, inputs)

    def merge(
        self, stage: Stage[Inputs, Output], inputs: Inputs, parts: Sequence[Made[Any]], /
    ) -> Made[Output]:
        """The same output from that of the stage's shards."""
        return self._run(stage, inputs, parts)

    def _run(
        self,
        stage: Stage[Inputs, Output],
        inputs: Inputs,
        shards: Sequence[Made[Any]] | None = None,
    ) -> Made[Output]:
        parts = ingredients(stage, inputs, self._compute)
        key = digest_of(parts)

        def make(out: Path) -> Mapping[str, Any]:
            kept: dict[str, Any] = {}
            if stage.resumes and shards is None:
                kept["work"] = self._store.work(key)
            with self._around(stage.name):
                if shards is None:
                    function = function_of(stage.run)
                else:
                    assert stage.shards is not None  # noqa: S101 - who merges has made shards
                    function, kept = function_of(stage.shards.merge), {"parts": shards}
                using = self._compute.used_by(stage)
                with (
                    computing(using) if stage.threads else nullcontext(),
                    shared(stage, inputs, using, kept.get("work")),
                ):
                    record = function(out, self._progress, inputs, **kept)
            return dict(record.model_dump(mode="json"))

        entry, fresh = self._store.made(key, stage.name, parts, make)
        made = Made(stage, key, stage.gives.model_validate(entry.record), entry.path)
        self.made.append(made)
        if fresh:
            self.ran.append(stage.name)
        return made

    def finish(self) -> None:
        """Each stage is done when ``run_stage`` returns."""

    def let_go(self) -> None:
        """Nothing runs any longer when ``run_stage`` returns."""

    def require(self, demand: Callable[[Output], None], made: Made[Output], /) -> None:
        """Check a stage's record against what the stages after it need."""
        demand(made.record)

    def holds(self, question: Callable[[Output], bool], made: Made[Output], /) -> bool:
        """The answer of a stage's record."""
        return question(made.record)
