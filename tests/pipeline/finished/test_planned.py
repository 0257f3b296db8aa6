"""A plan as a result: a row a stage, and which of them would run."""

from edgestill.pipeline.engine.flow import Step
from edgestill.pipeline.finished.planned import Planned

STEPS = (Step("data", "9f" * 32, cached=True), Step("teacher", "4a" * 32, cached=False))


def test_a_plan_names_the_stages_that_would_run():
    planned = Planned(STEPS)
    assert planned.would_run == ("teacher",)
    assert planned.rows()[0] == ("data", "in the store", "9f" * 8)
    assert repr(planned).splitlines()[0] == "1 of 2 stages would run"
    assert planned.to_dict()["stages"][1] == {"stage": "teacher", "key": "4a" * 32, "cached": False}
    assert repr(Planned(STEPS[:1])).splitlines()[0] == "every stage is in the store"
