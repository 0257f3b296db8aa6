"""Every kind of source, from recipe to report, as small as it can be."""

import json
import wave

import numpy as np
import pytest
from edgestill.errors import DataError
from edgestill.exporters import metadata
from edgestill.pipeline.finished.verify_run import check
from small_builds import build, points, texts, until

pytestmark = pytest.mark.slow


def test_texts_teach_a_transformer_and_it_ships_with_its_tokenizer_in_int8(here):
    texts(here)
    done = build(
        here,
        "data.source=text:reviews.csv",
        "data.text.max_length=16",
        "data.text.vocabulary=120",
        "teacher.model=transformer1",
        "teacher.width=32",
        "student.model=transformer1",
        "student.width=32",
        "distill.initialize=true",
        "distill.learning_rate=0.01",
        "compress.variants=['int8-static']",
        "gate.min_accuracy=0.85",
    )
    report = done.report
    fp32, int8 = report.quality.variants
    assert fp32.score.value > 0.95
    # With the scores of attention on 256 levels it would answer like a coin.
    assert int8.score.value > fp32.score.value - 0.02
    assert report.data.layout == "tokens"
    assert report.data.dtype == "int32"
    ship = report.verdict.ship
    shipped = done.run / "models"
    assert (shipped / "tokenizer.json").read_bytes() == (
        done.run / "variants" / "tokenizer.json"
    ).read_bytes()
    facts = metadata.read(shipped / f"small-{ship}.onnx")
    assert facts["task"] == "classification"
    assert facts["labels"] == ["bad", "good"]
    assert facts["input"] == {
        "name": "input", "dtype": "int32", "shape": ["batch", "length"], "layout": "tokens",
    }  # fmt: skip
    assert facts["front_end"] == report.data.front_end
    assert facts["front_end"]["max_length"] == 16
    assert check(done.run).faults == ()


RATE, CLIP = 4000, 800


def clip(label, speaker, random):
    """A fifth of a second of a low or a high tone, in a voice of its own, int16."""
    hz = (300, 1200)[label] * (1.0 + 0.05 * speaker)
    tone = np.sin(2 * np.pi * hz * np.arange(CLIP) / RATE + random.uniform(0, 6))
    return np.int16(8000 * tone + 300 * random.standard_normal(CLIP))


def test_sound_is_split_by_speaker_and_the_front_end_travels_with_the_model(here):
    random = np.random.default_rng(0)
    spoken = [(i % 2, i // 4) for i in range(160)]  # 40 speakers: of few nothing is known
    clips = [clip(label, speaker % 4, random) for label, speaker in spoken]
    np.savez(
        here / "clips.npz",
        audio=np.concatenate(clips),
        offsets=np.arange(len(clips) + 1) * CLIP,
        label=np.array([label for label, _ in spoken]),
        speaker=np.array([speaker for _, speaker in spoken]),
        id=np.arange(len(clips)),
        labels=np.array(["low", "high"]),
        sample_rate=RATE,
    )
    done = build(
        here,
        "data.source=audio:clips.npz",
        "data.group=speaker",
        "data.audio.seconds=0.2",
        "data.audio.mels=12",
        "augment.shift=1",
        "distill.views=2",
        "data.test=0.35",
        "teacher.model=dscnn1",
        "student.model=dscnn1",
        "gate.min_accuracy=0.55",
    )
    data = next(p.parent for p in (here / "artifacts" / "store").glob("*/id_test.npy"))
    speakers = {
        split: {spoken[int(i)][1] for i in np.load(data / f"id_{split}.npy")}
        for split in ("train", "validation", "calibration", "test")
    }
    judging = speakers["validation"] | speakers["test"]
    assert not speakers["validation"] & speakers["test"]
    assert not judging & (speakers["train"] | speakers["calibration"])
    facts = metadata.read(done.run / "models" / "small-fp32.onnx")
    assert facts["front_end"] == done.report.data.front_end
    assert facts["front_end"]["front_end"] == "log-mel"
    assert facts["front_end"]["sample_rate_hz"] == RATE
    assert facts["labels"] == ["low", "high"]
    assert json.loads((done.run / "models" / "front_end.json").read_text()) == facts["front_end"]


def test_a_folder_of_sound_files_is_taken_as_it_lies(here):
    random = np.random.default_rng(0)
    for i in range(40):
        path = here / "sounds" / ("low", "high")[i % 2] / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(clip(i % 2, 0, random).tobytes())
    data = until(here, "data", "data.source=audio:sounds", "data.audio.seconds=0.2").record
    assert sorted(data.labels) == ["high", "low"]
    assert sum(data.rows.values()) == 40
    assert data.layout == "hw"


def test_windows_of_a_table_teach_a_convolution_over_time(here):
    random = np.random.default_rng(0)
    lines = ["subject,ax,ay,label"]
    for recording in range(120):
        label = ("rest", "walk")[recording % 2]
        time = np.arange(80)
        sway = np.sin(time * 0.8 + random.uniform(0, 6)) * (label == "walk")
        for a, b in zip(sway, random.standard_normal(80) * 0.3, strict=True):
            lines.append(f"{recording},{a + b:.4f},{b:.4f},{label}")
    (here / "sensors.csv").write_text("\n".join(lines))
    done = build(
        here,
        "data.source=table:sensors.csv",
        "data.table.window=16",
        "data.table.stride=8",
        "data.group=subject",
        "teacher.model=conv1d2",
        "teacher.width=8",
        "teacher.epochs=3",
        "student.model=conv1d1",
        "student.width=4",
        "distill.epochs=4",
        "augment.noise=0.1",
        "distill.views=2",
        "compress.variants=['int8-static']",
        "data.test=0.35",
        "gate.min_accuracy=0.6",
    )
    data = done.report.data
    assert (data.layout, data.sample_shape) == ("tc", (16, 2))
    assert len(data.mean) == len(data.std) == 2
    facts = metadata.read(done.run / "models" / f"small-{done.report.verdict.ship}.onnx")
    assert facts["front_end"]["window"] == 16
    assert facts["front_end"]["columns"] == ["ax", "ay"]


def test_a_split_of_repeated_samples_alone_is_refused(here):
    x, y = points(60)
    parts = {"train": x, "test": x[:30] + 9, "validation": x[:30] + 9, "calibration": x[30:] - 9}
    arrays = {f"x_{split}": part for split, part in parts.items()}
    arrays |= {f"y_{split}": np.float32(y[: len(part)]) for split, part in parts.items()}
    np.savez(here / "data.npz", **arrays)
    with pytest.raises(DataError, match="found no sample of validation that is in no other split"):
        until(here, "data", "data.task=regression", "data.duplicates=drop")
