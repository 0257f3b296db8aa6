"""What ``preprocessing.json`` says is enough to make the data stage's arrays of raw samples."""

import csv
import io
import json

import numpy as np
import preprocessing_reader as reader
import pytest
import run_example
import torch
from edgestill.pipeline.handover.preprocessing import document
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.records import SPLITS
from small_builds import SAID, until

VARIANTS = run_example.report().variants
ROWS = 120


def told_and_arrays(folder, *overrides):
    """The document as a reader gets it, and the samples that were written, by their id."""
    made = until(folder, "data", *overrides)
    arrays = {}
    for split in SPLITS:
        ids = np.load(made.path / f"id_{split}.npy").tolist()
        arrays |= dict(zip(ids, np.load(made.path / f"x_{split}.npy"), strict=True))
    told = reader.read(json.dumps(document(made.record, VARIANTS)))
    assert {str(row) for row in range(len(arrays))} == set(arrays)
    assert next(iter(arrays.values())).shape == tuple(told["input"]["sample_shape"])
    assert next(iter(arrays.values())).dtype == told["input"]["dtype"]
    return told, arrays, made


def table(folder):
    """Rows with a category, numbers and holes in both."""
    random = np.random.default_rng(0)
    rows = []
    for row in range(ROWS):
        size = "" if random.random() < 0.1 else f"{random.normal():.6f}"
        colour = random.choice(["red", "green", "blue", ""])
        rows.append({"id": str(row), "size": size, "colour": str(colour)})
        rows[-1] |= {"weight": f"{random.normal() * 1e3:.9g}", "label": ("a", "b")[row % 2]}
    with (folder / "rows.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


@pytest.mark.parametrize("encoding", ["one-hot", "ordinal"])
@pytest.mark.parametrize("missing", ["mean", "most-frequent"])
def test_a_row_of_a_table_is_encoded_by_the_document_alone(tmp_path, encoding, missing):
    rows = table(tmp_path)
    told, arrays, _ = told_and_arrays(
        tmp_path,
        f"data.source=table:{tmp_path}/rows.csv",
        f"data.table.encoding={encoding}",
        f"data.table.missing={missing}",
    )
    found = reader.rows_of_table(told, rows)
    kinds = {column["column"]: column["kind"] for column in told["raw_input"]["encoding"]}
    assert kinds == {"size": "number", "colour": "category", "weight": "number"}
    for row, x in zip(rows, found, strict=True):
        np.testing.assert_array_equal(x, arrays[row["id"]])


def test_a_table_of_numbers_is_its_columns_in_their_order(tmp_path):
    rows = table(tmp_path)
    told, arrays, _ = told_and_arrays(
        tmp_path, f"data.source=table:{tmp_path}/rows.csv", 'data.ignore=["size","colour"]'
    )
    assert "as they are" in told["raw_input_note"]
    found = reader.rows_of_table(told, rows)
    for row, x in zip(rows, found, strict=True):
        np.testing.assert_array_equal(x, arrays[row["id"]])


def test_windows_of_a_table_are_rows_one_after_the_other(tmp_path):
    random = np.random.default_rng(1)
    rows = [
        {"a": f"{random.normal():.7f}", "b": f"{random.normal():.7f}", "id": str(row // 5)}
        | {"label": ("x", "y")[row // 5 % 2]}
        for row in range(5 * ROWS)
    ]
    with (tmp_path / "rows.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    told, arrays, _ = told_and_arrays(
        tmp_path, f"data.source=table:{tmp_path}/rows.csv", "data.table.window=5"
    )
    assert "window" in told["raw_input_note"]
    found = reader.windows_of_table(told, rows)
    for row, x in enumerate(found):
        np.testing.assert_array_equal(x, arrays[str(row)])


def sounds(folder):
    """Clips of several lengths, longer and shorter than a sample."""
    random = np.random.default_rng(2)
    clips = [
        (random.normal(scale=3000.0, size=random.integers(500, 1500))).astype(np.int16)
        for _ in range(60)
    ]
    offsets = np.cumsum([0, *map(len, clips)])
    np.savez(
        folder / "clips.npz",
        audio=np.concatenate(clips),
        offsets=offsets,
        label=np.arange(len(clips)) % 2,
        sample_rate=8000,
        id=np.arange(len(clips)),
    )
    return clips


@pytest.mark.parametrize("front_end", ["log-mel", "mfcc", "wave"])
def test_features_of_sound_are_computed_by_the_document_alone(tmp_path, front_end):
    clips = sounds(tmp_path)
    told, arrays, _ = told_and_arrays(
        tmp_path,
        f"data.source=audio:{tmp_path}/clips.npz",
        f"data.audio.front_end={front_end}",
        "data.audio.seconds=0.125",
        "data.audio.mels=20",
        "data.audio.high_hz=3500.0",
    )
    for row, clip in enumerate(clips):
        found = reader.features_of_sound(told, clip)
        assert found.dtype == told["input"]["dtype"]
        np.testing.assert_allclose(found, arrays[str(row)], rtol=1e-6, atol=1e-6)


def pictures(folder, size):
    """Images of many kinds as PNG streams, and their pixels and orientations."""
    image = pytest.importorskip("PIL.Image", reason="needs the extra 'vision'")
    random = np.random.default_rng(3)
    raw, streams = [], []
    for row in range(48):
        kind, shape = row % 4, (12, 8) if size is None else tuple(random.integers(6, 40, 2))
        channels = {0: (3,), 1: (4,), 2: (), 3: (3,)}[kind]
        deep = kind == 2
        pixels = random.integers(0, 65536 if deep else 256, (*shape, *channels))
        pixels = pixels.astype(np.uint16 if deep else np.uint8)
        orientation = (1, 3, 6)[row // 4 % 3] if size is not None and kind == 3 else 1
        stream, exif = io.BytesIO(), image.Exif()
        exif[0x0112] = orientation
        image.fromarray(pixels).save(stream, "PNG", exif=exif)
        raw.append((pixels, orientation))
        streams.append(stream.getvalue())
    np.savez(
        folder / "pictures.npz",
        png=np.frombuffer(b"".join(streams), np.uint8),
        offset=np.cumsum([0, *map(len, streams)]),
        y=np.arange(len(streams)) % 2,
        id=np.arange(len(streams)),
    )
    return raw


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [None, (9, 14)])
def test_pixels_of_images_are_made_by_the_document_alone(tmp_path, channels, size):
    raw = pictures(tmp_path, size)
    resize = () if size is None else (f"data.image.size={list(size)}",)
    told, arrays, _ = told_and_arrays(
        tmp_path,
        f"data.source=images:{tmp_path}/pictures.npz",
        f"data.image.channels={channels}",
        *resize,
    )
    for row, (pixels, orientation) in enumerate(raw):
        found = reader.pixels_of_image(told, pixels, orientation)
        apart = np.abs(found.astype(int) - arrays[str(row)].astype(int))
        # Pillow computes in whole numbers, hence up to one level from exact arithmetic.
        assert apart.max() <= 1


def test_ids_of_texts_are_made_by_the_document_and_the_tokenizers_file(tmp_path):
    pytest.importorskip("tokenizers", reason="needs the extra 'text'")
    random = np.random.default_rng(4)
    texts = [
        " ".join(
            [
                *random.choice([f"Wort{i}" for i in range(20)], random.integers(1, 12)),
                *random.choice(SAID[("bad", "good")[row % 2]], 2),
                ("ﬁne,", "it's 3.5!", "naïve  Ångström", "_x_ 東京 🎉")[row % 4],
            ]
        )
        for row in range(ROWS)
    ]
    with (tmp_path / "texts.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", "label"])
        writer.writerows([row, text, ("bad", "good")[row % 2]] for row, text in enumerate(texts))
    told, arrays, made = told_and_arrays(
        tmp_path,
        f"data.source=text:{tmp_path}/texts.csv",
        "data.text.max_length=16",
        "data.text.vocabulary=400",
        "teacher.model=transformer1",
        "student.model=transformer1",
    )
    (file,) = told["tokenizer"]["files"]
    tokenizer = json.loads((made.path / file.removeprefix("models/")).read_text())
    lengths = set()
    for row, text in enumerate(texts):
        found = reader.ids_of_text(told, tokenizer, text)
        np.testing.assert_array_equal(found, arrays[str(row)])
        lengths.add(int((found != told["raw_input"]["pad"]).sum()))
    assert len(lengths) > 3  # some are cut, some padded
    assert max(lengths) == 16


def test_the_model_normalizes_as_the_document_says(tmp_path):
    sounds(tmp_path)
    told, arrays, made = told_and_arrays(
        tmp_path,
        f"data.source=audio:{tmp_path}/clips.npz",
        "data.audio.seconds=0.125",
        "data.audio.mels=20",
    )
    x = np.stack(list(arrays.values()))
    given = told["normalization"]
    expected = (x - np.float64(given["mean"])) / np.float64(given["std"])
    model = Deployed(torch.nn.Flatten(), made.record.layout, made.record.mean, made.record.std)
    with torch.no_grad():
        found = model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected.reshape(len(x), -1), rtol=1e-5, atol=1e-5)
