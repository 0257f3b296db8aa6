"""``[augment]``: how samples are varied in training."""

from typing import Annotated

from pydantic import Field

from .part import Part


class Augment(Part):
    """How a sample is varied in training. View v of a sample is the same in every epoch.

    A key that does not suit the kind of data (a flip of a table) is an error.
    """

    crop: Annotated[int, Field(ge=0, le=512)] = Field(
        0, description="Images: shift by up to this many pixels each way; the gap is zeros."
    )
    flip: bool = Field(False, description="Images: mirror left and right, in half of the views.")
    mixup: Annotated[float, Field(ge=0.0, le=0.5)] = Field(
        0.0,
        description="Images, sound, windows: mix with up to this share of another sample "
        "(Zhang 2018; Beyer 2022).",
    )
    shift: Annotated[int, Field(ge=0, le=100_000)] = Field(
        0, description="Sound, windows: shift in time by up to this many frames each way."
    )
    time_mask: Annotated[int, Field(ge=0, le=100_000)] = Field(
        0, description="Sound, windows: mask up to this many consecutive frames (Park 2019)."
    )
    frequency_mask: Annotated[int, Field(ge=0, le=4096)] = Field(
        0, description="Sound: mask up to this many neighbouring bands (Park 2019)."
    )
    noise: Annotated[float, Field(ge=0.0, le=10.0)] = Field(
        0.0, description="Tables, windows: Gaussian noise, in standard deviations of each column."
    )
    token_dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Text: mask each token with this probability."
    )

    @property
    def varies(self) -> bool:
        """Whether any key is set, so that views of a sample differ."""
        return any(self.model_dump().values())
