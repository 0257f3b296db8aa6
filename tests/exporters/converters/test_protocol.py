"""How a converter is asked and answers. What converts runs in a toolchain.

``tests/exporters`` tries ``edgestill.exporters.converters.litert``,
``edgestill.exporters.converters.openvino``, ``edgestill.exporters.converters.executorch``,
``edgestill.exporters.converters.ncnn`` and ``edgestill.exporters.converters.coreml``.
"""

import json
import sys

import pytest
from edgestill.exporters.converters.protocol import each, serve


def test_a_request_is_read_and_its_answer_written(tmp_path, monkeypatch):
    (tmp_path / "request.json").write_text('{"models": [1]}')
    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path)])
    serve(lambda folder, request: {"folder": str(folder), "got": request["models"]})
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer == {"folder": str(tmp_path), "got": [1]}


def test_one_model_that_fails_does_not_stop_the_others(capsys):
    made = []

    def one(model):
        if model["name"] == "b":
            raise RuntimeError("no such operator\nand much more")
        made.append(model["name"])

    assert each([{"name": n} for n in "abc"], one) == {"b": "no such operator"}
    assert made == ["a", "c"]
    assert "and much more" in capsys.readouterr().err


def test_a_full_disk_is_no_fault_of_the_model():
    def one(model):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        each([{"name": "a"}], one)
