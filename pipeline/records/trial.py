"""What the trial of a user's own module found before anything was trained."""

from .record import Record


class TrialRecord(Record):
    """A module of the user that takes a training step and is exported, both without a fault."""

    model: str
    parameters: int
    trained: int
    """Parameters that the step's gradient reaches; 0 for a model that is not trained here."""
