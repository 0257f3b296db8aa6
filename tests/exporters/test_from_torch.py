"""Formats that are made of torch modules: what is carried is seen before a toolchain is started."""

from pathlib import Path

import numpy as np
import pytest
import torch
from edgestill.errors import ModelError
from edgestill.exporters import from_torch as module
from edgestill.exporters.from_torch import Format, from_torch
from edgestill.exporters.package import File, Finished, Job, NotCarried, Package

FORMAT = Format(
    "toy",
    "Toy",
    ".toy",
    {"fp32": "float32", "int8-static": "eight"},
    toolchain="box",
    reasons={"fp16": "half is not enough"},
)


def describe(model, answer, scheme):
    assert scheme in FORMAT.schemes.values()
    return Package("toy", "Toy", ".toy", File(model.name, 0, None), no_runtime=answer["by"])


def job(tmp_path, *names, net=None, samples=1):
    models = (Finished(n, tmp_path / f"{n}.onnx", net if n == "fp32" else None) for n in names)
    calibration = np.ones((samples, 3), np.float32) if samples else None
    return Job(tmp_path, tuple(models), calibration=calibration, batch=2)


@pytest.fixture
def requests(monkeypatch):
    """What converters were asked; each writes its files but that of a model called refused."""
    seen = []

    def convert(toolchain, request, work, log, *, converter):
        with np.load(work / "calibration.npz") as stored:
            seen.append((toolchain, converter, request, stored["x"].shape))
        assert all((work / model["program"]).exists() for model in request["models"])
        for model in request["models"]:
            Path(model["target"]).touch()
        return {"refused": refused, "by": "a toy"}

    refused = {}
    monkeypatch.setattr(module, "convert", convert)
    return seen, refused


def test_a_module_goes_once_and_what_is_made_of_it_names_it(tmp_path, requests):
    found = from_torch(
        FORMAT, job(tmp_path, "fp32", "int8-static", "fp16", "x", net=torch.nn.ReLU()), describe
    )
    ((toolchain, converter, request, shape),) = requests[0]
    assert (toolchain, converter, shape) == ("box", "toy", (1, 3))
    assert [(m["name"], m["program"], m["scheme"]) for m in request["models"]] == [
        ("fp32", "fp32.pt2", "float32"),
        ("int8-static", "fp32.pt2", "eight"),
    ]
    assert request["batch"] == 2
    assert found["int8-static"].no_runtime == "a toy"
    assert found["fp16"] == NotCarried("Toy has no fp16: half is not enough")
    assert "its torch module is not kept" in found["x"].reason


def test_what_a_converter_refuses_is_not_carried_but_fp32_must_be(tmp_path, requests):
    requests[1]["int8-static"] = "no such operator"
    both = job(tmp_path, "fp32", "int8-static", net=torch.nn.ReLU())
    assert from_torch(FORMAT, both, describe)["int8-static"] == NotCarried("no such operator")
    requests[1]["fp32"] = "too large"
    with pytest.raises(ModelError, match=r"cannot be converted to \.toy \(too large\)"):
        from_torch(FORMAT, both, describe)


def test_without_the_module_of_fp32_nothing_is_started(tmp_path, requests):
    found = from_torch(FORMAT, job(tmp_path, "fp32", "int8-static"), describe)
    assert all(isinstance(one, NotCarried) for one in found.values())
    assert requests[0] == []


def test_samples_are_needed(tmp_path, requests):
    with pytest.raises(ModelError, match="no calibration samples"):
        from_torch(FORMAT, job(tmp_path, "fp32", net=torch.nn.ReLU(), samples=0), describe)
