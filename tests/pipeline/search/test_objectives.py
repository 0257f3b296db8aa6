"""What the score is weighed against, and where each figure comes from."""

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import HostError, UsageError
from edgestill.pipeline.records import Predicted
from edgestill.pipeline.search.objectives import figures_of, known, parsed
from fake_trials import measured


def test_names_are_told_apart_by_commas():
    assert parsed("latency, size") == ("latency", "size")
    assert parsed(["memory"]) == ("memory",)


@pytest.mark.parametrize("wrong", ["speed", "", "size,size", "latency,,size"])
def test_other_names_are_refused(wrong):
    with pytest.raises(UsageError, match="latency, size, memory, energy"):
        parsed(wrong)


def test_figures_are_those_of_each_file():
    found = figures_of(measured({"fp32": 2.0, "int8-static": 1.0}), ("latency", "size"))
    assert {name: own["latency"].value for name, own in found.items()} == {
        "fp32": 2.0,
        "int8-static": 1.0,
    }
    assert found["fp32"]["size"].kind == "exact"


def test_of_another_target_latency_is_predicted_and_memory_unknown():
    here = measured({"fp32": 2.0, "int8-static": 1.0})
    guess = Estimate(9.0, 3.0, 27.0, "by roofline", 0, None, "ms", "predicted")
    predicted = Predicted(
        name="fp32", target="board", device="A board", threads=1, p50_ms=guess, call_us=1.0,
        spread=0.5, unroofed=0,
    )  # fmt: skip
    away = here.model_copy(
        update={"on_target": False, "target": "board", "predicted": (predicted,)}
    )
    found = figures_of(away, ("latency", "size", "memory"))
    assert found["fp32"]["latency"] == guess
    assert found["int8-static"]["latency"].value is None
    assert "nothing was measured on board" in found["fp32"]["memory"].missing
    assert set(known(figures_of(away, ("latency", "size")))) == {"fp32"}
    with pytest.raises(HostError, match=r"memory is unknown.*leave memory out of --against"):
        known(figures_of(away, ("size", "memory")))
