"""A build that stopped after a stage."""

from pathlib import Path

import report_example
from edgestill.pipeline.api.stopped import Stopped
from edgestill.pipeline.records import VerifyRecord


def test_a_stopped_build_says_where_its_output_lies():
    record = report_example.report().quality
    assert isinstance(record, VerifyRecord)
    stopped = Stopped(
        "verify", "k" * 64, Path("store/k"), record, {"fp32": ("lost",)}, ("verify",), 1
    )
    lines = repr(stopped).split("\n")
    assert lines[0] == "stopped after verify; 1 stage ran"
    assert lines[-1] == "verify: store/k"
    assert stopped.to_dict()["wrong"] == {"fp32": ["lost"]}
    assert stopped.records()[0]["metric"] == record.metric
