"""``edgestill verify`` of a bundle: its files, and its models here or on a device."""

import sys
from pathlib import Path

from ...devices.place.place import Place, place_of
from ...devices.profiles.profile import load
from ...errors import HostError, MaterialError
from ..handover.verify import check
from ..judge.gate import EXIT_CODES
from .output import say
from .shared import Invocation, print_result


def verify_bundle(invocation: Invocation, path: Path, device: str | None) -> None:
    """Check a bundle, print what was found and set the exit code.

    Args:
        invocation: of the command.
        path: a folder or a zip.
        device: where its models run, by name or profile; None: here.
    """
    checked = check(path, _place(device))
    if checked.faults:
        invocation.code = MaterialError.exit_code
    elif checked.not_run:
        invocation.code = HostError.exit_code
    elif not checked.ready:
        invocation.code = EXIT_CODES["not ready"]
    document = {
        "bundle": str(path),
        "name": checked.name,
        "files": checked.files,
        "models": checked.models,
        "faults": list(checked.faults),
        "not_run": list(checked.not_run),
        "ready": checked.ready,
        "exit_code": invocation.code,
    }
    lines = list(checked.faults)
    if not lines:
        lines.append(f"{checked.files} files are those of the manifest")
        lines.append(f"{checked.models} models give their recorded outputs")
    lines += [f"not run: {text}" for text in checked.not_run]
    if not checked.ready:
        lines.append("for inspection only: not all of it is READY")
    print_result(invocation, document, *lines)
    if checked.faults:
        say(f"error: {path}: changed since it was written", file=sys.stderr)


def _place(device: str | None) -> Place | None:
    return None if device is None else place_of(load(device, where="--device"), where="--device")
