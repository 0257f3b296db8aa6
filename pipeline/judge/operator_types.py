"""The time of operators, added up by type."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..records import OperatorTime


@dataclass(frozen=True, slots=True)
class Kind:
    """All operators of one type.

    Attributes:
        op: the runtime's name of the type.
        count: how many there are.
        us: microseconds per query.
        share: of the query.
        macs: None where one could not be counted.
        operations: likewise.
        parameters: trained numbers.
        bytes: read and written; None where one is unknown.
        roof_us: at the roof; None where one has none.
    """

    op: str
    count: int
    us: float
    share: float
    macs: int | None
    operations: int | None
    parameters: int
    bytes: int | None
    roof_us: float | None

    @property
    def intensity(self) -> float | None:
        """Operations per byte."""
        return self.operations / self.bytes if self.operations and self.bytes else None

    @property
    def gop_s(self) -> float | None:
        """Attained, 10^9 operations per second."""
        return self.operations / self.us / 1e3 if self.operations and self.us else None

    @property
    def attained(self) -> float | None:
        """Fraction of the roof."""
        return self.roof_us / self.us if self.roof_us is not None and self.us else None


def by_type(operators: Sequence[OperatorTime]) -> tuple[Kind, ...]:
    """The operators by the runtime's type, the slowest first."""
    groups: dict[str, list[OperatorTime]] = defaultdict(list)
    for operator in operators:
        groups[operator.op].append(operator)
    kinds = [
        Kind(
            op=op,
            count=len(members),
            us=sum(member.us for member in members),
            share=sum(member.share for member in members),
            macs=total([member.macs for member in members]),
            operations=total([member.operations for member in members]),
            parameters=sum(member.parameters for member in members),
            bytes=total([member.bytes for member in members]),
            roof_us=_sum_us([member.roof_us for member in members]),
        )
        for op, members in groups.items()
    ]
    return tuple(sorted(kinds, key=lambda kind: -kind.us))


def slowest(operators: Sequence[OperatorTime], most: int) -> tuple[OperatorTime, ...]:
    """The slowest operators, at most this number, the slowest first."""
    return tuple(sorted(operators, key=lambda operator: -operator.us)[:most])


def total(values: Sequence[int | None]) -> int | None:
    """The sum, None where one is not known."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) if len(numbers) == len(values) else None


def _sum_us(values: Sequence[float | None]) -> float | None:
    """The sum, None where one is not known."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) if len(numbers) == len(values) else None
