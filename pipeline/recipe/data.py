"""``[data]``: where the samples come from, what they are made into and how they are split.

>>> Data(source="images:pictures").image.channels
3
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from .part import Part, Positive, across
from .task_names import TaskName

BUILT_IN = ("digits", "moved-digits")
"""Sources that need no file: scikit-learn's digits, and what the bundled demo makes of them."""
SOURCE_KINDS = {
    "npz": "FILE",
    "images": "FOLDER",
    "audio": "FOLDER",
    "text": "FILE",
    "table": "FILE",
}
"""Sources that name a file or a folder, ``KIND:PATH``; ``data.SOURCES`` reads them."""
SOURCE_FORMS = ", ".join(f"'{kind}:{path}'" for kind, path in SOURCE_KINDS.items())
"""What a recipe may say: ``'npz:FILE', …``."""


Pixels = Annotated[int, Field(ge=1, le=4096)]


class ImageForm(Part):
    """How image files become arrays."""

    size: tuple[Pixels, Pixels] | None = Field(
        None, description="Height and width to resize to; none: all images have one size."
    )
    channels: Literal[1, 3] = Field(3, description="3 for RGB, 1 for greyscale.")


class AudioForm(Part):
    """How sound becomes features. The model's metadata repeats these parameters."""

    front_end: Literal["log-mel", "mfcc", "wave"] = Field(
        "log-mel", description="Features: log-mel energies, MFCC, or the unchanged samples."
    )
    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] | None = Field(
        None, description="Hz; none: the data set's own, which all files must share."
    )
    seconds: Positive = Field(
        1.0, description="Length of a clip: longer ones are cut, shorter ones padded with silence."
    )
    window_ms: Positive = Field(30.0, description="Length of a frame, in milliseconds.")
    hop_ms: Positive = Field(20.0, description="From one frame to the next, in milliseconds.")
    mels: Annotated[int, Field(ge=4, le=256)] = Field(40, description="Number of mel bands.")
    coefficients: Annotated[int, Field(ge=2, le=128)] = Field(
        10, description="mfcc: number of coefficients, from the first."
    )
    low_hz: Annotated[float, Field(ge=0.0)] = Field(
        20.0, description="Lower edge of the mel bands."
    )
    high_hz: Positive | None = Field(
        None, description="Upper edge of the mel bands; none: half the sample rate."
    )

    @across
    def _coefficients_fit(self) -> None:
        if self.front_end == "mfcc" and self.coefficients > self.mels:
            raise ValueError(f"coefficients at most mels ({self.mels}), not {self.coefficients}")

    @across
    def _bands_fit(self) -> None:
        if self.high_hz is not None and self.high_hz <= self.low_hz:
            raise ValueError(f"high_hz above low_hz ({self.low_hz:g}), not {self.high_hz:g}")


class TextForm(Part):
    """How text becomes token ids."""

    addresses = frozenset({"tokenizer"})

    tokenizer: Path | None = Field(
        None,
        description="A tokenizer.json to use; none: one is trained on the train split.",
        strict=False,
    )
    vocabulary: Annotated[int, Field(ge=16, le=1_000_000)] = Field(
        8000, description="Largest number of tokens of a tokenizer that is trained."
    )
    max_length: Annotated[int, Field(ge=2, le=8192)] = Field(
        64, description="Tokens per sample: longer ones are cut, shorter ones padded."
    )
    lowercase: bool = Field(True, description="Whether the trained tokenizer ignores case.")


class TableForm(Part):
    """How rows become samples."""

    columns: tuple[str, ...] = Field(
        (), description="Input columns; none: every column that has no other role."
    )
    categorical: tuple[str, ...] = Field(
        (), description="Columns of categories, besides those of text."
    )
    encoding: Literal["one-hot", "ordinal"] = Field(
        "one-hot",
        description="Categories as one number for each, or as one number from 0 on.",
    )
    missing: Literal["refuse", "median", "mean", "most-frequent"] = Field(
        "refuse",
        description="What stands for a missing number, of its column in train; a missing category "
        "is one of its own.",
    )
    indicator: bool = Field(
        True,
        description="Whether a further input says where a number was missing.",
    )
    window: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="Consecutive rows (of one group) per sample; 0: each row is a sample."
    )
    stride: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="Rows from one window to the next; 0: the window's length."
    )


class Data(Part):
    """Where the samples come from and how they are split."""

    addresses = frozenset({"source", "unlabelled"})

    source: str = Field(
        description=f"'digits', 'moved-digits', a kind and a path ({SOURCE_FORMS}) "
        "or 'module:function' (a function that returns arrays).",
    )
    unlabelled: str | None = Field(
        None,
        description="More samples for train, without labels, named as in source: the student "
        "learns the teacher's answers to them. Rows of the source without a label (empty, NaN, and "
        "-1 where that is no class) are used so, too.",
    )
    task: TaskName = Field(
        "classification",
        description="What the model predicts. Without labels, what the teacher gives: vectors "
        "(embedding), logits of classes of which one is right (class-logits), or logits of labels, "
        "each by itself (label-logits).",
    )
    select_by: str | None = Field(
        None,
        description="Metric on validation by which every training keeps its best epoch, such as "
        "'balanced accuracy'; none: the score, or balanced accuracy where class_weights is set.",
    )
    layout: Literal["auto", "table", "hw", "hwc", "chw", "tc"] = Field(
        "auto",
        description="Meaning of the axes of one sample; 'auto': by rank and number of channels.",
    )
    labels: tuple[str, ...] = Field(
        (),
        description="Names of the classes in the order of the labels, or of the numbers of a "
        "regression.",
    )
    units: tuple[str, ...] = Field(
        (),
        description="Units of the numbers of a regression, such as USD: one for each, or one for "
        "all.",
    )
    target: tuple[str, ...] = Field(
        (), description="Columns of labels in a table or text file; none: 'label' or 'y'."
    )
    group: str = Field(
        "group",
        description="Column of groups, each of which stays in one split: speaker, subject, site; "
        '"": ignore groups.',
    )
    test_groups: tuple[str | int, ...] = Field(
        (), description="Groups that are test; none: drawn at random."
    )
    validation_groups: tuple[str | int, ...] = Field(
        (), description="Groups that are validation; none: drawn at random."
    )
    validation_by: Literal["group", "row"] = Field(
        "group",
        description="Whether validation has groups of its own or rows of train's groups, as where "
        "there are few groups.",
    )
    id: str = Field("id", description="Column that identifies a sample, for recorded answers.")
    column: str = Field("text", description="Column that holds the text.")
    ignore: tuple[str, ...] = Field(
        (), description="Arrays of an archive, or columns of a table, that are not used."
    )
    mean: tuple[float, ...] = Field(
        (),
        description="Mean per channel, or one for all, in the data's own units; empty: measured "
        "on train.",
    )
    std: tuple[Positive, ...] = Field(
        (),
        description="Standard deviation per channel, or one for all; empty: measured on train.",
    )
    test: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.2, description="Fraction used for test, where the source has no test split."
    )
    validation: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.1, description="Fraction used for validation, where the source has no such split."
    )
    calibration: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.1, description="Fraction used for calibration, where the source has no such split."
    )
    duplicates: Literal["refuse", "drop", "allow"] = Field(
        "refuse",
        description="What to do with a sample that is in two splits; 'drop' keeps it only in the "
        "first of test, validation, calibration, train that has it.",
    )
    image: ImageForm = Field(default_factory=lambda: ImageForm())
    audio: AudioForm = Field(default_factory=lambda: AudioForm())
    text: TextForm = Field(default_factory=lambda: TextForm())
    table: TableForm = Field(default_factory=lambda: TableForm())

    @across
    def _splits_leave_a_train_set(self) -> None:
        held_out = self.test + self.validation + self.calibration
        if held_out >= 1.0:
            raise ValueError(f"test + validation + calibration below 1, not {held_out:g}")

    @across
    def _moments_are_of_the_same_channels(self) -> None:
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise ValueError(
                f"as many values of std as of mean ({len(self.mean)}), not {len(self.std)}"
            )
        if bool(self.mean) != bool(self.std):
            found, missing = ("mean", "std") if self.mean else ("std", "mean")
            raise ValueError(f"mean and std together, or neither; found {found}, and no {missing}")

    @across
    def _groups_are_in_one_split(self) -> None:
        both = {str(name) for name in self.test_groups} & {
            str(name) for name in self.validation_groups
        }
        if both:
            raise ValueError(f"each group in one split, and {sorted(both)[0]!r} is in two")
