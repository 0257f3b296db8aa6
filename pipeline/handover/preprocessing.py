"""``preprocessing.json``: how raw input becomes the model's input, and what its outputs mean.

>>> document(report.data, report.variants.student)["normalization"]["inside"]    # doctest: +SKIP
True

It repeats the records of the data stage, so that nothing has to be read out of a model's metadata,
which formats other than ``.onnx`` do not have.
"""

from typing import Any

from ...exporters.interface import INPUT, OUTPUT
from .. import tasks
from ..records import DataRecord, ModelRecord

SCHEMA_VERSION = "1.0"
LAYOUTS = {
    "table": "columns",
    "hw": "height, width",
    "hwc": "height, width, channels",
    "chw": "channels, height, width",
    "tc": "time, channels",
    "tokens": "token ids, padded at their end",
}
"""What the axes of one sample mean, behind the axis of samples."""


def document(data: DataRecord, student: ModelRecord) -> dict[str, Any]:
    """The preprocessing of a run, as JSON.

    Args:
        data: what the data stage wrote.
        student: the model that was exported.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "task": data.task,
        "input": {
            "name": INPUT,
            "dtype": data.dtype,
            "sample_shape": list(data.sample_shape),
            "layout": data.layout,
            "axes": f"samples, {LAYOUTS[data.layout]}",
        },
        "normalization": _normalization(data, student),
        "raw_input": data.front_end,
        "raw_input_note": _raw(data),
        "tokenizer": _tokenizer(data),
        "output": {
            "name": OUTPUT,
            "dtype": "float32",
            "numbers": student.outputs,
            **_decoding(data),
        },
        "labels": list(data.labels),
        "units": list(data.units),
    }


def _normalization(data: DataRecord, student: ModelRecord) -> dict[str, Any]:
    known = student.normalized and data.mean
    return {
        "inside": True,
        "note": "The model normalizes by itself: it takes values as they are in the data set.",
        "formula": "(x - mean) / std, per channel or column" if known else None,
        "mean": list(data.mean) if known else None,
        "std": list(data.std) if known else None,
    }


def _raw(data: DataRecord) -> str:
    """Where the input comes from, in a sentence."""
    front_end = data.front_end or {}
    if data.layout == "tokens":
        return (
            "The tokenizer's file cuts and pads a text to max_length; its ids are the model's "
            "input. Where the model's second axis is open, a text may be shorter."
        )
    if front_end.get("kind") == "image":
        resized = front_end.get("resize")
        size = f"{resized}, with antialiasing when it shrinks" if resized else "not resized"
        return (
            "Rotate an image as its EXIF orientation says, take 8 bits a channel (of 16 the high "
            "ones), draw transparent parts over black, convert it to the channels below (L by "
            f"ITU-R BT.601), {size} to height by width, which may change its aspect ratio. Pillow "
            "does the same."
        )
    if front_end.get("kind") == "table":
        return (
            "Encode the columns in their order, as 'encoding' says: a number as it is, or "
            "'missing' where it is missing (with 'indicator' a second number: 1 where it was); a "
            "category one-hot over 'categories', or as its place there, -1 where it is not one."
        )
    if front_end:
        return "Compute the features as described; every step and parameter is listed."
    return "The arrays of the data set are the model's input, without any step before it."


def _tokenizer(data: DataRecord) -> dict[str, Any] | None:
    """The tokenizer's files; its special ids stand in ``raw_input``."""
    if data.layout != "tokens":
        return None
    return {"files": [f"models/{name}" for name in data.files]}


def _decoding(data: DataRecord) -> dict[str, Any]:
    """What the outputs are, and how they become an answer."""
    task = tasks.of(data.task)
    if task.exclusive:
        return {
            "decode": "argmax",
            "note": "logits; softmax gives probabilities, the largest is the class in 'labels'",
        }
    if task.label_units:
        return {"decode": "numbers", "note": "numbers in the units of the labels, one a label"}
    if task.probabilities is not None:
        return {
            "decode": "sigmoid",
            "threshold": 0.5,
            "note": "logits; sigmoid gives the probability of each label by itself",
        }
    return {"decode": "vector", "note": "the teacher's vector; compare vectors by their cosine"}
