"""How a converter reads what it is asked for and answers."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import reason

Request = Mapping[str, Any]


def serve(work: Callable[[Path, Request], dict[str, Any]]) -> None:
    """Read the request of the folder that the command line names, do it, write the answer."""
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    answer = work(folder, request)
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def each(models: Sequence[Request], convert: Callable[[Request], None]) -> dict[str, str]:
    """Convert every model; by name, why one was refused."""
    refused = {}
    for model in models:
        try:
            convert(model)
        except (MemoryError, OSError):
            raise
        except Exception as error:  # noqa: BLE001  # converters share no narrower class
            print(f"{model['name']}: {error}", file=sys.stderr)  # noqa: T201  # into the log
            refused[str(model["name"])] = reason(error)
    return refused
