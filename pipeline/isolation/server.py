"""The child's end of ``Child``: requests from stdin, one reply each, within limits.

    def reply(request, arrays):
        return {"sum": sum(int(array.sum()) for array in arrays)}, []

    if __name__ == "__main__":
        sys.exit(main(reply, out_of_memory))

A refusal is a reply too; only a crash is not.
"""

import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from numpy.typing import NDArray

from ...devices.onboard.machine.confine import confine
from ...devices.onboard.machine.system import bound
from ...devices.onboard.refusals import answer_or_refusal
from ...errors import ModelError
from . import wire

Reply = tuple[dict[str, Any], list[NDArray[Any]]]
"""The head of a reply, and the arrays that follow it."""
Handler = Callable[[dict[str, Any], list[NDArray[Any]]], Reply]
"""Gives the reply to a request, which is a head and the arrays that follow it."""


def main(
    reply: Handler, out_of_memory: Callable[[int], ModelError], most_written: int | None = None
) -> int:
    """Reply until stdin ends.

    The arguments of the process are the parent's id and the bytes of memory it may have, as
    ``Child`` passes them. Replies go to what was stdout; what the runtime prints goes to stderr.

    Args:
        reply: called once for each request.
        out_of_memory: makes the refusal of a request that needs more than so many bytes.
        most_written: bytes that each file it writes may have; None: no limit.

    Returns:
        The exit status.
    """
    parent, memory_limit_bytes = int(sys.argv[1]), int(sys.argv[2])
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Where a system cannot bound it, the model runs without: the time-out still ends it.
    confine(parent, memory_limit_bytes or None)
    if most_written is not None:
        bound("FSIZE", most_written)
    serve(sys.stdin.buffer, replies, reply, lambda: out_of_memory(memory_limit_bytes))
    return 0


def serve(
    requests: BinaryIO,
    replies: BinaryIO,
    reply: Handler,
    out_of_memory: Callable[[], ModelError],
) -> None:
    """Reply to each request, in order."""
    while (request := wire.receive(requests)) is not None:
        arrays = [wire.array(requests, *announced) for announced in request["arrays"]]
        replied: list[NDArray[Any]] = []

        def work(
            request: dict[str, Any] = request,
            arrays: list[NDArray[Any]] = arrays,
            replied: list[NDArray[Any]] = replied,
        ) -> dict[str, Any]:
            head, own = reply(request, arrays)
            replied += own
            return head

        wire.send(replies, answer_or_refusal(work, out_of_memory), replied)
