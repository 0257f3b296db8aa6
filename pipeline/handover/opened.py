"""A bundle opened: its folder as it is, or its zip unpacked, by what its headers say, if that fits.

>>> with opened(Path("digits-bundle.zip")) as bundle:                  # doctest: +SKIP
...     bundle.manifest.name
'digits'
"""

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...devices.onboard.model.inflation import LEAST_BYTES, MOST, size_text
from ...errors import MaterialError, StorageError, no_file
from ..engine.store import disk_errors, file_sha256
from ..printable import printable
from .manifest import MANIFEST, Manifest, is_inside, parse

MOST_FILES = 10_000
"""A bundle has some dozens."""
_MANIFEST_BYTES = 16 << 20
_AGAIN = "get it again from whoever wrote it, or write it again: edgestill bundle RUN"


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that can be read.

    Attributes:
        folder: with its files.
        manifest: of it.
    """

    folder: Path
    manifest: Manifest


def is_bundle(path: Path) -> bool:
    """Whether a path is a bundle, and no run: a file, or a folder with a bundle's manifest."""
    return path.is_file() or (path / MANIFEST).exists()


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A bundle, unpacked to a temporary folder where it is a zip.

    Raises:
        MaterialError: this is no bundle, or a zip that nobody should unpack.
        StorageError: no room to unpack it.
    """
    if path.is_dir():
        yield Opened(path, _manifest(path, str(path)))
        return
    with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
        unpacked = Path(folder)
        with disk_errors(unpacked):
            _unpack(path, unpacked)
        yield _within(unpacked, str(path))


def differences(bundle: Opened) -> list[str]:
    """What differs between a bundle's manifest and its files.

    Raises:
        MaterialError: there is a link, or anything else that is no file.
    """
    found = {}
    for path in sorted(bundle.folder.rglob("*")):
        name = path.relative_to(bundle.folder).as_posix()
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise MaterialError("no plain file", expected="one", where=_shown(name), fix=_AGAIN)
        if stat.S_ISREG(mode) and name != MANIFEST:
            found[name] = path
    expected = bundle.manifest.files
    faults = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    faults += [
        f"{_shown(name)} is not in the manifest" for name in sorted(found.keys() - expected.keys())
    ]
    return faults + [
        f"{name} changed"
        for name, path in found.items()
        if name in expected
        # The size first: nothing that is too long is read.
        and (
            path.stat().st_size != expected[name].bytes
            or file_sha256(path) != expected[name].sha256
        )
    ]


def _within(folder: Path, where: str) -> Opened:
    """The bundle in an unpacked zip, which may hold one folder and that the bundle."""
    inside = list(folder.iterdir())
    if not (folder / MANIFEST).exists() and len(inside) == 1 and inside[0].is_dir():
        return Opened(inside[0], _manifest(inside[0], where))
    return Opened(folder, _manifest(folder, where))


def _manifest(folder: Path, where: str) -> Manifest:
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise MaterialError(
            f"no {MANIFEST} there", where=where, fix="name a folder or a zip of edgestill bundle"
        )
    if path.stat().st_size > _MANIFEST_BYTES:
        raise MaterialError(
            size_text(path.stat().st_size),
            expected=f"at most {size_text(_MANIFEST_BYTES)}",
            where=f"{where}/{MANIFEST}",
        )
    return parse(path.read_bytes(), where)


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check(entries, path, folder)
            for entry in entries:
                if entry.is_dir():
                    continue
                target = folder / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("xb") as stored:
                    shutil.copyfileobj(source, stored)
    except FileNotFoundError:
        raise no_file(path, MaterialError, what="file or folder") from None
    except (FileExistsError, NotADirectoryError):
        raise _refused(path, "two entries at one place") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise MaterialError(
            f"no zip that can be read ({printable(str(error))})", where=str(path), fix=_AGAIN
        ) from None


def _check(entries: Sequence[zipfile.ZipInfo], path: Path, folder: Path) -> None:
    """Refuse a zip before anything of it is unpacked.

    Raises:
        MaterialError: a name that leads out of the folder, a link, a password, two entries of one
            name, too many entries, or a zip that grows as a decompression bomb does.
        StorageError: no room for it.
    """
    if len(entries) > MOST_FILES:
        raise _refused(path, f"{len(entries):,} entries")
    names = set()
    for entry in entries:
        name = entry.filename.removesuffix("/") if entry.is_dir() else entry.filename
        # Names in the file's own form, too: zipfile cuts them at a zero byte.
        if not is_inside(name) or entry.orig_filename != entry.filename:
            raise _refused(path, f"the name '{_shown(entry.orig_filename)}'")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refused(path, f"'{_shown(name)}', which is a link or no file")
        if entry.flag_bits & 1:
            raise _refused(path, f"'{_shown(name)}', which has a password")
        if name in names:
            raise _refused(path, f"'{_shown(name)}' twice")
        names.add(name)
    packed, unpacked = path.stat().st_size, sum(entry.file_size for entry in entries)
    if unpacked > LEAST_BYTES and unpacked > MOST * packed:
        raise _refused(path, f"{size_text(unpacked)} once unpacked, {unpacked // packed:,} times")
    free = shutil.disk_usage(folder).free
    if unpacked > free:
        raise StorageError(
            f"{size_text(unpacked)} once unpacked, and {size_text(free)} free in {folder}",
            where=str(path),
            fix="free some space, or set TMPDIR to a folder on another disk",
        )


def _refused(path: Path, what: str) -> MaterialError:
    return MaterialError(
        f"{what}, in a zip that is not unpacked",
        expected="files below one folder, as edgestill bundle writes them",
        where=str(path),
        fix=_AGAIN,
    )


def _shown(name: str) -> str:
    return printable(name)[:200]
