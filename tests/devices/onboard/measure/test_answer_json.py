"""Answers cross from a worker to its parent as JSON."""

import json

import pytest
from edgestill.devices.onboard.machine.conditions import Conditions
from edgestill.devices.onboard.measure.answer import (
    ColdStartAnswer,
    CountAnswer,
    InspectAnswer,
    LoadgenAnswer,
    MeasureAnswer,
    PeaksAnswer,
    ProcessFacts,
    Rate,
    SustainedAnswer,
    Window,
)
from edgestill.devices.onboard.measure.answer_json import answer_type, from_json, to_json
from edgestill.devices.onboard.measure.job import AttainJob, CountJob, MeasureJob, ScenarioJob
from edgestill.devices.onboard.model.cost import Cost
from edgestill.devices.onboard.model.liveness import Needs
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.errors import MeasureError
from fake_answers import (
    cold_start_answer,
    load_answer,
    loadgen_answer,
    measure_answer,
    memory_answer,
    server_answer,
    sustained_answer,
)

FACTS = ProcessFacts(("json", "numpy"), (0, 1), 4.5, "control group")
PORT = Input("x", "tensor(float)", ("n", None, 8))
LOADGEN = {"p50_ns": 1.0, "p90_ns": 2.0, "inside_p50_ns": 0.5, "inside_p90_ns": 1.5}
RATE = Rate(1.0, 2.0, 3.0, 10)
ANSWERS = [
    measure_answer(process=FACTS, conditions=(Conditions(clock_mhz=1.0), Conditions())),
    load_answer(),
    server_answer(unanswered=3),
    sustained_answer([Window(0.0, 3, 1.0, None, 2000.0, 0)]),
    loadgen_answer(**LOADGEN, valid=True),
    cold_start_answer(process=FACTS),
    memory_answer(graph=Needs(1, 2, "conv")),
    CountAnswer(runtime="r 1", machine="x86_64", python="3.11.9"),
    PeaksAnswer(
        runtime="r 1", bytes_s=RATE, fp32_flop_s=RATE, int8_op_s=RATE, numpy="2", blas="none"
    ),
    InspectAnswer(
        runtime="r 1",
        format="onnx",
        inputs=(PORT,),
        outputs=(PORT,),
        cost=Cost({"float32": 8}, 8, 32, 64, 0, ("a note",)),
        cost_missing=None,
        external_files=("w.bin",),
        file_bytes=100,
    ),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_an_answer_survives_the_way_through_json(answer):
    assert from_json(type(answer), json.loads(json.dumps(to_json(answer)))) == answer


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document.update(speed=1), "answer with unknown keys: speed, expected"),
        (lambda document: document.pop("load_ms"), "answer with missing keys: load_ms, expected"),
        (lambda document: document["process"].pop("cores"), "with missing keys: cores, expected"),
        (lambda document: document.update(conditions=[{}]), "a worker's answer of another form"),
    ],
)
def test_an_answer_of_another_version_is_refused_and_the_key_named(change, message):
    document = to_json(measure_answer())
    change(document)
    with pytest.raises(MeasureError, match=message):
        from_json(MeasureAnswer, document)


def test_each_job_and_each_scenario_has_a_type_of_answer():
    assert answer_type(MeasureJob("m", "s")) is MeasureAnswer
    assert answer_type(CountJob("m", "qemu")) is CountAnswer
    assert answer_type(AttainJob("m", 1)) is PeaksAnswer
    assert answer_type(ScenarioJob("m", "cold-start", "s")) is ColdStartAnswer
    assert answer_type(ScenarioJob("m", "sustained", "s")) is SustainedAnswer
    assert answer_type(ScenarioJob("m", "loadgen", "s")) is LoadgenAnswer
