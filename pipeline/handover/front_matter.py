"""The front matter of a model card, as Hugging Face reads it: YAML between two lines of dashes.

>>> print(yaml_text({"tags": ["a: b"], "n": 1}), end="")
"tags":
- "a: b"
"n": 1
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..printable import printable
from ..records import Report
from ..tasks.metric import slug
from .manifest import NOT_STATED, Manifest

_LICENSES = frozenset(
    {
        "apache-2.0",
        "mit",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "cc-by-4.0",
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "gpl-2.0",
        "gpl-3.0",
        "lgpl-2.1",
        "lgpl-3.0",
        "agpl-3.0",
        "mpl-2.0",
        "isc",
        "unlicense",
        "openrail",
    }
)
"""Names that Hugging Face knows; every other licence is `other` with its name beside it."""
_LIBRARIES = {"ort": "onnx", "litert": "litert"}
"""Hugging Face's name of a format, where it is not ours."""


def front_matter(report: Report, manifest: Manifest) -> str:
    """The front matter of a bundle's card, with its lines of dashes."""
    formats = list(dict.fromkeys(package.format for package in manifest.packages))
    quantized = any(package.changed_nodes for package in manifest.packages)
    fields: dict[str, Any] = {
        **_license(manifest.license),
        "library_name": _LIBRARIES.get(formats[0], formats[0]),
        "tags": ["edgestill", "knowledge-distillation", *formats, *(["int8"] * quantized)],
    }
    if (kind := _pipeline(report)) is not None:
        fields["pipeline_tag"] = kind
    if results := _results(report, kind or report.data.task):
        fields["model-index"] = [{"name": report.name, "results": results}]
    return f"---\n{yaml_text(fields)}---"


def yaml_text(value: Any, depth: int = 0) -> str:
    """Mappings, lists, texts and numbers as YAML.

    Every text stands in double quotes, on one line and without control characters, so that no name
    can begin anything of YAML's own.
    """
    margin = "  " * depth
    if isinstance(value, Mapping):
        lines = (f"{margin}{_scalar(key)}:{_below(one, depth)}" for key, one in value.items())
        return "".join(lines)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(f"{margin}-{_item(one, depth)}" for one in value)
    return f"{margin}{_scalar(value)}\n"


def _below(value: Any, depth: int) -> str:
    """What follows a key."""
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
        # The items of a list may stand below its key without a further margin.
        return f"\n{yaml_text(value, depth + isinstance(value, Mapping))}"
    return f" {_scalar(value)}\n"


def _item(value: Any, depth: int) -> str:
    if isinstance(value, Mapping):
        return f" {yaml_text(value, depth + 1).lstrip()}"
    return f" {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        # JSON's escapes are those of YAML's double quotes, once nothing unprintable is left.
        return json.dumps(printable(value), ensure_ascii=False)
    return json.dumps(value, allow_nan=False)


def _license(name: str) -> dict[str, str]:
    known = name.lower()
    if known in _LICENSES:
        return {"license": known}
    shown = name if name != NOT_STATED else NOT_STATED.replace(" ", "-")
    return {"license": "other", "license_name": shown}


def _pipeline(report: Report) -> str | None:
    """Hugging Face's name of what the model does, where there is one."""
    data = report.data
    front_end = data.front_end or {}
    image = front_end.get("kind") == "image" or (
        data.layout in ("hw", "hwc", "chw") and not front_end
    )
    if data.task == "embedding":
        return "image-feature-extraction" if image else "feature-extraction"
    if data.layout == "table":
        return "tabular-regression" if data.task == "regression" else "tabular-classification"
    if data.task == "regression":
        return None
    if data.layout == "tokens":
        return "text-classification"
    if "sample_rate_hz" in front_end:
        return "audio-classification"
    return "image-classification" if image else None


def _results(report: Report, kind: str) -> list[dict[str, Any]]:
    """The score of every variant in the bundle, as the report has it."""
    metric = report.quality.metric
    data = report.data
    kept = report.verdict.ship or report.verdict.nearest
    scores = [one.score for one in report.quality.variants if one.name == kept]
    return [
        {
            "task": {"type": kind},
            "dataset": {
                "name": data.source,
                "type": data.source.partition(":")[0],
                "split": "test",
            },
            "metrics": [{"type": slug(metric), "name": metric, "value": score.value}],
        }
        for score in scores
        if score.value is not None
    ]
