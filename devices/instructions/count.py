"""Count a model's instructions for a device: with qemu for an ARM core, else with callgrind.

>>> count(Path("model.onnx"), load("raspberry-pi-5")).core      # doctest: +SKIP
'cortex-a76'
"""

from pathlib import Path

from ...errors import EdgestillError, UsageError
from ..onboard.runtimes import RUNTIMES, row_of
from ..onboard.settings import DEFAULT_FEED, Feed
from ..profiles.profile import HOST, Profile
from . import callgrind, emulated_core, emulator
from .callgrind import Instructions


def missing(target: Profile) -> EdgestillError | None:
    """Why instructions cannot be counted for a device on this machine; None if they can."""
    if not _is_emulated(target):
        return callgrind.missing()
    try:
        emulated_core.core_of(target)
        emulator.find()
    except EdgestillError as error:
        return error
    return None


def uncountable(path: Path, target: Profile) -> EdgestillError | None:
    """Why the instructions of just this file cannot be counted for a device; None if they can."""
    row = row_of(path)
    (name,) = (name for name, one in RUNTIMES.items() if one is row)
    if not row.alone:
        return UsageError(
            f"{name}, which computes in threads of its own",
            expected="a runtime of one thread, for a count is of one thread",
            where=str(path),
            fix="count the .onnx file that it was made of",
        )
    if _is_emulated(target) and name not in emulator.EMULATED:
        return UsageError(
            f"{name} on {target.name}, whose core is emulated",
            expected="an .onnx, .ort or .tflite file, whose runtimes the emulator has",
            where=str(path),
            fix="count the .onnx file that it was made of, or measure on the device",
        )
    return None


def count(
    path: Path,
    target: Profile,
    *,
    feed: Feed = DEFAULT_FEED,
) -> Instructions:
    """Count the instructions of one inference on one thread.

    Raises:
        EdgestillError: what ``missing`` or ``uncountable`` returns, or as ``callgrind.count``.
    """
    if (refusal := uncountable(path, target)) is not None:
        raise refusal
    if _is_emulated(target):
        return emulated_core.count(path, target, feed=feed)
    return callgrind.count(path, feed=feed)


def _is_emulated(target: Profile) -> bool:
    return target.arch == "aarch64" and target.name != HOST
