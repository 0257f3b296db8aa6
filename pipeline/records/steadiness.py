"""Whether a file answers one input in one way."""

from collections.abc import Iterable
from pathlib import Path

from ...errors import ModelError
from .record import Record

SAME = 1e-5
"""Of an output's largest value: one file, one input and one thread give the same bits."""
ALONE = 1e-3
"""The same for a sample alone and among others, whose sums may be taken in another order."""
ALONE_FP16 = 1e-2
"""The same of outputs in half precision."""
SEVERAL_WAYS = "answers one input in several ways"


class Steadiness(Record):
    """The answers to the same samples again, in another session, and one by one.

    Differences are shares of the largest value of the output in which they are largest.
    """

    samples: int
    again: float
    """Between two runs in one session."""
    session: float
    """Between two sessions."""
    alone: float | None
    """Between a sample alone and among the others; None where the file does not claim that they are
    the same: an int8 file takes ranges from the batch or rounds another sum otherwise, and a fixed
    first axis takes no single sample."""
    alone_tolerance: float = ALONE

    @property
    def faults(self) -> tuple[str, ...]:
        """What makes its answers meaningless, a sentence each."""
        found = []
        if self.again > SAME:
            found.append(
                f"{SEVERAL_WAYS}: asked again, an output differs by "
                f"{self.again:.2g} of its largest value"
            )
        elif self.session > SAME:
            found.append(
                f"{SEVERAL_WAYS}: in another session, an output differs by "
                f"{self.session:.2g} of its largest value"
            )
        if not found and self.alone is not None and self.alone > self.alone_tolerance:
            found.append(
                f"answers depend on the other samples of a batch: alone, an output differs by "
                f"{self.alone:.2g} of its largest value"
            )
        return tuple(found)


def require_one_answer(path: Path, faults: Iterable[str]) -> None:
    """Refuse a model that answers one input in several ways.

    Args:
        path: the model's file.
        faults: of ``Steadiness.faults``.

    Raises:
        ModelError: it does.
    """
    for fault in faults:
        if fault.startswith(SEVERAL_WAYS):
            raise ModelError(
                f"a model that {fault}",
                expected="one answer to one input",
                where=str(path),
                fix="export it in eval mode",
            )
