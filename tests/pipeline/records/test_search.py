"""Records of a search."""

from edgestill.pipeline.records import SearchRecord
from edgestill.pipeline.records.search import Cost


def test_a_cost_names_the_student_that_a_recipe_would():
    cost = Cost(model="resnet8", width=16, parameters=5, macs=7)
    assert cost.name == "resnet8 of width 16"
    assert (cost.architecture.model, cost.architecture.width) == ("resnet8", 16)


def test_a_record_is_json_and_back():
    record = SearchRecord(ended="nothing was tried", seconds=1.5)
    assert SearchRecord.model_validate_json(record.model_dump_json()) == record
