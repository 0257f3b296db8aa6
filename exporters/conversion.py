"""Convert models in a toolchain's interpreter: a request in, files and an answer out.

>>> answer = convert("openvino", {"models": ["fp32"]}, folder, log=None)     # doctest: +SKIP
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .. import toolchains
from ..errors import HostError, ModelError

REQUEST, ANSWER = "request.json", "answer.json"
CONVERTERS = {
    "coreml": "edgestill.exporters.converters.coreml",
    "executorch": "edgestill.exporters.converters.executorch",
    "litert": "edgestill.exporters.converters.litert",
    "ncnn": "edgestill.exporters.converters.ncnn",
    "openvino": "edgestill.exporters.converters.openvino",
}
"""The programs. Written out, so that a change of one is a change of the stage that starts it."""
_MINUTES = 60


def convert(
    toolchain: str,
    request: Mapping[str, Any],
    work: Path,
    log: Path | None,
    *,
    converter: str | None = None,
) -> dict[str, Any]:
    """Run ``exporters.converters.<converter>`` on a request; returns its answer.

    Args:
        toolchain: its interpreter runs the converter.
        request: JSON for it.
        work: a folder for the request and the answer.
        log: a folder for what the converter prints, as ``<converter>.log``; None: it is dropped.
        converter: the module; None: that of the toolchain's name.

    Raises:
        HostError: the toolchain is not set up, or the converter ran out of time or was killed.
        ModelError: the converter failed; with its last line.
    """
    converter = converter or toolchain
    python = toolchains.python_of(toolchain)
    if python is None:
        module = toolchains.TOOLCHAINS[toolchain].modules[0]
        raise toolchains.missing(f"export.formats: {converter}", module)
    (work / REQUEST).write_text(json.dumps(dict(request)), encoding="utf-8")
    name = CONVERTERS[converter]
    printed = (log or work) / f"{converter}.log"
    with printed.open("ab") as stream:
        code = _run(toolchains.command(python, name, str(work)), stream, converter)
    if code != 0:
        last = _last_line(printed)
        if code < 0:
            raise HostError(f"the converter was ended by signal {-code} ({last})", where=converter)
        raise ModelError(f"the converter failed ({last})", where=converter, fix=_see(log, printed))
    answer: dict[str, Any] = json.loads((work / ANSWER).read_text(encoding="utf-8"))
    return answer


def _run(words: tuple[str, ...], stream: IO[bytes], converter: str) -> int:
    try:
        # It is killed where we are interrupted meanwhile.
        return subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=toolchains.variables(),
            timeout=60 * _MINUTES,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        raise HostError(f"no end after {_MINUTES} minutes", where=converter) from None


def _last_line(printed: Path) -> str:
    lines = printed.read_text(encoding="utf-8", errors="replace").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
    return "".join(c if c.isprintable() else "?" for c in last)[:300]


def _see(log: Path | None, printed: Path) -> str | None:
    return f"see {printed.name} in the folder of the variants" if log else None
