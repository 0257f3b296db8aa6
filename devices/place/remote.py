"""A device at the far end of a shell: the worker, the model and its inputs go there, figures back.

    >>> place = Remote(Ssh(reach), reach)                       # doctest: +SKIP
    >>> place.run(MeasureJob("m.onnx", "s.npy"), timeout_s=60)  # doctest: +SKIP

Everything sent lies there in folders named after their content, and a file gets its name only once
it is whole: what is there is not sent again, and a copy that was cut short goes on where it ended.
The device needs Python, numpy and the runtime of the model, and nothing else of ours; no converter.
"""

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ...errors import ModelError, ReachError, no_read
from ..onboard.machine.child import last_line
from ..onboard.machine.disturbance import Disturbance
from ..onboard.machine.host import Host
from ..onboard.measure.answer import Answer
from ..onboard.measure.answer_json import answer_type
from ..onboard.measure.answer_json import from_json as answer_from_json
from ..onboard.measure.job import RESULTS, JobFor, to_json
from ..onboard.refusals import from_json
from ..onboard.runtimes import RUNTIMES, row_of
from ..onboard.settings import Feed
from ..profiles.connection import Reach
from .exchange import exchange

A = TypeVar("A", bound=Answer)
_PACKAGE = Path(__file__).parents[2]
_OLDEST = (3, 11)
_CONTACT_S = 60.0  # to connect, start Python and say a few words; the slowest board takes seconds
_SLOWEST_LINK = 50_000  # bytes a second
# The program comes over stdin, so that no shell on the way has to carry it.
_START = "import sys; i = sys.stdin.buffer; exec(i.read(int(i.readline())).decode())"


class Shell(Protocol):
    """What runs a command on a device.

    Attributes:
        name: for messages.
        folder: where files go there, if the profile names none.
    """

    name: str
    folder: str

    def words(self, command: Sequence[str]) -> list[str]:
        """The argument list that runs a command there."""

    def failure(self, status: int, stderr: str) -> ReachError | None:
        """What went wrong with the connection itself, None where the command ended by itself."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files that lie together there.

    Attributes:
        name: of their folder, after their content.
        files: SHA-256 of each, by its path there.
        sources: the file here, by the same.
    """

    name: str
    files: Mapping[str, str]
    sources: Mapping[str, Path]


def bundle(files: Mapping[str, Path]) -> Bundle:
    """Bundle files under names relative to their folder.

    Raises:
        ModelError: a file that cannot be read.
    """
    digests = {name: _digest(path) for name, path in sorted(files.items())}
    folder = hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:32]
    return Bundle(
        folder,
        {f"{folder}/{name}": digest for name, digest in digests.items()},
        {f"{folder}/{name}": path for name, path in files.items()},
    )


@cache
def worker_bundle() -> Bundle:
    """The part of this package that runs on a device; neither torch nor the pipeline is in it."""
    files = [_PACKAGE / name for name in ("__init__.py", "errors.py", "devices/__init__.py")]
    files += (_PACKAGE / "devices" / "onboard").rglob("*.py")
    return bundle({f"edgestill/{file.relative_to(_PACKAGE).as_posix()}": file for file in files})


class Remote:
    """A device behind a shell.

    Attributes:
        name: for messages.

    Args:
        shell: runs commands there.
        reach: the device's table.
        arch: what `uname -m` must say there; None: anything.
    """

    def __init__(self, shell: Shell, reach: Reach, *, arch: str | None = None) -> None:
        self._shell = shell
        self._python = reach.python
        self._arch = arch
        self._folder = reach.folder or shell.folder
        self._there: set[str] = set()
        self._lacking: Mapping[str, str] = {}  # Python's version by package that it lacks
        self._bundles: dict[tuple[Path, int, int], Bundle] = {}
        self._disturbance = Disturbance(0.0, 0.0, 0.0, 0.0, 0.0, 0)
        self.name = shell.name

    def run(
        self,
        job: JobFor[A],
        *,
        timeout_s: float,
        memory_limit_bytes: int | None = None,
        cores: Sequence[int] = (),
    ) -> A:
        """Run a job in a fresh process there; see `Place.run`."""
        sent, paths = self._sent(job)
        request = {
            "ask": "run",
            "job": to_json(sent),
            "timeout_s": timeout_s,
            "memory_limit_bytes": memory_limit_bytes,
            "cores": list(cores),
        }
        answer = self._ask(request, timeout_s + _CONTACT_S, paths)
        results = next((getattr(job, key) for key in RESULTS if hasattr(job, key)), None)
        try:
            if results is not None and answer["results"] is not None:
                _write(Path(results), base64.b64decode(answer["results"], validate=True))
            before, after = (Disturbance(**counters) for counters in answer["disturbance"])
            worker_answer: dict[str, Any] = answer["answer"]
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise ReachError(
                f"an answer of another form ({error!r:.200})", where=self.name
            ) from None
        self._disturbance = _and(self._disturbance, before, after)
        return answer_from_json(answer_type(job), worker_answer)

    def describe(self) -> Host:
        """The machine there; see `Place.describe`."""
        self._bring([worker_bundle()], ("numpy",))
        machine = self._ask({"ask": "host"}, _CONTACT_S, {})["host"]
        if self._arch not in (None, machine["arch"]):
            raise ReachError(
                f"a machine of architecture {machine['arch']}",
                expected=f"{self._arch}, as the profile says",
                where=self.name,
                fix="see that reach.host names the device that the profile describes",
            )
        return Host(**{**machine, "features": tuple(machine["features"])})

    def snapshot(self) -> Disturbance:
        """Counters over the runs so far; what the device did between them does not count."""
        return self._disturbance

    def _sent(self, job: JobFor[A]) -> tuple[JobFor[A], dict[str, str]]:
        """The job with the far side's paths, its files brought there; paths here by those there."""
        model, feed = getattr(job, "model", None), getattr(job, "feed", None)
        inputs = feed.inputs if isinstance(feed, Feed) else None
        row = row_of(Path(model or ""), job.session)
        bundles = {}
        if model is not None:
            bundles[model] = self._bundle(Path(model), row.files_beside)
        if inputs is not None:
            bundles[inputs] = self._bundle(Path(inputs), lambda _: ())
        # First this, because it finds out where a relative folder lies.
        needed = ("numpy", row.package)
        self._bring([worker_bundle(), *bundles.values()], needed)
        self._require(needed)
        there = {
            here: f"{self._folder}/{bundle.name}/{Path(here).name}"
            for here, bundle in bundles.items()
        }
        changes: dict[str, Any] = {}
        if model is not None:
            changes["model"] = there[model]
        if isinstance(feed, Feed) and inputs is not None:
            changes["feed"] = replace(feed, inputs=there[inputs])
        return replace(job, **changes), {far: here for here, far in there.items()}

    def _bundle(self, path: Path, beside: Callable[[Path], tuple[Path, ...]]) -> Bundle:
        try:
            status = path.stat()
        except OSError as error:
            raise no_read(path, error, ModelError) from None
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._bundles:
            files = {path.name: path}
            for file in beside(path):
                files[file.relative_to(path.parent).as_posix()] = file
            self._bundles[key] = bundle(files)
        return self._bundles[key]

    def _bring(self, bundles: Sequence[Bundle], needed: Sequence[str]) -> None:
        """See that bundles are there, whole, and the packages that they need; send what is not."""
        missing = [bundle for bundle in bundles if bundle.name not in self._there]
        if not missing:
            return
        files = {name: digest for bundle in missing for name, digest in bundle.files.items()}
        sources = {name: path for bundle in missing for name, path in bundle.sources.items()}
        size = sum(path.stat().st_size for path in sources.values())
        time = _CONTACT_S + size / _SLOWEST_LINK
        runtimes = [row.package for row in RUNTIMES.values()]
        request = {"ask": "look", "files": files, "packages": ["numpy", *runtimes]}
        device = self._contact(request, (), time)
        self._check(device, needed)
        absent = [name for name in device["absent"] if name in sources]
        if absent:
            pieces = _pieces({name: (sources[name], files[name]) for name in absent})
            got = self._contact({"ask": "receive"}, pieces, time)["received"]
            if sorted(got) != sorted(absent):
                raise ReachError(
                    f"{len(got)} of {len(absent)} files whole after the copy",
                    where=self.name,
                    fix="run it again: it goes on from there",
                )
        self._folder = device["folder"]
        self._there |= {bundle.name for bundle in missing}

    def _check(self, device: Mapping[str, Any], needed: Sequence[str]) -> None:
        version = ".".join(map(str, device["python"]))
        if tuple(device["python"]) < _OLDEST:
            raise ReachError(
                f"Python {version}",
                expected=f"{'.'.join(map(str, _OLDEST))} or newer",
                where=f"{self.name}: {self._python}",
                fix="install a newer one there and name it with reach.python",
            )
        self._lacking = dict.fromkeys(device["lacking"], version)
        self._require(needed)

    def _require(self, packages: Sequence[str]) -> None:
        """Refuse a job whose packages are not there; pip installs them, no converter."""
        lacking = [package for package in packages if package in self._lacking]
        if lacking:
            names = [package.replace("_", "-") for package in lacking]
            raise ReachError(
                f"no {' and no '.join(names)} for Python {self._lacking[lacking[0]]}",
                expected=" and ".join(package.replace("_", "-") for package in packages),
                where=f"{self.name}: {self._python}",
                fix=f"on the device: {self._python} -m pip install {' '.join(names)}",
            )

    def _contact(
        self, request: Mapping[str, Any], pieces: Iterable[bytes], timeout_s: float
    ) -> dict[str, Any]:
        program = Path(__file__).with_name("bootstrap.py").read_text(encoding="utf-8")
        located = {**request, "folder": self._folder}
        answer = self._speak(program, located, pieces, timeout_s)
        if "refused" in answer:
            raise ReachError(
                f"a folder that cannot be used ({answer['refused']})",
                where=f"{self.name}: {self._folder}",
                fix="name another with reach.folder",
            )
        return answer

    def _ask(
        self, request: Mapping[str, Any], timeout_s: float, paths: Mapping[str, str]
    ) -> dict[str, Any]:
        package = f"{self._folder}/{worker_bundle().name}"
        program = (
            f"sys.path[:] = [{package!r}, *(path for path in sys.path if path)]\n"
            "from edgestill.devices.onboard.process.agent import main\nmain()\n"
        )
        answer = self._speak(program, request, (), timeout_s)
        if "error" in answer:
            # A message names the file here instead of its copy there.
            renamed = {key: _renamed(value, paths) for key, value in answer["error"].items()}
            raise from_json(renamed)
        return answer

    def _speak(
        self, program: str, request: Mapping[str, Any], pieces: Iterable[bytes], timeout_s: float
    ) -> dict[str, Any]:
        """Run a program there and return the document it answers with."""
        marker = secrets.token_hex(16)
        text = program.encode()
        line = json.dumps({**request, "marker": marker}).encode()
        head = b"%d\n%s%s\n" % (len(text), text, line)
        words = self._shell.words([self._python, "-c", _START])
        ended = exchange(words, _chain(head, pieces), timeout_s=timeout_s, where=self.name)
        _, _, answer = ended.out.rpartition(b"\n" + marker.encode())
        if answer.endswith(b"\n"):
            document: dict[str, Any] = json.loads(answer)
            return document
        raise self._silent(ended.status, ended.stderr)

    def _silent(self, status: int, stderr: str) -> ReachError:
        if failure := self._shell.failure(status, stderr):
            return failure
        if status in (126, 127):  # sh(1): cannot be run, not found
            return ReachError(
                f"no {self._python}{last_line(stderr)}",
                where=self.name,
                fix="install Python 3.11 or newer there, or name it with reach.python",
            )
        return ReachError(
            f"no answer, and exit status {status}{last_line(stderr)}",
            where=f"{self.name}: {self._python}",
        )


def _renamed(value: str | None, paths: Mapping[str, str]) -> str | None:
    for there, here in paths.items():
        value = value.replace(there, here) if value else value
    return value


def _pieces(files: Mapping[str, tuple[Path, str]]) -> Iterator[bytes]:
    for name, (path, digest) in files.items():
        size = path.stat().st_size
        header = {"name": name, "bytes": size, "sha256": digest}
        yield json.dumps(header).encode() + b"\n"
        with path.open("rb") as file:
            while chunk := file.read(1 << 18):
                yield chunk
    yield b"null\n"


def _chain(head: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield head
    yield from pieces


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise no_read(path, error, ModelError) from None


def _and(so_far: Disturbance, before: Disturbance, after: Disturbance) -> Disturbance:
    """Counters so far and what one more run added."""
    added: dict[str, Any] = {}
    for field in fields(Disturbance):
        old, b, a = (getattr(reading, field.name) for reading in (so_far, before, after))
        added[field.name] = None if None in (old, b, a) else old + (a - b)
    return Disturbance(**added)
