"""``edgestill.verify``: whether a run or a bundle is still what it was."""

from pathlib import Path

from ...devices.place.place import Place, place_of
from ...devices.profiles.profile import load
from ...errors import UsageError
from ..finished import verify_run
from ..finished.verified import Verified
from ..handover import verify as bundles
from ..handover.opened import is_bundle
from ..runs.locate import REPORT, run_folder
from .paths import OnDisk, path_of


def verify(path: OnDisk | Path | str, *, device: str | None = None) -> Verified:
    """Hash every file of a run or a bundle, and run its models on samples with recorded outputs.

    Models are run only where every hash holds.

    Args:
        path: of a run's folder, or of a bundle: a folder or a zip; or a run, or a name, whose last
            build is meant.
        device: of a bundle: where its models run, a profile's name or path; None: here.

    Raises:
        UsageError: a device for a run.
        MaterialError: it is neither a run nor a bundle, or cannot be read.
        ReachError: the device is not reached.

    Example:
        >>> import edgestill
        >>> found = edgestill.verify(path)
        >>> found.faults, found.exit_code
        ((), 0)
    """
    folder = path_of(path, "path")
    if folder.name == REPORT or not is_bundle(folder):
        folder = run_folder(folder)
    if is_bundle(folder):
        found = bundles.check(folder, _place(device))
        return Verified(
            folder,
            "bundle",
            found.name,
            found.files,
            found.models,
            found.faults,
            found.not_run,
            {},
            found.ready,
        )
    if device is not None:
        raise UsageError(
            "a run",
            expected="a bundle",
            where="--device",
            fix=f"write one: edgestill bundle {folder}",
        )
    checked = verify_run.check(folder)
    return Verified(
        folder,
        "run",
        checked.name,
        checked.files,
        checked.models,
        checked.faults,
        (),
        checked.wrong,
        checked.ready,
    )


def _place(device: str | None) -> Place | None:
    return None if device is None else place_of(load(device, where="--device"), where="--device")
