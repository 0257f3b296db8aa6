"""The bill of materials is valid CycloneDX 1.6, whatever names are in it."""

import json
from importlib.resources import files

import jsonschema
import pytest
import report_example
import run_example
from edgestill.pipeline.handover.manifest import parse
from edgestill.pipeline.handover.provenance import FILE, document
from edgestill.pipeline.report import markdown
from referencing import Registry, Resource
from run_example import NASTY, hostile


@pytest.fixture(scope="module")
def validator():
    """Of the schema that CycloneDX publishes, as the package cyclonedx-python-lib ships it."""
    pytest.importorskip("cyclonedx", reason="pip install cyclonedx-python-lib")
    folder = files("cyclonedx.schema") / "_res"
    names = ("bom-1.6", "spdx", "jsf-0.82")
    schemas = [json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text()) for name in names]
    registry = Registry().with_resources(
        [(schema["$id"], Resource.from_contents(schema)) for schema in schemas]
    )
    return jsonschema.Draft7Validator(
        schemas[0], registry=registry, format_checker=jsonschema.FormatChecker()
    )


def errors(validator, bom):
    return [f"{list(error.path)}: {error.message[:200]}" for error in validator.iter_errors(bom)]


def test_that_of_a_bundle_is_valid(folder, validator):
    bom = json.loads((folder / FILE).read_text())
    assert errors(validator, bom) == []
    assert bom["specVersion"] == "1.6"


def test_that_of_a_real_build_is_valid(real, validator):
    assert errors(validator, json.loads((real[0] / FILE).read_text())) == []


def test_a_wrong_one_is_found(folder, validator):
    bom = json.loads((folder / FILE).read_text())
    bom["components"][0]["type"] = "model"
    assert errors(validator, bom) != []


@pytest.mark.parametrize("task", ["multi-label", "regression", "embedding"])
def test_that_of_every_task_is_valid(folder, validator, task):
    manifest = parse((folder / "bundle.json").read_bytes(), "here")
    report = report_example.with_task(run_example.report(), task)
    assert errors(validator, document(report, manifest, folder)) == []


def test_hostile_names_stay_values(folder, validator):
    manifest = parse((folder / "bundle.json").read_bytes(), "here")
    licensed = manifest.model_copy(update={"license": NASTY})
    bom = document(hostile(run_example.report()), licensed, folder)
    assert errors(validator, json.loads(json.dumps(bom))) == []
    assert bom["metadata"]["component"]["licenses"] == [{"license": {"name": NASTY}}]


def test_it_names_files_teachers_data_and_libraries(folder):
    bom = json.loads((folder / FILE).read_text())
    refs = {component["bom-ref"] for component in bom["components"]}
    assert {"models/fp32.onnx", "teacher-0", "data", "library-torch"} <= refs
    assert set(bom["dependencies"][0]["dependsOn"]) == refs
    names = [one["name"] for one in bom["metadata"]["component"]["pedigree"]["ancestors"]]
    assert names == ["resnet32"]


def test_its_figures_are_those_of_the_report(folder):
    bom = json.loads((folder / FILE).read_text())
    page = markdown.page(run_example.report())
    metrics = bom["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]
    assert len(metrics["performanceMetrics"]) == 4
    for metric in metrics["performanceMetrics"]:
        bounds = metric.get("confidenceInterval")
        shown = f" ({bounds['lowerBound']} to {bounds['upperBound']})" if bounds else ""
        assert f"| {metric['value']}{shown}" in page
