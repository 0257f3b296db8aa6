"""Reports that older versions of edgestill wrote, read as reports of today.

>>> report = upgraded(json.loads(path.read_bytes()))        # doctest: +SKIP
>>> report.verdict.outcome                                  # doctest: +SKIP
'undecided'

A report of schema 2.0 does not say whether its figures were measured on the device to ship to. It
is judged again without them: what was READY by latency, memory or energy becomes UNDECIDED.
"""

import json
from collections.abc import Mapping
from typing import Any

from ..judge.gate import judge
from ..recipe.recipe import Gate
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
    unknown = {"measured_on": "not recorded", "target": "not recorded", "on_target": None}
    changed |= {"schema_version": SCHEMA_VERSION, "measured": {**measured, **unknown}}
    report = Report.model_validate_json(json.dumps(changed))
    told = content["recipe"]
    gate = Gate.model_validate(told["gate"] if isinstance(told, Mapping) else {})
    return report.model_copy(update={"verdict": judge(gate, report.quality, report.measured)})


_MEASURED = ("benchmark", "operators", "predicted")
"""Fields of schema 2.0 that are one record today."""
