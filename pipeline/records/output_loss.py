"""One output of a model, compared with the same output of the model that it was made from."""

from typing import Literal

from .record import Record

Measure = Literal["classes", "numbers", "equality", "none"]


class OutputLoss(Record):
    """How far one output is from the source model's, over some samples."""

    name: str
    measure: Measure
    """``classes``: the likeliest class of each row of the last axis; ``numbers``: by their error;
    ``equality``: integers, booleans and texts; ``none``: not compared."""
    rows: int
    """Rows compared: samples, or of classes by position (texts, pictures) positions."""
    changed: int | None = None
    """Rows with another class, or with another value where equality is the measure."""
    relative_error: float | None = None
    """Of numbers and classes: root mean square difference over the source's root mean square."""
    error_over_spread: float | None = None
    """The same over the source's standard deviation across samples: at 1 the output is no nearer
    than its mean. None where the source is (almost) the same for all samples."""
    max_abs_difference: float | None = None
    missing: str | None = None
    """Why it was not compared."""
    destroyed: str | None = None
    """Why nothing of this output is to be trusted; None where it is not destroyed."""

    @property
    def damage(self) -> float:
        """The mean squared difference over the mean square; 1 where there is no such figure."""
        if self.relative_error is not None:
            return self.relative_error**2
        return self.lost

    @property
    def lost(self) -> float:
        """The share of rows changed; of numbers the relative error; 1 for what is destroyed so."""
        if self.measure in ("classes", "equality") and self.changed is not None and self.rows:
            return self.changed / self.rows
        if self.relative_error is not None:
            return self.relative_error
        return 0.0 if self.destroyed is None else 1.0
