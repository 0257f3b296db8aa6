"""Where the models of a bundle come from, as a CycloneDX 1.6 bill of materials (ML-BOM).

>>> document(report, manifest, folder)["specVersion"]                 # doctest: +SKIP
'1.6'

The student is the subject; its files, the teachers, the data set and the libraries are components.
Figures are printed as in the report.
"""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..engine.store import file_sha256
from ..records import ModelRecord, Report
from ..report import numbers, rows, words
from .manifest import NOT_STATED, Manifest

FILE = "ml-bom.cdx.json"
SPEC = "1.6"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_STUDENT, _DATA = "student", "data"
_APPROACH = dict.fromkeys(("embedding", "class-logits", "label-logits"), "self-supervised")
"""Of tasks without labels; every other task is supervised."""


def document(report: Report, manifest: Manifest, folder: Path) -> dict[str, Any]:
    """The bill of materials of a bundle.

    Args:
        report: of the run.
        manifest: of the bundle; its list of files is not needed.
        folder: the bundle, with its models.
    """
    teachers = [
        _model(f"teacher-{number}", "teacher", teacher)
        for number, teacher in enumerate(report.teachers)
    ]
    libraries = [
        _library(name, version)
        for name, version in sorted({**report.libraries, "edgestill": report.edgestill}.items())
    ]
    files = [_file(folder, package.model) for package in manifest.packages]
    subject = {
        **_model(_STUDENT, "student", report.variants.student),
        "name": report.name,
        "version": report.created,
        "description": f"{words.headline(report)}. {report.verdict.why}",
        "modelCard": _card(report),
        "pedigree": {
            "ancestors": [{k: v for k, v in t.items() if k != "bom-ref"} for t in teachers]
        },
        "properties": [
            {"name": "edgestill:verdict", "value": words.WORDS[report.verdict.outcome]},
            {"name": "edgestill:license", "value": manifest.license},
            {"name": "edgestill:student", "value": report.variants.student.model},
        ],
    }
    if manifest.license != NOT_STATED:
        subject["licenses"] = [{"license": {"name": manifest.license}}]
    components = [*files, *teachers, _data(report), *libraries]
    content = {
        "metadata": {
            "timestamp": report.created,
            "tools": {
                "components": [
                    {"type": "application", "name": "edgestill", "version": report.edgestill}
                ]
            },
            "component": subject,
        },
        "components": components,
        "dependencies": [{"ref": _STUDENT, "dependsOn": [part["bom-ref"] for part in components]}],
    }
    # The serial number is of the content, so that two bundles of one run have one.
    serial = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content, sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        **content,
    }


def _model(ref: str, role: str, record: ModelRecord) -> dict[str, Any]:
    content: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": record.model,
        "description": f"the {role}, {record.origin}",
    }
    # Of several models the record has several digests in one text.
    if _SHA256.fullmatch(record.weights_sha256):
        content["hashes"] = [{"alg": "SHA-256", "content": record.weights_sha256}]
    return content


def _file(folder: Path, name: str) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": name,
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": file_sha256(folder / name)}],
    }


def _data(report: Report) -> dict[str, Any]:
    data = report.data
    return {
        "type": "data",
        "bom-ref": _DATA,
        "name": data.source,
        "hashes": [{"alg": "SHA-256", "content": data.fingerprint}]
        if _SHA256.fullmatch(data.fingerprint)
        else [],
        "data": [{"type": "dataset", "name": data.source}],
    }


def _library(name: str, version: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": f"library-{name}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{quote(name, safe='')}@{quote(version, safe='')}",
    }


def _card(report: Report) -> dict[str, Any]:
    data, student = report.data, report.variants.student
    shape = ", ".join(map(str, ("n", *data.sample_shape)))
    return {
        "modelParameters": {
            "approach": {"type": _APPROACH.get(data.task, "supervised")},
            "task": data.task,
            "architectureFamily": student.model.rstrip("0123456789") or student.model,
            "modelArchitecture": student.model,
            "datasets": [{"ref": _DATA}],
            "inputs": [{"format": f"{data.dtype} [{shape}], layout {data.layout}"}],
            "outputs": [{"format": f"float32 [n, {student.outputs}]"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(report))},
    }


def _metrics(report: Report) -> Iterator[dict[str, Any]]:
    """The figures of the variant that ships, or is nearest."""
    row = rows.subject(report)
    if row is None:
        return
    metric = report.quality.metric
    for name, figure, unit in (
        (metric, row.score, numbers.score_unit(metric)),
        ("latency p50", row.p50_ms, numbers.MILLISECONDS),
        ("latency p90", row.p90_ms, numbers.MILLISECONDS),
        ("peak memory", row.memory_bytes, numbers.BYTES),
    ):
        value, interval = numbers.without_reason(figure, unit)
        content: dict[str, Any] = {"type": name, "value": value, "slice": row.name}
        low, to, high = (interval or "").partition(" to ")
        if to:
            content["confidenceInterval"] = {"lowerBound": low, "upperBound": high}
        yield content
