"""The child of ``edgestill quantize`` in this process: its worker, without the start of a process.

    monkeypatch.setattr(quantize, "Child", InProcess)

Requests and replies become JSON on their way, as between processes. That a child's death and its
time-out are told is tested where a child is: ``pipeline/isolation``.
"""

import json

from edgestill.devices.onboard.refusals import answer_or_refusal, raise_refusal
from edgestill.errors import ModelError
from edgestill.pipeline.compress.worker import Worker


class InProcess:
    """As ``isolation.child.Child``, for one model."""

    def __init__(self, model, **_):
        self._worker = Worker()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, header):
        request = json.loads(json.dumps(header))
        answer = answer_or_refusal(lambda: self._worker.reply(request, [])[0], lambda: _MEMORY)
        raise_refusal(answer)
        return json.loads(json.dumps(answer))


_MEMORY = ModelError("no memory")
