"""Mark the inferences whose instructions something around this process counts.

    count(CountJob("model.onnx", "callgrind"))

Regions of one inference and of two take turns, so that the difference of a pair is one inference
and nothing else, and the marks themselves are not in it.
"""

import ctypes
import gc
import mmap
import operator
import platform
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ....errors import MeasureError
from ..machine import system
from ..runtimes import label, runtime_of
from ..runtimes.contract import Binding
from .answer import CountAnswer
from .feeds import batches_of
from .job import CountJob

BEGIN, END = 0x45440001, 0x45440002
"""What a system call says to the plugin in the emulator; count_instructions.c knows them too."""
# The first query allocates, the second may still resize an arena. After that the heap's free lists
# go on changing, by some 200 instructions a query in all, until after 60 to 160 queries they repeat
# every two. That is nothing beside a model whose queries take long under a counter. How long is
# measured on the processor's clock: a machine that does other work makes no query long.
_WARM_UP, _SETTLING, _LONG_S = 3, 256, 0.05

# valgrind.h, amd64: rax holds the address of (request, five arguments), rdx the answer outside
# valgrind and afterwards the answer; four rotations of rdi by 128 bits in all, which are nothing,
# and an exchange of rbx with itself make the request.
_REQUEST_AMD64 = bytes.fromhex(
    "4889f8"  # mov rax, rdi
    "4889f2"  # mov rdx, rsi
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61, 51
    "4887db"  # xchg rbx, rbx
    "4889d0"  # mov rax, rdx
    "c3"  # ret
)
_RUNNING_ON_VALGRIND = 0x1001
_CALLGRIND = 0x43540000  # 'C', 'T', as callgrind.h numbers its requests
_DUMP, _ZERO, _START = 0, 1, 4
_OTHERS = {"callgrind": 0, "qemu": 1}  # threads of the counter's own that are seen from inside
_GETPRIORITY = 141  # asm-generic/unistd.h, as aarch64 numbers it


@dataclass(frozen=True, slots=True)
class Marks:
    """How this process tells a counter where a region begins and ends.

    Attributes:
        begin: a call that does.
        end: a call that does.
        owner: what must live as long as they may be called.
    """

    begin: Callable[[], object]
    end: Callable[[], object]
    owner: object


def count(job: CountJob) -> CountAnswer:
    """Run the model in marked regions; what ran.

    Raises:
        ModelError, DataError, UsageError: the model, its inputs or a shape will not do.
        MeasureError: this process does not run under the counter, or has a second thread.
    """
    path = Path(job.model)
    runtime = runtime_of(path, job.session)
    model = runtime.load(path, job.session)
    feed = batches_of(job.feed, model.inputs)[0]
    answered = model.answer(feed)
    began = time.thread_time()
    model.answer(feed)
    short = time.thread_time() - began < _LONG_S
    threads = (system.threads() or 0) - _OTHERS[job.counter]
    if threads != 1:
        # Whose instructions are whose then depends on luck.
        raise MeasureError(
            f"{threads} threads of {label(runtime)}",
            expected="one, for a count is of one thread",
            where=job.model,
        )
    marks = _callgrind() if job.counter == "callgrind" else _qemu()
    warm_up = _SETTLING if short else _WARM_UP
    # Where outputs can stay, no array is made meanwhile.
    query = model.bind(feed, answered) if isinstance(model, Binding) else partial(model.query, feed)
    _run_marked(query, marks, warm_up, (1, 2) * job.pairs)
    return CountAnswer(
        runtime=label(runtime),
        machine=platform.machine(),
        python=platform.python_version(),
    )


def _run_marked(
    run: Callable[[], object], marks: Marks, warm_up: int, regions: Sequence[int]
) -> None:
    """Run the inference so many times in each marked region, after as many as `warm_up`.

    No line of Python runs meanwhile: the interpreter specializes bytecode anew every few calls,
    which takes some 400 instructions each time. The garbage collector is off, too.
    """
    steps = [run] * warm_up
    for times in regions:
        steps += [marks.begin, *[run] * times, marks.end]
    gc.collect()
    gc.disable()
    try:
        deque(map(operator.call, steps), maxlen=0)
    finally:
        gc.enable()


class _Request:
    """Valgrind's client request, as a function made of machine code in a page of its own."""

    def __init__(self) -> None:
        protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=protection)
        self._page.write(_REQUEST_AMD64)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        words = ctypes.POINTER(ctypes.c_uint64 * 6)
        self._ask = ctypes.CFUNCTYPE(ctypes.c_uint64, words, ctypes.c_uint64)(start)

    def __call__(self, code: int) -> Callable[[], int]:
        """A call that makes the request; its answer is 0 outside valgrind."""
        words = ctypes.pointer((ctypes.c_uint64 * 6)(code))
        return partial(self._ask, words, 0)


def _callgrind() -> Marks:
    if platform.machine() != "x86_64":
        raise MeasureError(platform.machine(), expected="x86_64", where="counting by callgrind")
    request = _Request()
    if not request(_RUNNING_ON_VALGRIND)():
        raise MeasureError("a process outside valgrind", where="counting by callgrind")
    request(_CALLGRIND + _START)()  # all is slow from here on; to start again each time is slower
    return Marks(request(_CALLGRIND + _ZERO), request(_CALLGRIND + _DUMP), request)


def _qemu() -> Marks:
    if platform.machine() != "aarch64":
        raise MeasureError(platform.machine(), expected="aarch64", where="counting under qemu")
    # There is no such process, so the call itself does nothing.
    mark = partial(system.libc().syscall, ctypes.c_long(_GETPRIORITY), ctypes.c_long(0))
    return Marks(partial(mark, ctypes.c_long(BEGIN)), partial(mark, ctypes.c_long(END)), mark)
