"""The outputs of all stages of one build."""

from dataclasses import dataclass

from ..engine.stage import Made
from ..records import (
    BenchmarkRecord,
    DataRecord,
    Int8PlainRecord,
    ModelRecord,
    TargetsRecord,
    TunedRecord,
    VariantsRecord,
    VerifyRecord,
)


@dataclass(frozen=True, slots=True)
class Flow:
    """The outputs of all stages."""

    data: Made[DataRecord]
    teachers: tuple[Made[ModelRecord], ...]
    targets: Made[TargetsRecord]
    students: tuple[Made[ModelRecord], ...]
    plain: tuple[Made[ModelRecord], ...]
    labelled: tuple[Made[ModelRecord], ...]
    tuned: dict[str, Made[TunedRecord]]
    variants: Made[VariantsRecord]
    int8_plain: Made[Int8PlainRecord] | None
    quality: Made[VerifyRecord]
    measured: Made[BenchmarkRecord]

    def keys(self) -> dict[str, str]:
        """The key of every stage, by a name that is unique in the build."""
        keys = {
            "data": self.data.key,
            "targets": self.targets.key,
            "variants": self.variants.key,
            "verify": self.quality.key,
            "benchmark": self.measured.key,
        }
        several = (
            ("teacher", self.teachers),
            ("student", self.students),
            ("plain", self.plain),
            ("labelled", self.labelled),
        )
        for name, models in several:
            keys |= {f"{name}-{number}": model.key for number, model in enumerate(models)}
        if self.int8_plain is not None:
            keys["int8-plain"] = self.int8_plain.key
        return keys | {name: tuned.key for name, tuned in self.tuned.items()}
