"""The outputs of all stages of one build."""

from dataclasses import dataclass

from ..engine.stage import Made
from ..records import (
    AdaptationRecord,
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
    targets: Made[TargetsRecord] | None
    students: tuple[Made[ModelRecord], ...]
    plain: tuple[Made[ModelRecord], ...]
    labelled: tuple[Made[ModelRecord], ...]
    tuned: dict[str, Made[TunedRecord]]
    variants: Made[VariantsRecord]
    int8_plain: Made[Int8PlainRecord] | None
    scratch: tuple[Made[ModelRecord], ...]
    fewer: tuple[tuple[Made[ModelRecord], ...], ...]
    shorter: tuple[tuple[Made[ModelRecord], ...], ...]
    adaptation: Made[AdaptationRecord] | None
    quality: Made[VerifyRecord]
    measured: Made[BenchmarkRecord]

    def keys(self) -> dict[str, str]:
        """The key of every stage, by a name that is unique in the build."""
        keys = {
            "data": self.data.key,
            "variants": self.variants.key,
            "verify": self.quality.key,
            "benchmark": self.measured.key,
        }
        several = [
            ("teacher", self.teachers),
            ("student", self.students),
            ("plain", self.plain),
            ("labelled", self.labelled),
            ("scratch", self.scratch),
            *((f"fewer-{at}", models) for at, models in enumerate(self.fewer)),
            *((f"shorter-{at}", models) for at, models in enumerate(self.shorter)),
        ]
        for name, models in several:
            keys |= {f"{name}-{number}": model.key for number, model in enumerate(models)}
        for name, one in (
            ("targets", self.targets),
            ("int8-plain", self.int8_plain),
            ("adaptation", self.adaptation),
        ):
            if one is not None:
                keys[name] = one.key
        return keys | {name: tuned.key for name, tuned in self.tuned.items()}
