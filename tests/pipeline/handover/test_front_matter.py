"""The front matter of a card is valid YAML, whatever names are in it."""

import pytest
import report_example
import run_example
import yaml
from edgestill.pipeline.handover.front_matter import front_matter, yaml_text
from edgestill.pipeline.handover.manifest import parse
from edgestill.pipeline.printable import printable
from run_example import NASTY, hostile


def read(report, folder, **changes):
    manifest = parse((folder / "bundle.json").read_bytes(), "here").model_copy(update=changes)
    text = front_matter(report, manifest)
    assert text.startswith("---\n")
    assert text.endswith("\n---")
    return yaml.safe_load(text[4:-4])


def test_values_of_any_depth_come_back():
    value = {"a": ["b", {"c": [1, 2.5, True, None], "d": {"e": "f"}}], "g": {}, "n": "1"}
    assert yaml.safe_load(yaml_text(value)) == {**value, "g": None}


@pytest.mark.parametrize("text", [NASTY, "no", "1e3", ": x", "- a", "#", "'", "%TAG", "\x85\ufeff"])
def test_any_text_comes_back_as_a_person_sees_it(text):
    assert yaml.safe_load(yaml_text({text: [text]})) == {printable(text): [printable(text)]}


def test_the_score_is_that_of_the_report(folder):
    report = run_example.report()
    (index,) = read(report, folder)["model-index"]
    (result,) = index["results"]
    fp32 = next(one for one in report.quality.variants if one.name == "fp32")
    assert result["metrics"] == [
        {"type": "accuracy", "name": "accuracy", "value": fp32.score.value}
    ]


def test_hostile_names_stay_values(folder):
    found = read(hostile(run_example.report()), folder, license=NASTY)
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == printable(NASTY)
    assert (found["license"], found["license_name"]) == ("other", printable(NASTY))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("ours", {"license": "other", "license_name": "ours"}),
        ("not stated", {"license": "other", "license_name": "not-stated"}),
    ],
)
def test_the_licence_has_the_name_that_a_hub_knows(folder, name, fields):
    found = read(run_example.report(), folder, license=name)
    assert {key: value for key, value in found.items() if "license" in key} == fields


@pytest.mark.parametrize(
    ("task", "changes", "kind"),
    [
        ("classification", {}, "image-classification"),
        ("classification", {"layout": "table"}, "tabular-classification"),
        ("classification", {"layout": "tokens"}, "text-classification"),
        ("classification", {"layout": "tc"}, None),
        ("classification", {"front_end": {"sample_rate_hz": 8000}}, "audio-classification"),
        ("regression", {"layout": "table"}, "tabular-regression"),
        ("regression", {"layout": "hw"}, None),
        ("embedding", {"layout": "hw"}, "image-feature-extraction"),
        ("embedding", {"layout": "tc"}, "feature-extraction"),
    ],
)
def test_the_pipeline_is_named_where_a_hub_has_one(folder, task, changes, kind):
    report = run_example.report()
    if task != "classification":
        report = report_example.with_task(report, task)
    report = report.model_copy(update={"data": report.data.model_copy(update=changes)})
    assert read(report, folder).get("pipeline_tag") == kind
