"""The record of a search: the frontier in its order, and the choice of each point."""

import frontier_example
from edgestill.pipeline.records.frontier import FrontierRecord


def test_the_frontier_is_in_the_order_of_its_places():
    record = frontier_example.record()
    assert [point.on_frontier for point in record.frontier] == [1, 2, 3, 4]
    assert record.explored_of(record.frontier[2]).settings["student.width"] == 32.0


def test_a_record_is_read_back_as_it_was_written():
    record = frontier_example.record()
    assert FrontierRecord.model_validate_json(record.model_dump_json()) == record
