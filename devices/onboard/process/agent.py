"""The far side of a remote measurement: runs on the device, starts the measuring process there.

It is the `local` place, on the device. stdin holds one line of JSON and then stays open: its end
means that whoever asked is gone, and ends the measuring process too. The answer is one line of JSON
behind the marker it was given, because a login script may print as well.
"""

import base64
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ....errors import EdgestillError
from ..machine.disturbance import snapshot
from ..machine.host import describe
from ..measure.answer_json import to_json
from ..measure.job import RESULTS, JobFor, from_json
from ..refusals import as_json
from . import run_job as local


def main() -> int:
    """Read the request, do it, answer."""
    request = json.loads(sys.stdin.buffer.readline())
    # A shell on the way may have turned it off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_stop_when_left_alone, daemon=True).start()
    # The worker imports this same copy of the package, and nothing of it that stands elsewhere.
    here = Path(__file__).parents[4]
    os.environ["PYTHONPATH"] = os.pathsep.join(
        path for path in (str(here), os.environ.get("PYTHONPATH", "")) if path
    )
    # That folder can be written; a phone has no /tmp.
    os.environ["TMPDIR"] = str(here.parent)
    try:
        answer = {"host": asdict(describe())} if request["ask"] == "host" else _run(request)
    except EdgestillError as error:
        answer = {"error": as_json(error)}
    sys.stdout.write(f"\n{request['marker']}{json.dumps(answer, allow_nan=False)}\n")
    return 0


def _run(request: Mapping[str, Any]) -> dict[str, Any]:
    document = json.loads(request["job"])
    with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
        results = Path(folder) / "results"
        for key, suffix in RESULTS.items():
            if key in document:
                results = results.with_suffix(suffix)
                document[key] = str(results)
        before = snapshot()
        job: JobFor[Any] = from_json(json.dumps(document))
        answer = local.run(
            job,
            timeout_s=request["timeout_s"],
            memory_limit_bytes=request["memory_limit_bytes"],
            cores=request["cores"],
        )
        after = snapshot()
        raw = base64.b64encode(results.read_bytes()).decode() if results.exists() else None
    return {
        "answer": to_json(answer),
        "results": raw,
        "disturbance": [asdict(before), asdict(after)],
    }


def _stop_when_left_alone() -> None:
    while os.read(0, 4096):
        pass
    main_thread = threading.main_thread().ident
    if main_thread is not None:
        # As Ctrl-C would: the main thread ends the measuring process and clears its folder.
        signal.pthread_kill(main_thread, signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
