"""Mark the inferences whose instructions something around this process counts.

    count(CountJob("model.onnx", "callgrind"))

Regions of one inference and of several take turns, so that the difference of a pair is inferences
and nothing else: neither the marks themselves nor the entry into the loop. The call from Python
counts, as it counts in a latency.
"""

import ctypes
import gc
import mmap
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import MeasureError
from ..inputs import check_batch, load_batches
from ..job import CountJob
from ..runtimes import onnxruntime as runtime

BEGIN, END = 0x45440001, 0x45440002
"""What a system call says to the plugin in the emulator; count_instructions.c knows them too."""
_WARM_UP = 3  # the first query allocates, the second may still resize an arena
_SEVERAL, _FEW = 9, 2
"""Inferences in the longer regions: what the heap's state and the addresses do to the count of one
inference (some 300 instructions) falls by as many as there are more than one. Where an inference is
long, that is nothing, and two do."""
_LONG_S = 0.5  # of the processor's, for a neighbour must not change how much is counted

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
    """How this process tells a counter where a region begins and ends."""

    begin: Callable[[], object]
    end: Callable[[], object]


def count(job: CountJob) -> dict[str, Any]:
    """Run the model in two marked regions; what ran, as JSON-ready values.

    Raises:
        ModelError, DataError, UsageError: the model, its inputs or a shape will not do.
        MeasureError: this process does not run under the counter, or has a second thread.
    """
    path = Path(job.model)
    session = runtime.open_session(path, threads=job.threads, optimization=job.optimization)
    schema = runtime.inputs_of(session)
    if job.inputs is None:
        feed = runtime.make_inputs(schema, job.batch, job.shapes, job.seed)
    else:
        feed = load_batches(Path(job.inputs), job.batch)[0]
        check_batch(feed, schema, [runtime.dtype_of(one) for one in schema], job.inputs)
    runtime.run_once(session, feed, path)
    began = time.process_time()
    answered = runtime.run_once(session, feed, path)
    longer = _SEVERAL if time.process_time() - began < _LONG_S else _FEW
    threads = sum(1 for _ in Path("/proc/self/task").iterdir()) - _OTHERS[job.counter]
    if threads != 1:
        # Whose instructions are whose then depends on luck.
        raise MeasureError(f"{threads} threads", expected="one", where=job.model)
    marks = _callgrind() if job.counter == "callgrind" else _qemu()
    _run_marked(runtime.bind(session, feed, answered), marks, (1, longer) * job.pairs)
    return {
        "longer": longer,
        "runtime": f"onnxruntime {runtime.version()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def _run_marked(run: Callable[[], object], marks: Marks, regions: Sequence[int]) -> None:
    """Run the inference so many times in each marked region.

    The garbage collector is off meanwhile: when it comes is not the model's doing.
    """
    for _ in range(_WARM_UP):
        run()
    gc.collect()
    gc.disable()
    try:
        for times in regions:
            marks.begin()
            for _ in range(times):
                run()
            marks.end()
    finally:
        gc.enable()


class _Request:
    """Valgrind's client request, as a function made of machine code in a page of its own."""

    def __init__(self) -> None:
        protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=protection)
        self._page.write(_REQUEST_AMD64)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._ask = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(start)

    def __call__(self, code: int) -> int:
        """The answer; 0 outside valgrind."""
        words = (ctypes.c_uint64 * 6)(code)
        return int(self._ask(ctypes.addressof(words), 0))


def _callgrind() -> Marks:
    if platform.machine() != "x86_64":
        raise MeasureError(platform.machine(), expected="x86_64", where="counting by callgrind")
    request = _Request()
    if not request(_RUNNING_ON_VALGRIND):
        raise MeasureError("a process outside valgrind", where="counting by callgrind")

    request(_CALLGRIND + _START)  # from here on all is slow, and stays so: starting again is slower
    return Marks(lambda: request(_CALLGRIND + _ZERO), lambda: request(_CALLGRIND + _DUMP))


def _qemu() -> Marks:
    if platform.machine() != "aarch64":
        raise MeasureError(platform.machine(), expected="aarch64", where="counting under qemu")
    syscall: Any = ctypes.CDLL(None).syscall
    number, which = ctypes.c_long(_GETPRIORITY), ctypes.c_long(0)

    def mark(code: int) -> Callable[[], object]:
        # There is no such process, so the call itself does nothing.
        return lambda: syscall(number, which, ctypes.c_long(code))

    return Marks(mark(BEGIN), mark(END))
