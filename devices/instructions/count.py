"""Count a model's instructions for a device: with qemu for an ARM core, else with callgrind.

>>> count(Path("model.onnx"), load("raspberry-pi-5")).core      # doctest: +SKIP
'cortex-a76'
"""

from pathlib import Path

from ...errors import EdgestillError
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


def count(
    path: Path,
    target: Profile,
    *,
    feed: Feed = DEFAULT_FEED,
) -> Instructions:
    """Count the instructions of one inference on one thread.

    Raises:
        EdgestillError: what ``missing`` returns, or as ``callgrind.count``.
    """
    if _is_emulated(target):
        return emulated_core.count(path, target, feed=feed)
    return callgrind.count(path, feed=feed)


def _is_emulated(target: Profile) -> bool:
    return target.arch == "aarch64" and target.name != HOST
