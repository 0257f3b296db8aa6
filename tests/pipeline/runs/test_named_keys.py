"""The keys that runs on disk name."""

import json

from edgestill.pipeline.runs.named_keys import named_keys


def test_the_keys_of_all_runs_are_found_and_what_is_no_run_names_none(tmp_path):
    for name, content in {
        "a/2026-01-01": json.dumps({"keys": {"data": "1" * 64, "report": "r"}}),
        "a/2026-01-02": json.dumps({"keys": {"data": "2" * 64}}),
        "b/2026-01-01": "{",
        "b/2026-01-02": "[]",
        "b/2026-01-03": json.dumps({"keys": 3}),
        "b/.draft-2026": json.dumps({"keys": {"data": "3" * 64}}),
    }.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "manifest.json").write_text(content)
    assert named_keys(tmp_path) == {"1" * 64, "2" * 64, "r"}
    assert named_keys(tmp_path / "nowhere") == frozenset()
