"""Students of text and of sound on other data: the tokenizer and the front end come along."""

import json

import edgestill
import numpy as np
import pytest
import small_builds
from edgestill.errors import DataError
from edgestill.exporters import metadata
from edgestill.pipeline.finished.verify_run import check
from edgestill.pipeline.runs.run import STUDENT
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow
RATE, CLIP = 4000, 800


def other_texts(folder, number=480):
    """Reviews of three kinds: words that the tokenizer knows, told apart in another way."""
    random = np.random.default_rng(3)
    idle = [f"word{i}" for i in range(30)]
    told = {"price": ["bright", "dull"], "place": ["lovely", "broken"], "time": ["superb", "awful"]}
    lines = ["text,label"]
    for i in range(number):
        label = list(told)[i % 3]
        words = [*random.choice(idle, random.integers(3, 10)), *random.choice(told[label], 2)]
        lines.append(f"{' '.join(random.permutation(words))},{label}")
    (folder / "kinds.csv").write_text("\n".join(lines))


def tones(path, hertz, *, rate=RATE, speakers=40):
    """A fifth of a second of a tone of each class, in voices of their own."""
    random, count = np.random.default_rng(len(hertz)), len(hertz)
    spoken = [(i % count, i // (2 * count)) for i in range(2 * count * speakers)]
    time = np.arange(CLIP) / rate
    clips = [
        8000
        * np.sin(2 * np.pi * hertz[label] * (1 + 0.05 * (one % 4)) * time + random.uniform(0, 6))
        + 300 * random.standard_normal(CLIP)
        for label, one in spoken
    ]
    np.savez(
        path,
        audio=np.concatenate(clips).astype(np.int16),
        offsets=np.arange(len(clips) + 1) * CLIP,
        label=np.array([label for label, _ in spoken]),
        speaker=np.array([one for _, one in spoken]),
        id=np.arange(len(clips)),
        sample_rate=rate,
    )


def test_a_student_of_texts_reads_others_by_its_own_tokenizer(here):
    small_builds.texts(here)
    first = small_builds.build(
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
    )
    other_texts(here)
    run = edgestill.adapt(
        first.run,
        "text:kinds.csv",
        mode="partly",
        artifacts=here / "artifacts",
        overrides={"distill.epochs": 16},
        progress=False,
    )
    assert run.ready, run.verdict.why
    assert run["fp32"].score.value > 0.6
    data = run.report.data
    assert (data.layout, data.labels) == ("tokens", ("place", "price", "time"))
    before = (first.run / "variants" / "tokenizer.json").read_bytes()
    assert (run.path / "models" / "tokenizer.json").read_bytes() == before
    ours, theirs = (load_file(of / "records" / STUDENT) for of in (run.path, first.run))
    embedding = next(name for name in theirs if "embed" in name and theirs[name].ndim == 2)
    assert np.array_equal(ours[embedding], theirs[embedding])  # the earlier half stays
    made = run.report.adaptation
    assert made.start.tune == "partly"
    assert made.reached[0].steps is None or made.reached[0].steps <= made.total_steps
    assert check(run.path).faults == ()


def test_a_student_of_sound_hears_others_by_its_own_front_end(here):
    tones(here / "clips.npz", (300, 1200))
    told = ("data.group=speaker", "data.test=0.35")
    first = small_builds.build(
        here,
        "data.source=audio:clips.npz",
        "data.audio.seconds=0.2",
        "data.audio.mels=12",
        *told,
        "teacher.model=dscnn1",
        "student.model=dscnn1",
    )
    tones(here / "more.npz", (250, 550, 1100))

    def adapted(name, source, **more):
        return edgestill.adapt(
            first.run,
            source,
            name=name,
            artifacts=here / "artifacts",
            overrides={
                "data.group": "speaker",
                "data.test": 0.35,
                "distill.epochs": 16,
                **more,
            },
            progress=False,
        )

    run = adapted("heard", "audio:more.npz")
    assert run.ready, run.verdict.why
    assert run.report.data.front_end == first.report.data.front_end
    assert run.report.data.classes == 3
    assert run["fp32"].score.value > 0.6
    facts = metadata.read(run.file("fp32"))
    assert facts["front_end"] == first.report.data.front_end
    assert json.loads((run.path / "models" / "front_end.json").read_text()) == facts["front_end"]
    assert check(run.path).faults == ()
    tones(here / "fast.npz", (250, 1100), rate=2 * RATE)
    faster = adapted("faster", "audio:fast.npz")  # resampled to what the student hears
    assert faster.report.data.front_end == first.report.data.front_end
    with pytest.raises(DataError, match="the student of small takes"):
        adapted("shorter", "audio:more.npz", **{"data.audio.seconds": 0.1})
