"""A report of today as schema 2.0 had it, for the tests of reading old runs.

old = aged(json.loads(report.model_dump_json()))
"""


def aged(report):
    """The content of a ``report.json`` in the shape of schema 2.0."""
    content = _without_kinds(report)
    measured = content.pop("measured")
    content |= {key: measured[key] for key in ("benchmark", "operators", "predicted")}
    for model in content["benchmark"]["models"]:
        for name in ("p90_ms", "p99_ms"):
            del model[f"early_stopping_{name}"]
    variants = content["variants"]
    operators = variants["variants"][0]["packages"][1]["beside"][0]["name"]
    for variant in [*variants["variants"], variants["teacher"]]:
        del variant["made_from"]
        onnx, mobile = (package["model"] for package in variant.pop("packages"))
        variant |= {"file": onnx["name"], "bytes": onnx["bytes"], "sha256": onnx["sha256"]}
        variant["ort_file"] = mobile["name"]
        variant |= {"ort_bytes": mobile["bytes"], "ort_sha256": mobile["sha256"]}
    variants["operators_file"] = operators
    del content["quality"]["task"], content["quality"]["labels"]
    for quality in [*content["quality"]["variants"], content["quality"]["teacher"]]:
        del quality["over_constant"]
        quality["metrics"] = {name: one["value"] for name, one in quality["metrics"].items()}
        (mobile,) = quality.pop("packages")
        del quality["made_from"], quality["steadiness"]
        quality["ort_max_abs_difference"] = mobile["max_abs_difference"]
        quality["ort_agreement"] = mobile["agreement"]
    trained = (content[key] for key in ("teachers", "students", "plain_students"))
    for model in [*(m for models in trained for m in models), variants["student"]]:
        del model["selected_by"]
    for verdict in content["verdict"]["variants"]:
        del verdict["packages"], verdict["unknown"]
    return content | {"schema_version": "2.0"}


def _without_kinds(content):
    """Without what estimates of schema 2.0 did not have."""
    if isinstance(content, list):
        return [_without_kinds(item) for item in content]
    if not isinstance(content, dict):
        return content
    new = {"kind", "unit", "caution"} if content.keys() >= {"value", "method", "missing"} else set()
    return {key: _without_kinds(value) for key, value in content.items() if key not in new}
