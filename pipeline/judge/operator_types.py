"""The time of operators, added up by type."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..records import OperatorTime


@dataclass(frozen=True, slots=True)
class Kind:
    """All operators of one type.

    Attributes:
        op: the type, as the runtime calls it.
        count: how many there are.
        us: microseconds a query.
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
        """Operations a byte."""
        return self.operations / self.bytes if self.operations and self.bytes else None

    @property
    def gop_s(self) -> float | None:
        """Attained, 10^9 operations a second."""
        return self.operations / self.us / 1e3 if self.operations and self.us else None

    @property
    def attained(self) -> float | None:
        """Fraction of the roof."""
        return self.roof_us / self.us if self.roof_us is not None and self.us else None


def by_type(operators: Sequence[OperatorTime]) -> tuple[Kind, ...]:
    """The operators by the runtime's type, the slowest first."""
    groups: dict[str, list[OperatorTime]] = defaultdict(list)
    for one in operators:
        groups[one.op].append(one)
    kinds = [
        Kind(
            op=op,
            count=len(each),
            us=sum(one.us for one in each),
            share=sum(one.share for one in each),
            macs=total([one.macs for one in each]),
            operations=total([one.operations for one in each]),
            parameters=sum(one.parameters for one in each),
            bytes=total([one.bytes for one in each]),
            roof_us=_sum_us([one.roof_us for one in each]),
        )
        for op, each in groups.items()
    ]
    return tuple(sorted(kinds, key=lambda one: -one.us))


def slowest(operators: Sequence[OperatorTime], most: int) -> tuple[OperatorTime, ...]:
    """So many of them, the slowest first."""
    return tuple(sorted(operators, key=lambda one: -one.us)[:most])


def total(values: Sequence[int | None]) -> int | None:
    """The sum, None where one is not known."""
    known = [one for one in values if one is not None]
    return sum(known) if len(known) == len(values) else None


def _sum_us(values: Sequence[float | None]) -> float | None:
    """The sum, None where one is not known."""
    known = [one for one in values if one is not None]
    return sum(known) if len(known) == len(values) else None
