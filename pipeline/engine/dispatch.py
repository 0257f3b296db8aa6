"""Which task runs when, and what happens when one is lost: the driver's end of a cluster.

    dispatcher = Dispatcher(executor, warn)
    call = dispatcher.add(Call(key, task, Place(cpus=2), shown))
    dispatcher.wait(call)                 # hears of all tasks until this one is done

A call begins when those that it needs are done. One whose worker dies runs again, and nothing else
does; a node that would give another key gets no further task. Nothing here is a thread: the engine
hears what is new while the flow waits for a record.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import HostError
from .executor import Executor, Lost, News, Place
from .shown import Shown
from .task import Done, Failed, Outcome, Refused, Task, error_of

RETRIES = 3
"""Times that a lost task runs again."""
_HEAR_S = 0.25
_TELL_AFTER_S, _GIVE_UP_AFTER_S = 15.0, 600.0
"""Seconds without a node that could take a task: then it is said, and then given up. A cluster that
grows with its work brings one in between."""

State = Literal["waiting", "submitted", "done", "failed", "cancelled"]


@dataclass(eq=False)
class Call:
    """A stage, or a part of one, that was asked for.

    Attributes:
        key: of its output.
        task: what a worker gets.
        place: what it takes.
        shown: the stage that it belongs to.
        needs: calls that have to be done first.
        part: its number among parts, for the log; empty: the stage ends with it.
        state: of it.
        outcome: once it is done.
        error: once it has failed.
        attempts: times that it was submitted.
        holders: flows that wait for it.
        arrived: whether a worker has it.
        since: when it came to its state, by the dispatcher's clock.
    """

    key: str
    task: Task
    place: Place
    shown: Shown
    needs: tuple["Call", ...] = ()
    part: str = ""
    state: State = "waiting"
    outcome: Done | None = None
    error: BaseException | None = None
    attempts: int = 0
    holders: int = 0
    arrived: bool = False
    since: float = 0.0

    @property
    def what(self) -> str:
        """Its name for people."""
        return f"{self.shown.name} {self.part}".strip()

    @property
    def ready(self) -> bool:
        """Whether it can be submitted."""
        return self.state == "waiting" and all(one.outcome is not None for one in self.needs)

    @property
    def over(self) -> bool:
        """Whether it ended, in any way."""
        return self.state in ("done", "failed", "cancelled")


class Dispatcher:
    """The calls of one command.

    Args:
        executor: runs their tasks.
        warn: told what the user should know.
        clock: seconds.
    """

    def __init__(
        self,
        executor: Executor,
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor, self._warn, self._clock = executor, warn, clock
        self._calls: dict[int, Call] = {}
        self._by_key: dict[str, Call] = {}
        self._number = 0
        self._avoid: frozenset[str] = frozenset()
        self._told: set[str] = set()
        self._looked = clock()

    def find(self, key: str) -> Call | None:
        """The call of a key that was asked for before and still runs, or will."""
        call = self._by_key.get(key)
        return None if call is None or call.over else call

    def add(self, call: Call) -> Call:
        """Take a call; it begins as soon as what it needs is done."""
        self._by_key[call.key] = call
        self._number += 1
        call.since = self._clock()
        self._calls[self._number] = call
        failed = next((one.error for one in call.needs if one.error is not None), None)
        if failed is not None:
            self._fail(self._number, call, failed)
        self._submit_ready()
        return call

    def wait(self, call: Call, among: Sequence[Call]) -> Done:
        """Wait for a call.

        Args:
            call: to wait for.
            among: the calls of the same flow: the first of them that fails ends it.

        Raises:
            BaseException: what a task of the flow raised.
        """
        while True:
            failed = next((one for one in among if one.error is not None), None)
            if failed is not None and failed.error is not None:
                raise failed.error
            if call.outcome is not None:
                return call.outcome
            self.hear(_HEAR_S)

    def hear(self, timeout_s: float) -> None:
        """Take in what is new."""
        self._take(self._executor.hear(timeout_s))
        self._submit_ready()
        self._look_for_nodes()

    def let_go(self, calls: Iterable[Call]) -> None:
        """Cancel what no flow waits for any longer."""
        gone = []
        for call in calls:
            call.holders -= 1
            if call.holders <= 0 and not call.over:
                gone.append(call)
        self._cancel(gone)

    def close(self) -> None:
        """Cancel all that runs, and end the executor."""
        self._cancel([call for call in self._calls.values() if not call.over])
        self._executor.close()

    def _cancel(self, calls: list[Call]) -> None:
        numbers = [number for number, call in self._calls.items() if call in calls]
        self._executor.cancel([n for n in numbers if self._calls[n].state == "submitted"])
        for number in numbers:
            call = self._calls.pop(number)
            call.state = "cancelled"
            call.shown.end(InterruptedError("cancelled"))

    def _take(self, news: News) -> None:
        for number, node, event in news.events:
            if (call := self._calls.get(number)) is not None:
                call.arrived = True
                call.shown.hear(self._executor.node(node), event, call.part)
        for number, node, outcome in news.ended:
            if (call := self._calls.get(number)) is not None:
                self._end(number, call, node, outcome)

    def _end(self, number: int, call: Call, node: str, outcome: Outcome | Lost) -> None:
        match outcome:
            case Done():
                call.outcome, call.state = outcome, "done"
                del self._calls[number]
                if call.part:
                    call.shown.part_done(self._executor.node(node))
                else:
                    call.shown.end()
            case Failed():
                self._fail(number, call, error_of(outcome))
            case Refused():
                self._refuse(number, call, node, outcome)
            case Lost():
                self._again(number, call, outcome)

    def _again(self, number: int, call: Call, lost: Lost) -> None:
        """Run a lost task again, and only it."""
        if call.attempts <= RETRIES:
            self._warn(f"{call.what}: {lost.why}; it runs again ({call.attempts} of {RETRIES})")
            call.shown.write(f"{lost.why}; again", call.part)
            if not call.part:
                call.shown.restart()
            self._wait_again(call)
            return
        fix = "look into the log of the task, and at the node"
        if lost.memory:
            fix = "lower distill.batch_size, or use nodes with more memory"
        error = HostError(f"{lost.why}, {call.attempts} times", where=call.what, fix=fix)
        self._fail(number, call, error)

    def _refuse(self, number: int, call: Call, node: str, refused: Refused) -> None:
        """Leave a node alone that would give another key; fail where there is no other."""
        name = self._executor.node(node)
        found = f"{refused.what} {refused.here} on {name}"
        if node not in self._avoid:
            self._avoid |= {node}
            told = f"{found}, not {refused.there} as where the command runs; it gets no task"
            self._warn(told)
        pinned = call.place.device is not None
        if pinned or self._executor.missing(call.place, self._avoid) is not None:
            error = HostError(
                found,
                expected=f"{refused.there}, as where the command runs",
                where=call.what,
                fix=_FIXES.get(refused.what, "install the same versions on every node"),
            )
            self._fail(number, call, error)
            return
        call.attempts -= 1
        self._wait_again(call)

    def _wait_again(self, call: Call) -> None:
        call.state, call.arrived, call.since = "waiting", False, self._clock()

    def _fail(self, number: int, call: Call, error: BaseException) -> None:
        """End a call, and all that need it."""
        call.error, call.state = error, "failed"
        call.shown.end(error)
        del self._calls[number]
        for other_number, other in list(self._calls.items()):
            if call in other.needs and not other.over:
                self._fail(other_number, other, error)

    def _submit_ready(self) -> None:
        """Submit what can begin. Where one node trains and measures, it does one at a time."""
        ready = {n: call for n, call in self._calls.items() if call.ready}
        if self._executor.shares_devices:
            running = [call for call in self._calls.values() if call.state == "submitted"]
            measured = next((n for n, call in ready.items() if call.place.alone), None)
            if any(call.place.alone for call in running):
                return
            if measured is not None:
                # Nothing further begins until what runs is done, and then this has run.
                if not running:
                    self._submit(measured)
                return
        for number in ready:
            self._submit(number)

    def _submit(self, number: int) -> None:
        call = self._calls.get(number)
        if call is None:  # It failed with another one that it needs.
            return
        why = self._executor.missing(call.place, self._avoid)
        if why is not None and not self._executor.grows:
            self._fail(number, call, _no_node(call, why))
            return
        call.attempts, call.state, call.since = call.attempts + 1, "submitted", self._clock()
        self._executor.submit(number, call.task, call.place, self._avoid)

    def _look_for_nodes(self) -> None:
        """Say that no node could take a task; give it up after a while."""
        now = self._clock()
        if now - self._looked < _TELL_AFTER_S:
            return
        self._looked = now
        for number, call in list(self._calls.items()):
            if call.state != "submitted" or call.arrived or now - call.since < _TELL_AFTER_S:
                continue
            why = self._executor.missing(call.place, self._avoid)
            if why is None:
                continue
            if now - call.since > _GIVE_UP_AFTER_S:
                self._fail(number, call, _no_node(call, why))
            elif why not in self._told:
                self._told.add(why)
                self._warn(f"{call.what} waits for a node: {why}")


_FIXES = {
    "kernels": "train on nodes with the kind of processor that the command runs on, or run the "
    "command on one of theirs",
    "edgestill's own source": "install the same edgestill on every node",
}


def _no_node(call: Call, why: str) -> HostError:
    return HostError(
        why,
        expected=f"a node with {call.place}",
        where=call.what,
        fix="lower threads in the recipe, or add such a node",
    )
