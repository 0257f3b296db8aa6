"""``preprocessing.json``: how raw input becomes the model's input, and what its outputs mean.

>>> document(report.data, report.variants)["inside"]                      # doctest: +SKIP
['normalize', 'softmax']

It repeats the records of the data stage, so that nothing has to be read out of a model's metadata,
which formats other than ``.onnx`` do not have.
"""

from typing import Any

from ...exporters.axes import ordered
from ...exporters.interface import INPUT, Activation, output_of
from .. import tasks
from ..recipe.export import NORMALIZE
from ..records import DataRecord, ModelRecord, VariantsRecord

SCHEMA_VERSION = "1.2"
LAYOUTS = {
    "table": "columns",
    "hw": "height, width",
    "hwc": "height, width, channels",
    "chw": "channels, height, width",
    "tc": "time, channels",
    "tokens": "token ids, padded at their end",
}
"""What the axes of one sample mean, behind the axis of samples."""


def document(data: DataRecord, variants: VariantsRecord) -> dict[str, Any]:
    """The preprocessing of a run, as JSON.

    Args:
        data: what the data stage wrote.
        variants: of the model that was exported.
    """
    student, activation = variants.student, variants.activation
    return {
        "schema_version": SCHEMA_VERSION,
        "task": data.task,
        "inside": [NORMALIZE, *([activation] if activation else [])],
        "left_to_the_app": {"before": _before(data), "behind": _decoding(data, activation)["left"]},
        "input": {
            "name": INPUT,
            "dtype": data.dtype,
            "sample_shape": list(data.sample_shape),
            "layout": data.layout,
            "axes": f"samples, {LAYOUTS[data.layout]}",
            "in_other_formats": _in_other_formats(data, variants),
        },
        "normalization": _normalization(data, student),
        "raw_input": data.front_end,
        "raw_input_note": _raw(data),
        "tokenizer": _tokenizer(data),
        "output": {
            "name": output_of(activation),
            "dtype": "float32",
            "numbers": student.outputs,
            **{key: value for key, value in _decoding(data, activation).items() if key != "left"},
        },
        "labels": list(data.labels),
        "units": list(data.units),
    }


def _in_other_formats(data: DataRecord, variants: VariantsRecord) -> dict[str, Any]:
    """By format the input that its files take, where that is another type or order of axes.

    The integers of a file that takes them stand for these numbers.
    """
    found = {}
    for package in (package for one in variants.variants for package in one.packages):
        port = package.input
        if port is None or (port.axes is None and port.scale is not None):
            continue
        names = LAYOUTS[data.layout].split(", ")
        axes = port.axes or range(len(names) + 1)
        found[package.format] = {
            "dtype": port.dtype if port.scale is None else data.dtype,
            "sample_shape": list(ordered((0, *data.sample_shape), axes)[1:]),
            "axes": ", ".join(("samples", *names)[axis] for axis in axes),
        }
    return found


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
        several = " A sample is a window of 'window' rows in their order."
        window = several if front_end.get("window") else ""
        if "encoding" not in front_end:
            return f"Take the columns in their order, as they are.{window}"
        return (
            "Encode the columns in their order, as 'encoding' says: a number as it is, or "
            "'missing' where it is missing (with 'indicator' a second number: 1 where it was); a "
            "category one-hot over 'categories', or as its place there, -1 where it is not one; a "
            f"missing category is null.{window}"
        )
    if front_end:
        return "Compute the features as described; every step and parameter is listed."
    return "The arrays of the data set are the model's input, without any step before it."


def _tokenizer(data: DataRecord) -> dict[str, Any] | None:
    """The tokenizer's files; its special ids stand in ``raw_input``."""
    if data.layout != "tokens":
        return None
    return {"files": [f"models/{name}" for name in data.files]}


def _before(data: DataRecord) -> str:
    """What the app does before it runs the model."""
    if data.layout == "tokens":
        return "make token ids of the text: see 'tokenizer' and 'raw_input_note'"
    if data.front_end is not None:
        return "make the model's input of the raw input: see 'raw_input' and 'raw_input_note'"
    return "nothing: the model takes the values of the data set as they are"


def _decoding(data: DataRecord, activation: Activation | None) -> dict[str, Any]:
    """What the outputs are, how they become an answer, and what of it is left to the app."""
    task = tasks.of(data.task)
    if task.exclusive:
        note = "the largest is the class" + (" in 'labels'" if data.labels else ", by its number")
        if activation:
            note = f"probabilities, which add up to 1; {note}"
            return {"decode": "argmax", "note": note, "left": "take the largest"}
        note = f"logits; softmax gives probabilities, {note}"
        return {"decode": "argmax", "note": note, "left": "softmax for probabilities; the largest"}
    if task.label_units:
        note = "numbers in the units of the labels, one a label"
        return {"decode": "numbers", "note": note, "left": "nothing"}
    if task.probabilities is not None:
        note = "the probability of each label by itself"
        if activation:
            return {
                "decode": "threshold",
                "threshold": 0.5,
                "note": note,
                "left": "compare each with the threshold",
            }
        return {
            "decode": "sigmoid",
            "threshold": 0.5,
            "note": f"logits; sigmoid gives {note}",
            "left": "sigmoid of each; compare it with the threshold",
        }
    note = "the teacher's vector; compare vectors by their cosine"
    return {"decode": "vector", "note": note, "left": "nothing"}
