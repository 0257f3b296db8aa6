"""What one thread attains of this machine: the two ceilings of a roofline, measured.

    measure(AttainJob("int8.onnx", array_bytes=128 * 1024**2)).fp32_flop_s.p90

A peak that is attained is below the one on paper and above what most models reach. Each is repeated
for a while in steps of about a millisecond, shorter than what a scheduler gives: beside other
programs most steps are then undisturbed, where one of 30 ms would share its core (measured at three
programs a core: 92 GFLOP/s in steps of 1 ms, 19 in steps of 30 ms). What nine tenths of the steps
stay below tells the machine, the median how much it was disturbed.
"""

import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from ..model.made_inputs import dtype_of
from ..runtimes import label, load, runtime_of
from .answer import PeaksAnswer, Rate
from .job import AttainJob

_FEWEST = 10
_FLOAT64 = 8
_PIECE_BYTES = 4 * 1024**2


def measure(job: AttainJob) -> PeaksAnswer:
    """Run the three, one after another, in this process.

    Raises:
        ModelError: the int8 model does not load or run.
    """
    return PeaksAnswer(
        bytes_s=copy(job.array_bytes, job.seconds),
        fp32_flop_s=sgemm(job.side, job.seconds),
        int8_op_s=int8_gemm(Path(job.model), job.side, job.seconds),
        numpy=np.__version__,
        blas=_blas(),
        runtime=label(runtime_of(Path(job.model), job.session)),
    )


def copy(array_bytes: int, seconds: float) -> Rate:
    """Bytes a second of one array of float64 copied to another, read and written both counted.

    The Copy of STREAM (McCalpin, "Memory bandwidth and machine balance in current high performance
    computers", 1995): what a cache reads before it writes is not counted. It goes through both
    arrays piece by piece, so that no cache holds a piece when its turn comes again.
    """
    source = np.ones(array_bytes // _FLOAT64)
    target = np.zeros_like(source)
    size = min(_PIECE_BYTES, array_bytes) // _FLOAT64
    starts = range(0, len(source) - size + 1, size)
    pieces = cycle([(target[i : i + size], source[i : i + size]) for i in starts])
    return _rate(lambda: np.copyto(*next(pieces)), 2 * size * _FLOAT64, seconds)


def sgemm(side: int, seconds: float) -> Rate:
    """Operations a second of numpy's fp32 matrix product, a multiply-add counted as two."""
    random = np.random.default_rng(0)
    left, right = (random.random((side, side), dtype=np.float32) for _ in range(2))
    product = np.empty_like(left)
    return _rate(lambda: np.matmul(left, right, out=product), 2 * side**3, seconds)


def int8_gemm(model: Path, side: int, seconds: float) -> Rate:
    """Operations a second of the runtime's int8 matrix product, a multiply-add counted as two.

    Args:
        model: takes one square matrix, u8 or s8, and multiplies it by a stored one.
        side: rows and columns of both.
        seconds: how long.
    """
    loaded = load(model)
    (port,) = loaded.inputs
    matrix = np.random.default_rng(0).integers(0, 127, (side, side), dtype_of(port))
    feed = {port.name: matrix}
    loaded.answer(feed)
    return _rate(lambda: loaded.query(feed), 2 * side**3, seconds)


def _blas() -> str:
    """The library behind numpy's matrix product, as far as its build tells."""
    parts: Any = np.show_config(mode="dicts")
    told = parts.get("Build Dependencies", {}).get("blas", {})
    return " ".join(str(told[key]) for key in ("name", "version") if key in told) or "unnamed BLAS"


def _rate(
    work: Callable[[], object],
    units: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Rate:
    """Units a second over as many repeats as fit; the first warms up and is not counted."""
    work()
    rates: list[float] = []
    end = clock() + seconds
    while len(rates) < _FEWEST or clock() < end:
        start = clock()
        work()
        rates.append(units / (clock() - start))
    middle, ninth = np.percentile(rates, (50, 90))
    return Rate(median=float(middle), p90=float(ninth), best=max(rates), repeats=len(rates))
