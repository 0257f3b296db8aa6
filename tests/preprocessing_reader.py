"""A reader of ``preprocessing.json`` that shares no code with edgestill: numpy and the JSON alone.

It does with raw samples what an app would have to do, for the sources whose preprocessing the
document describes: tables, images, sound and texts.
"""

import itertools
import json
import re
import unicodedata

import numpy as np


def rows_of_table(told, rows):
    """Rows of a table, dictionaries of texts with "" for a missing one, float32 [n, inputs]."""
    raw = told["raw_input"]
    if "encoding" not in raw:
        return np.float32([[float(row[name]) for name in raw["columns"]] for row in rows])
    return np.float32(
        [[x for c in raw["encoding"] for x in _encoded(c, row[c["column"]])] for row in rows]
    )


def _encoded(column, text):
    if column["kind"] == "number":
        number = column["missing"] if text == "" else float(text)
        return [number, float(text == "")] if column.get("indicator") else [number]
    value, known = text or None, column["categories"]
    if column["encoding"] == "one-hot":
        return [float(value == one) for one in known]
    return [float(known.index(value)) if value in known else -1.0]


def windows_of_table(told, rows):
    """Windows of consecutive rows, float32 [n, window, columns]."""
    raw, cells = told["raw_input"], rows_of_table(told, rows)
    starts = range(0, len(cells) - raw["window"] + 1, raw["stride"])
    return np.stack([cells[start : start + raw["window"]] for start in starts])


def features_of_sound(told, clip):
    """A clip, int16 [samples], as the model's input."""
    raw = told["raw_input"]
    fitted = np.zeros(raw["clip_samples"], clip.dtype)
    kept = clip[: len(fitted)]
    fitted[: len(kept)] = kept
    if raw["front_end"] == "wave":
        return fitted[:, None]
    x = fitted / 32768
    size, fft = raw["window_samples"], raw["fft_size"]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    hz = np.arange(fft // 2 + 1) * raw["sample_rate_hz"] / fft
    edges = raw["mel_edges_hz"]
    filters = np.stack(
        [
            np.interp(hz, edges[b : b + 3], [0.0, 1.0, 0.0], left=0.0, right=0.0)
            for b in range(raw["mels"])
        ]
    )
    features = []
    for t in range(raw["frames"]):
        start = t * raw["hop_samples"]
        spectrum = np.fft.rfft(x[start : start + size] * hann, fft)
        features.append(np.log(np.maximum(filters @ np.abs(spectrum) ** 2, raw["log_floor"])))
    features = np.array(features)
    if raw["front_end"] == "mfcc":
        k, b = np.arange(raw["coefficients"])[:, None], np.arange(raw["mels"])
        basis = np.sqrt(2 / raw["mels"]) * np.cos(np.pi * k * (b + 0.5) / raw["mels"])
        basis[0] = np.sqrt(1 / raw["mels"])
        features = features @ basis.T
    return features.astype(np.float32)


def pixels_of_image(told, image, orientation=1):
    """An image, uint8 or uint16 [height, width] or [height, width, 3 or 4], as uint8 pixels."""
    raw = told["raw_input"]
    image = {1: lambda x: x, 3: lambda x: x[::-1, ::-1], 6: lambda x: np.rot90(x, -1, (0, 1))}[
        orientation
    ](image)
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 4:
        alpha = image[..., 3:] / 255.0
        image = np.rint(image[..., :3] * alpha).astype(np.uint8)
    if raw["channels"] == "L" and image.ndim == 3:
        image = np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    if raw["channels"] == "RGB" and image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if raw["resize"] == "bilinear":
        wide = _resized(image.swapaxes(0, 1), raw["width"]).swapaxes(0, 1)
        image = _resized(wide, raw["height"])
    return image


def _resized(image, size):
    """The first axis resized by a triangle as wide as the step, at least one pixel; uint8."""
    old = image.shape[0]
    step = old / size
    reach = max(step, 1.0)
    centres = (np.arange(size) + 0.5) * step
    distance = np.abs(np.arange(old) + 0.5 - centres[:, None]) / reach
    weights = np.maximum(0.0, 1.0 - distance)
    weights /= weights.sum(1, keepdims=True)
    return np.rint(np.tensordot(weights, image.astype(float), 1)).astype(np.uint8)


def ids_of_text(told, tokenizer, text):
    """The token ids of a text by a ``tokenizer.json`` of byte-level BPE, int32 [max_length]."""
    raw, model = told["raw_input"], tokenizer["model"]
    plain = unicodedata.normalize("NFKC", text)
    plain = plain.lower() if raw["lowercase"] else plain
    plain = plain if plain.startswith(" ") else f" {plain}"
    ranks = {tuple(_pair(merge)): rank for rank, merge in enumerate(model["merges"])}
    ids = [model["vocab"]["[CLS]"]]
    for word in _WORDS.findall(plain):
        pieces = [_SHOWN[byte] for byte in word.encode()]
        while len(pieces) > 1:
            found = [ranks.get(pair, len(ranks)) for pair in itertools.pairwise(pieces)]
            best = min(found)
            if best == len(ranks):
                break
            at = found.index(best)
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
        ids += [model["vocab"].get(piece, raw["unknown"]) for piece in pieces]
    ids = ids[: raw["max_length"]]
    return np.int32(ids + [raw["pad"]] * (raw["max_length"] - len(ids)))


def _pair(merge):
    return merge.split(" ") if isinstance(merge, str) else merge


_WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
"""GPT-2's words (Radford et al. 2019), by Python's classes of characters."""


def _shown_bytes():
    """GPT-2's characters for bytes: printable ones are themselves, others follow from 256 on."""
    plain = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)}
    plain |= set(range(ord("®"), ord("ÿ") + 1))
    others = iter(range(256, 512))
    return {byte: chr(byte if byte in plain else next(others)) for byte in range(256)}


_SHOWN = _shown_bytes()


def read(text):
    """The document, from its text."""
    return json.loads(text)
