"""What the data stage wrote."""

from typing import Literal

from pydantic import Field

from ..recipe.task_names import TaskName
from .record import Record

Split = Literal["train", "validation", "calibration", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "calibration", "test")
Layout = Literal["table", "hw", "hwc", "chw", "tc", "tokens"]
"""What the axes of one sample mean: t is time, c channels; tokens are ids, padded behind."""


class DataRecord(Record):
    """The data set in files: ``x_<split>.npy`` and ``y_<split>.npy``, memory-mappable."""

    source: str
    task: TaskName
    labels: tuple[str, ...]
    """Names of the classes, or of the numbers of a regression."""
    sample_shape: tuple[int, ...]
    layout: Layout
    dtype: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rows: dict[str, int]
    """Samples of each split that have a label, or all of them where a task has none."""
    unlabelled: int = 0
    """Further samples of train, which have no label: a student learns the teacher's answers to
    them. They come last in ``x_train.npy``."""
    counts: dict[str, tuple[int, ...]]
    """Samples of each class (multi-label: with that label), by split; empty without classes."""
    answer_mean: tuple[float, ...] = ()
    answer_std: tuple[float, ...] = ()
    """Of each number of a regression, in train."""
    units: tuple[str, ...] = ()
    """Of each number of a regression; empty where the recipe names none."""
    vocabulary: int = 0
    """Token ids in use, of text."""
    pad: int = 0
    """The id behind the end of a text."""
    unknown: int = 0
    """The id for tokens outside the vocabulary; also used to mask a token."""
    front_end: dict[str, object] | None = None
    """Preprocessing of sound or text before the model; also in the metadata of its files."""
    files: tuple[str, ...] = ()
    """Files that must ship with the model, such as its tokenizer."""
    identified: bool = False
    """Whether ``id_<split>.npy`` names each sample."""
    groups: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Samples of each group, by split; ``group_<split>.npy`` has the group of each sample of these
    splits. Empty without groups."""
    asked: dict[str, float] = Field(default_factory=dict)
    """The fraction of all samples that the recipe asked for, of each split that was drawn."""
    dropped: int
    """Samples removed because they were in two splits."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """What a reader of the verdict has to know about the data; on the first page."""
    fingerprint: str

    def samples(self, split: Split) -> int:
        """Samples in a split."""
        return self.rows[split]

    @property
    def unit(self) -> str:
        """The unit that all numbers of a regression share; empty where there is none."""
        return self.units[0] if len(set(self.units)) == 1 else ""

    @property
    def classes(self) -> int:
        """Number of classes; of a regression, of numbers."""
        return len(self.labels)
