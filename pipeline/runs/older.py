"""Reports that older versions of edgestill wrote, read as reports of today.

>>> report = upgraded(json.loads(path.read_bytes()))        # doctest: +SKIP
>>> report.verdict.outcome                                  # doctest: +SKIP
'undecided'

A report of schema 2.0 does not say whether its figures were measured on the device to ship to. It
is judged again without them: what was READY by latency, memory or energy becomes UNDECIDED. Its
figures of quality lose their intervals, which were too narrow for ``judge.promise``, and so do its
p50; what it calls p90 and p99 are early-stopping estimates. Its
estimates have neither kind nor unit, and its ``.ort`` files stand beside the variants instead of
among their packages; both are filled in.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...devices.onboard.stats.estimate import Estimate, Kind
from ...exporters.ort import LEAST_AGREEMENT
from ...exporters.package import File, Package
from ..judge.gate import judge
from ..recipe.gate import Gate
from ..records import SCHEMA_VERSION, Report

OLD_VERSION = "2.0"
"""The only older schema that is still read."""


def is_old(content: object) -> bool:
    """Whether the content of a ``report.json`` is of the older schema."""
    return isinstance(content, Mapping) and content.get("schema_version") == OLD_VERSION


def upgraded(content: Mapping[str, Any]) -> Report:
    """A report of schema 2.0 as one of today, judged by today's rules.

    Raises:
        ValidationError: it is no report of schema 2.0 either.
    """
    changed = {key: value for key, value in content.items() if key not in _MEASURED}
    measured = {key: content[key] for key in _MEASURED if key in content}
    if isinstance(measured.get("benchmark"), Mapping):
        measured["benchmark"] = _nested(measured["benchmark"])
    unknown = {"measured_on": "not recorded", "target": "not recorded", "on_target": None}
    changed |= {"schema_version": SCHEMA_VERSION, "measured": {**measured, **unknown}}
    changed = _with_kinds(changed)
    if isinstance(changed["measured"].get("benchmark"), Mapping):
        changed["measured"]["benchmark"] = _pooled(changed["measured"]["benchmark"])
    changed["variants"] = _variants(changed["variants"])
    changed["quality"] = _quality(changed["quality"], content["data"])
    report = Report.model_validate_json(json.dumps(changed))
    recipe = content["recipe"]
    gate = Gate.model_validate(recipe["gate"] if isinstance(recipe, Mapping) else {})
    return report.model_copy(update={"verdict": judge(gate, report.quality, report.measured)})


def _nested(benchmark: Mapping[str, Any]) -> dict[str, Any]:
    """A benchmark whose settings are session, feed and timing instead of flat fields."""
    settings = dict(benchmark.get("settings", {}))
    parts = {
        name: {key: settings.pop(key) for key in keys if key in settings}
        for name, keys in _PARTS.items()
    }
    if "seed" in settings:
        parts["feed"]["seed"] = settings["seed"]
    return {**benchmark, "settings": {**settings, **parts}}


_PARTS = {
    "session": ("threads", "spinning", "optimization", "providers"),
    "feed": ("batch", "shapes"),
    "timing": ("seconds", "min_queries", "max_queries", "warmup_seconds"),
}
"""Fields of the settings of schema 2.0, by the record that holds them today."""
_MEASURED = ("benchmark", "operators", "predicted")
"""Fields of schema 2.0 that are one record today."""
_ESTIMATE = {"value", "low", "high", "method", "n", "missing"}
"""Fields of an estimate of schema 2.0."""
_NO_INTERVAL = "that of the old run is narrower than a verdict takes today; build again"
"""Why a figure of quality of schema 2.0 has none: each was at 95 %, whatever could have shipped,
and metrics were plain numbers."""
_UNITS = {
    **dict.fromkeys(("p50_ms", "p90_ms", "p99_ms", "load_ms", "first_inference_ms"), "ms"),
    **dict.fromkeys(
        (
            "peak_memory_bytes",
            "pss_bytes",
            "peak_as_timed_bytes",
            "peak_without_arena_bytes",
            "peak_without_plan_bytes",
            "weight_bytes",
            "activation_bytes",
        ),
        "bytes",
    ),
    **dict.fromkeys(("p50", "p10", "peak_memory", "energy", "size"), "ratio"),
    "energy_uj": "uJ",
    "instructions": "instructions",
}
"""Of estimates of schema 2.0, by the field that holds them; quality has plain numbers."""


_NO_PERCENTILE = "the version that measured this took the percentiles of single processes only"


def _with_kinds(content: Any, field: str = "", *, predicted: bool = False) -> Any:
    """The same content with a kind and a unit in every estimate."""
    if isinstance(content, list | tuple):
        return [_with_kinds(item, field, predicted=predicted) for item in content]
    if not isinstance(content, Mapping):
        return content
    if content.keys() == _ESTIMATE:
        kind = "predicted" if predicted and content["value"] is not None else _kind(content)
        return {**content, "kind": kind, "unit": _UNITS.get(field, "")}
    return {
        key: _with_kinds(value, key, predicted=predicted or key == "predicted")
        for key, value in content.items()
    }


def _pooled(benchmark: Mapping[str, Any]) -> dict[str, Any]:
    """A benchmark without percentiles over all processes, of which schema 2.0 has none."""

    def model(figures: Mapping[str, Any]) -> dict[str, Any]:
        unknown = asdict(Estimate.unknown(_NO_PERCENTILE, unit="ms"))
        tails = {
            f"early_stopping_{name}": figures[name]
            for name in ("p90_ms", "p99_ms")
            if name in figures
        }
        p50 = {"p50_ms": _without_interval(figures["p50_ms"])} if "p50_ms" in figures else {}
        return {**figures, **p50, **tails, "p90_ms": unknown, "p99_ms": unknown}

    return {**benchmark, "models": [model(figures) for figures in benchmark["models"]]}


def _variants(content: Mapping[str, Any]) -> dict[str, Any]:
    """The variants stage's record with packages."""
    rest = dict(content)
    operators = rest.pop("operators_file")

    def packaged(variant: Mapping[str, Any] | None) -> dict[str, Any] | None:
        return None if variant is None else _packaged(variant, operators)

    return rest | {
        "variants": [packaged(variant) for variant in rest["variants"]],
        "teacher": packaged(rest["teacher"]),
    }


def _packaged(variant: Mapping[str, Any], operators: str) -> dict[str, Any]:
    """One variant, whose two files become its packages; not all of today was recorded of them."""
    rest = dict(variant)
    onnx, mobile = (
        File(*(rest.pop(f"{prefix}{key}") for key in ("file", "bytes", "sha256")))
        for prefix in ("", "ort_")
    )
    packages = (
        Package("onnx", "ONNX Runtime", ".onnx", onnx, (), "onnxruntime", answers_hold=True),
        Package(
            "ort",
            "ONNX Runtime Mobile",
            ".ort",
            mobile,
            (File(operators, None, None),),
            "onnxruntime",
            least_agreement=LEAST_AGREEMENT,
        ),
    )
    return rest | {"packages": [asdict(package) for package in packages]}


def _quality(content: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The verify stage's record with its task and what each package answers."""

    def packaged(quality: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if quality is None:
            return None
        rest = {key: _without_interval(value) for key, value in quality.items()}
        rest["metrics"] = {
            name: asdict(Estimate(value, None, None, "", 0, _NO_INTERVAL, kind="measured"))
            for name, value in rest["metrics"].items()
        }
        package = {
            "format": "ort",
            "max_abs_difference": rest.pop("ort_max_abs_difference"),
            "agreement": rest.pop("ort_agreement"),
            "least_agreement": LEAST_AGREEMENT,
            "answers_hold": False,
        }
        # Every file that a method wrote was made from fp32; the others were compared with PyTorch.
        made_from = None if rest["parity"] else "fp32"
        return rest | {"packages": [package], "made_from": made_from}

    return {
        **content,
        "task": data["task"],
        "labels": data["labels"],
        "teacher_score": _without_interval(content["teacher_score"]),
        "variants": [packaged(quality) for quality in content["variants"]],
        "teacher": packaged(content["teacher"]),
    }


def _without_interval(content: Any) -> Any:
    """The same content with no interval in any estimate: too narrow for today's promise."""
    if isinstance(content, list | tuple):
        return [_without_interval(item) for item in content]
    if not isinstance(content, Mapping):
        return content
    if content.keys() >= _ESTIMATE:
        exact = content["kind"] == "exact" or content["value"] is None
        none = {"low": None, "high": None, "missing": _NO_INTERVAL}
        return dict(content) if exact else {**content, **none}
    return {key: _without_interval(value) for key, value in content.items()}


def _kind(estimate: Mapping[str, Any]) -> Kind:
    """What schema 2.0 said only in the text of ``method``."""
    if estimate["value"] is None:
        return "unknown"
    if "declared model" in estimate["method"]:
        return "declared"
    if estimate["n"] == 1 and estimate["low"] == estimate["value"] == estimate["high"]:
        return "exact"
    return "measured"
