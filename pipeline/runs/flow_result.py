"""What came out of every stage of one build."""

from dataclasses import dataclass

from ..engine.stage import Made
from ..records import (
    BenchmarkRecord,
    DataRecord,
    ModelRecord,
    TargetsRecord,
    TunedRecord,
    VariantsRecord,
    VerifyRecord,
)


@dataclass(frozen=True, slots=True)
class Flow:
    """What came out of every stage."""

    data: Made[DataRecord]
    teachers: tuple[Made[ModelRecord], ...]
    targets: Made[TargetsRecord]
    students: tuple[Made[ModelRecord], ...]
    plain: tuple[Made[ModelRecord], ...]
    tuned: dict[str, Made[TunedRecord]]
    variants: Made[VariantsRecord]
    quality: Made[VerifyRecord]
    measured: Made[BenchmarkRecord]

    def keys(self) -> dict[str, str]:
        """The key of every stage, by a name that says which."""
        keys = {
            "data": self.data.key,
            "targets": self.targets.key,
            "variants": self.variants.key,
            "verify": self.quality.key,
            "benchmark": self.measured.key,
        }
        several = (("teacher", self.teachers), ("student", self.students), ("plain", self.plain))
        for name, made in several:
            keys |= {f"{name}-{i}": each.key for i, each in enumerate(made)}
        return keys | {name: made.key for name, made in self.tuned.items()}
