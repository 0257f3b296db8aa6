"""Arrays over a pipe: one line of JSON, then the arrays' bytes. Nothing is ever unpickled.

    >>> import io
    >>> pipe = io.BytesIO()
    >>> send(pipe, {"do": "run"}, [np.arange(3, dtype=np.int64)])
    >>> _ = pipe.seek(0)
    >>> header = receive(pipe)
    >>> header
    {'do': 'run', 'arrays': [['<i8', [3]]]}
    >>> array(pipe, *header["arrays"][0])
    array([0, 1, 2])

Who reads checks what is announced before making room for it: the far side may be in the hands of a
foreign model.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_LONGEST_LINE = 1 << 22
"""Bytes of JSON; a model with thousands of inputs stays far below."""


def send(stream: BinaryIO, header: Mapping[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> None:
    """Write one message.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    packed = [np.ascontiguousarray(array) for array in arrays]
    head = {**header, "arrays": [[item.dtype.str, list(item.shape)] for item in packed]}
    stream.write(json.dumps(head, allow_nan=False).encode() + b"\n")
    for item in packed:
        stream.write(item.reshape(-1).view(np.uint8).data)
    stream.flush()


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message without its arrays; None where the stream ends between two messages.

    Raises:
        EOFError: it ends within one, or what comes is no message.
    """
    line = stream.readline(_LONGEST_LINE)
    if not line:
        return None
    try:
        header = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        header = None
    if isinstance(header, dict):
        return header
    raise EOFError


def array(stream: BinaryIO, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
    """The next array of a message.

    Raises:
        EOFError: the stream ends within it.
    """
    flat = np.empty(int(np.prod(shape, dtype=np.int64)), np.dtype(dtype))
    room = flat.view(np.uint8).data
    while room:
        read = stream.readinto(room)  # type: ignore[attr-defined]  # every binary stream has it
        if not read:
            raise EOFError
        room = room[read:]
    return flat.reshape(tuple(shape))
