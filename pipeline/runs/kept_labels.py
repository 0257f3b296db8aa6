"""What would be right on test, kept in a run, so that a later run is compared sample by sample.

    keep(data_folder, run / "records")
    of(run)     # Kept(truth, groups, sha256), or None of a run that an older version wrote

``records/test.npz`` holds the labels, the group of each sample and the digest of the samples: two
runs whose digests and labels are equal were tested on the same samples.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import open_groups, open_split
from ..engine.store import file_sha256

FILE = "test.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Of the samples of test.

    Attributes:
        truth: their labels, as the task reads them.
        groups: of each sample, [n]; None where samples are independent.
        sha256: of samples, labels and groups.
    """

    truth: NDArray[Any]
    groups: NDArray[Any] | None
    sha256: str


def keep(data: Path, records: Path) -> None:
    """Write what a run keeps of test.

    Args:
        data: folder of the data stage.
        records: folder of the run.
    """
    truth, groups = np.asarray(open_split(data, "test").y), open_groups(data, "test")
    arrays: dict[str, Any] = {"y": truth, "x_sha256": file_sha256(data / "x_test.npy")}
    if groups is not None:
        arrays["groups"] = groups
    np.savez(records / FILE, allow_pickle=False, **arrays)


def of(run: Path) -> Kept | None:
    """What a run keeps of test; None where it keeps nothing that can be read."""
    try:
        # numpy leaves a file open that it opened and cannot read.
        with (run / "records" / FILE).open("rb") as file, np.load(file) as arrays:
            truth = arrays["y"]
            groups = arrays.get("groups")
            digest = hashlib.sha256(str(arrays["x_sha256"]).encode())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    for array in (truth, groups):
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return Kept(truth, groups, digest.hexdigest())


def outputs_of(run: Path, variant: str) -> NDArray[Any] | None:
    """What a variant answered on test, float32 [n, k]; None where that is not kept."""
    try:
        found: NDArray[Any] = np.load(
            run / "records" / "answers" / f"{variant}.npy", allow_pickle=False
        )
    except (OSError, ValueError, EOFError):
        return None
    return found
