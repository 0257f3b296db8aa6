"""The frozen records that pass between stages, and the report that they add up to.

One file a stage. Every record is JSON on disk (``entry.json`` in the store, ``records/*.json`` in a
run). A figure that is not available is an ``Estimate`` whose ``value`` is None and whose
``missing`` says why; NaN is refused. ``pipeline.report`` draws records; they hold no layout.
"""

from .adaptation import AdaptationRecord, Compared, FewerSamples, Reached, ShorterTraining
from .benchmark import BenchmarkRecord, OperatorsRecord, OperatorTime, Predicted, Roof
from .data import SPLITS, DataRecord, Layout, Split
from .fidelity import Calibration, Changed, ClassDrop, Example, Fidelity
from .frontier import ExploredRecord, FrontierRecord, PointRecord
from .models import (
    Cut,
    Epoch,
    ModelRecord,
    Pruned,
    ShardRecord,
    StartRecord,
    StepScore,
    TargetsRecord,
)
from .output_loss import OutputLoss
from .quality import (
    Gain,
    GroupScore,
    Here,
    Int8Drops,
    OverConstant,
    PackageQuality,
    Parity,
    VariantQuality,
    VerifyRecord,
)
from .record import TEACHER, Outcome, Record
from .report import SCHEMA_VERSION, Commit, Report
from .search import (
    CandidateRecord,
    Cost,
    CostsRecord,
    RungRecord,
    SearchRecord,
    Shortfall,
)
from .shift import OutputShift, Shift
from .steadiness import Steadiness
from .trial import TrialRecord
from .variants import (
    AT,
    Bytes,
    Int8PlainRecord,
    Int8Student,
    Left,
    NotCarried,
    Plan,
    Saturable,
    TunedRecord,
    Variant,
    VariantsRecord,
)
from .verdict import Check, NextStep, PackageVerdict, VariantVerdict, Verdict

__all__ = [
    "AT",
    "SCHEMA_VERSION",
    "SPLITS",
    "TEACHER",
    "AdaptationRecord",
    "BenchmarkRecord",
    "Bytes",
    "Calibration",
    "CandidateRecord",
    "Changed",
    "Check",
    "ClassDrop",
    "Commit",
    "Compared",
    "Cost",
    "CostsRecord",
    "Cut",
    "DataRecord",
    "Epoch",
    "Example",
    "ExploredRecord",
    "FewerSamples",
    "Fidelity",
    "FrontierRecord",
    "Gain",
    "GroupScore",
    "Here",
    "Int8Drops",
    "Int8PlainRecord",
    "Int8Student",
    "Layout",
    "Left",
    "ModelRecord",
    "NextStep",
    "NotCarried",
    "OperatorTime",
    "OperatorsRecord",
    "Outcome",
    "OutputLoss",
    "OutputShift",
    "OverConstant",
    "PackageQuality",
    "PackageVerdict",
    "Parity",
    "Plan",
    "PointRecord",
    "Predicted",
    "Pruned",
    "Reached",
    "Record",
    "Report",
    "Roof",
    "RungRecord",
    "Saturable",
    "SearchRecord",
    "ShardRecord",
    "Shift",
    "ShorterTraining",
    "Shortfall",
    "Split",
    "StartRecord",
    "Steadiness",
    "StepScore",
    "TargetsRecord",
    "TrialRecord",
    "TunedRecord",
    "Variant",
    "VariantQuality",
    "VariantVerdict",
    "VariantsRecord",
    "Verdict",
    "VerifyRecord",
]
