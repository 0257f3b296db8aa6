"""First contact with a device: what is there, and the files that are not.

This text itself is sent, and run by whatever Python the device has: standard library only, no
relative import, and nothing newer than Python 3.6, so that an older one can still say what it is.
After the text, stdin holds one line of JSON; to receive, then for each file one line of JSON
(name, bytes, sha256) and its bytes. The answer is one line of JSON behind the marker it was given,
because a login script may print as well.
"""

import hashlib
import importlib.util
import json
import os
import py_compile
import sys
from typing import IO, Any, Dict, List  # noqa: UP035  # see above

_CHUNK = 1 << 20


def look(folder: str, files: Dict[str, str], packages: List[str]) -> Dict[str, Any]:  # noqa: UP006
    """What is here, which of the files (name to SHA-256) are not, and which packages lack."""
    absent = [name for name, digest in files.items() if _digest(folder, name) != digest]
    return {
        "python": list(sys.version_info[:3]),
        "lacking": [name for name in packages if not importlib.util.find_spec(name)],
        "folder": folder,
        "absent": sorted(absent),
    }


def receive(folder: str, stream: IO[bytes]) -> Dict[str, Any]:  # noqa: UP006
    """Take files; each gets its name once it is whole, so what was cut short goes on from there."""
    received = []
    for line in iter(stream.readline, b""):
        header = json.loads(line.decode())
        if header is None:
            break
        target = os.path.join(folder, header["name"])  # noqa: PTH118
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        part = "%s.%d.part" % (target, os.getpid())  # noqa: UP031
        if _take(stream, part, header["bytes"]) == header["sha256"]:
            os.replace(part, target)  # noqa: PTH105
            received.append(header["name"])
            if target.endswith(".py"):  # or each measured process would compile it anew
                py_compile.compile(target)
        else:
            os.remove(part)  # noqa: PTH107
    return {"received": received}


def _take(stream: IO[bytes], path: str, size: int) -> str:
    digest = hashlib.sha256()
    with open(path, "wb") as file:  # noqa: PTH123
        while size:
            chunk = stream.read(min(size, _CHUNK))
            if not chunk:
                break
            file.write(chunk)
            digest.update(chunk)
            size -= len(chunk)
    return digest.hexdigest()


def _digest(folder: str, name: str) -> str:
    digest = hashlib.sha256()
    try:
        with open(os.path.join(folder, name), "rb") as file:  # noqa: PTH118, PTH123
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def main() -> None:
    """Read the request behind this text, do it, answer."""
    # The current folder is no place to import from; it may hold a numpy.py.
    sys.path[:] = [path for path in sys.path if path]
    stream = sys.stdin.buffer
    request = json.loads(stream.readline().decode())
    folder = os.path.abspath(request["folder"])  # noqa: PTH100
    try:
        if request["ask"] == "look":
            answer = look(folder, request["files"], request["packages"])
        else:
            answer = receive(folder, stream)
    except OSError as error:
        answer = {"refused": "%s: %s" % (error.filename or folder, error.strerror)}  # noqa: UP031
    sys.stdout.write("\n" + request["marker"] + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
