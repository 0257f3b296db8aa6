"""This machine as a profile: what the kernel reports and what one thread attains, measured.

>>> measured = probe()                                           # doctest: +SKIP
>>> Path("here.toml").write_text(to_toml(measured))              # doctest: +SKIP

The file is a profile: its path is accepted wherever a device's name is. Peaks are those that numpy
and the runtime attain here, not those of a data sheet.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ...errors import HostError
from ..onboard.machine import host
from ..onboard.measure.answer import Rate
from ..onboard.measure.job import AttainJob
from ..onboard.process.run_job import run
from ..profiles.profile import ARCHITECTURES, FIGURES, HOST, Figure, Profile, load

_TIMEOUT_S = 120.0
_LEAST_BYTES = 64 * 1024**2


def probe(*, seconds: float = 1.0) -> Profile:
    """Measure this machine; takes about four times ``seconds``.

    Args:
        seconds: how long each of memory, fp32 and int8 is repeated.

    Returns:
        The host's profile with ``bandwidth_gb_s``, ``fp32_gflop_s`` and ``int8_gop_s`` as attained
        by one thread. The value is the 90th percentile of the repeats, ``low`` their median, which
        other programs disturb, and ``high`` the best of them.

    Raises:
        HostError: a processor that a profile cannot name.
        MeasureError: the measuring process died or ran out of time.
    """
    kernel_profile = load(HOST)
    if kernel_profile.arch not in ARCHITECTURES:
        expected = " or ".join(ARCHITECTURES)
        raise HostError(repr(kernel_profile.arch), expected=expected, where="this processor")
    array_bytes = _array_bytes(host.caches(), host.describe().memory_bytes)
    with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
        model = Path(folder) / "int8.onnx"
        signed = kernel_profile.arch == "aarch64"
        job = AttainJob(str(model), array_bytes, seconds=seconds)
        model.write_bytes(int8_matmul(job.side, signed=signed))
        answer = run(job, timeout_s=_TIMEOUT_S + 10 * seconds)
    day = datetime.now(UTC).date().isoformat()
    types = "s8s8" if signed else "u8s8"
    hows = {
        "bandwidth_gb_s": (
            answer.bytes_s,
            f"copying {array_bytes >> 20} MiB, numpy {answer.numpy}",
        ),
        "fp32_gflop_s": (answer.fp32_flop_s, f"sgemm of {job.side} rows, {answer.blas}"),
        "int8_gop_s": (answer.int8_op_s, f"{types} gemm of {job.side} rows, {answer.runtime}"),
    }
    measured = {key: _attained(rate, how, day) for key, (rate, how) in hows.items()}
    return replace(kernel_profile, figures={**kernel_profile.figures, **measured})


def int8_matmul(side: int, *, signed: bool) -> bytes:
    """An ONNX model that multiplies a square matrix by a stored one in int8.

    Args:
        side: rows and columns of both.
        signed: whether the input matrix is s8, as ARM's kernels take it, or u8, as x86's do. The
            stored matrix is s8.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    stored = np.random.default_rng(1).integers(-64, 64, (side, side), np.int8)
    given_type = TensorProto.INT8 if signed else TensorProto.UINT8
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["given", "stored"], ["product"])],
        "int8",
        [helper.make_tensor_value_info("given", given_type, [side, side])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [side, side])],
        [numpy_helper.from_array(stored, "stored")],
    )
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def to_toml(profile: Profile) -> str:
    """The profile as the text of a file that ``profile.load`` reads."""
    lines = [f"title = {_text(profile.title)}", f"arch = {_text(profile.arch)}"]
    lines.append(f"features = [{', '.join(map(_text, profile.features))}]")
    lines.append(f"source = {_text(profile.source)}")
    for key in FIGURES:
        if (figure := profile.figures.get(key)) is not None:
            lines += ["", f"[{key}]", *_table(figure)]
    return "\n".join(lines) + "\n"


def _array_bytes(caches: Mapping[int, int], memory_bytes: int | None) -> int:
    """Four times the last-level cache, as STREAM requires; at most a sixteenth of main memory."""
    wanted = max(4 * caches.get(max(caches, default=0), 0), _LEAST_BYTES)
    return wanted if memory_bytes is None else min(wanted, memory_bytes // 16)


def _attained(rate: Rate, how: str, day: str) -> Figure:
    low, value, high = (_rounded(units / 1e9) for units in (rate.median, rate.p90, rate.best))
    source = (
        f"attained by {how}: measured here, {day}, one thread, 90th percentile of "
        f"{rate.repeats} repeats; low: their median; high: the best"
    )
    return Figure(value, source, low=low, high=high)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _table(figure: Figure) -> list[str]:
    numbers = {"value": figure.value, "low": figure.low, "high": figure.high}
    lines = [f"{name} = {value!r}" for name, value in numbers.items() if value is not None]
    return [*lines, f"source = {_text(figure.source)}"]


def _text(text: str) -> str:
    """A TOML basic string: a JSON string with DEL escaped, which JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
