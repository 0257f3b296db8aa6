"""Both ends of a foreign model's process: requests, arrays, refusals, its death and its time."""

import io
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from edgestill.errors import DataError, ModelError
from edgestill.pipeline.isolation import server, wire
from edgestill.pipeline.isolation.child import Child

SERVER = """
import os, signal, sys, time
from edgestill.errors import DataError, ModelError
from edgestill.pipeline.isolation.server import main

def reply(request, arrays):
    if request["do"] == "refuse":
        raise DataError("no rows", where="x.npz")
    if request["do"] == "memory":
        raise MemoryError
    if request["do"] == "die":
        print("out of luck", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if request["do"] == "nap":
        time.sleep(600)
    print("what a runtime prints is no reply")
    return {"sigint": signal.getsignal(signal.SIGINT) == signal.SIG_DFL}, [2 * a for a in arrays]

sys.exit(main(reply, lambda limit: ModelError(f"more than {limit} bytes")))
"""


def _child(**options):
    return Child("m.onnx", command=(sys.executable, "-c", SERVER), fix="mend the model", **options)


def test_requests_and_refusals_go_there_and_back():
    with _child() as child:
        head = child.ask({"do": "double"}, [np.arange(3.0), np.ones((2, 2), np.float32)])
        assert [child.array(*announced).tolist() for announced in head["arrays"]] == [
            [0.0, 2.0, 4.0],
            [[2.0, 2.0], [2.0, 2.0]],
        ]
        with pytest.raises(DataError, match="no rows"):
            child.ask({"do": "refuse"})
        assert child.alive
        assert child.ask({"do": "double"})["arrays"] == []
    assert not child.alive


def test_out_of_memory_is_a_refusal_that_names_the_limit():
    with (
        _child(memory_limit_bytes=8 << 30) as child,
        pytest.raises(ModelError, match=f"more than {8 << 30} bytes"),
    ):
        child.ask({"do": "memory"})


def test_a_process_that_dies_is_named_with_its_signal_and_last_words():
    words = r"process was ended by SIGKILL \(out of luck\).*may need more memory.*mend the model"
    with _child() as child, pytest.raises(ModelError, match=words):
        child.ask({"do": "die"})
    assert not child.alive


def test_a_process_whose_time_is_up_is_killed():
    with _child(timeout_s=5.0) as child, pytest.raises(ModelError, match="no answer within 5 s"):
        child.ask({"do": "nap"})
    assert not child.alive


def test_a_process_of_a_parent_that_ignores_sigint_does_not():
    had = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = _child()
    finally:
        signal.signal(signal.SIGINT, had)
    with child:
        assert child.ask({"do": "double"})["sigint"]


def test_a_server_ends_with_its_requests():
    sent, replies = io.BytesIO(), io.BytesIO()
    wire.send(sent, {"n": 1})
    wire.send(sent, {"n": 2}, [np.zeros(2)])
    sent.seek(0)
    server.serve(sent, replies, lambda request, arrays: ({"n": request["n"]}, arrays), ModelError)
    replies.seek(0)
    heads = []
    while (head := wire.receive(replies)) is not None:
        heads.append((head["n"], [wire.array(replies, *one).tolist() for one in head["arrays"]]))
    assert heads == [(1, []), (2, [[0.0, 0.0]])]


def test_half_a_message_is_no_message():
    with pytest.raises(EOFError):
        wire.receive(io.BytesIO(b'{"do": "ru'))
    with pytest.raises(EOFError):
        wire.array(io.BytesIO(b"\0" * 7), "<i8", [1])


def test_a_process_without_a_parent_ends(tmp_path):
    command = (sys.executable, "-c", SERVER, "1", str(8 << 30))  # a parent that is another's
    done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 1
    assert os.getpid() != 1
