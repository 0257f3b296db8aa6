"""A plan refuses what a build would refuse about the data, in the same words."""

import numpy as np
import pytest
from edgestill.errors import EdgestillError
from edgestill.pipeline.build import build, plan
from edgestill.pipeline.data import examine
from edgestill.pipeline.data.inputs import DataInputs
from edgestill.pipeline.data.prepare import prepare
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.data import AudioForm, Data
from edgestill.pipeline.recipe.files import load
from tiny import write

N = 240


def arrays(**changed):
    random = np.random.default_rng(0)
    whole = {"x": random.normal(size=(N, 6)).astype(np.float32), "y": np.arange(N) % 3}
    return {k: v for k, v in (whole | changed).items() if v is not None}


def windows():
    return np.random.default_rng(0).normal(size=(N, 20, 6)).astype(np.float32)


UNFIT = {
    "labels from one": arrays(y=np.arange(N) % 3 + 1),
    "a misspelt split": arrays(x_vla=np.ones((3, 6))),
    "objects": arrays(y=np.array(["a", "b", "c"] * 80, object)),
    "windows or images": arrays(x=windows()),
    "numbers for classes": arrays(y=np.random.default_rng(0).normal(size=N)),
    "two groups": arrays(group=np.arange(N) % 2),
    "a class in one group": arrays(
        y=np.where(np.arange(N) < 40, 2, np.arange(N) % 2), group=np.arange(N) // 40
    ),
    "no labels": arrays(y=None),
    "not finite": arrays(x=np.full((N, 6), np.nan)),
    "a class of two samples": arrays(y=np.where(np.arange(N) < 2, 2, np.arange(N) % 2)),
    "the same sample everywhere": arrays(x=np.ones((N, 6), np.float32)),
    "images for a perceptron that has none": arrays(x=np.ones((N, 8, 8, 5))),
    "fewer than a batch": {k: v[:15] for k, v in arrays().items()},
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_plan_refuses_in_the_words_of_the_build(tmp_path, case):
    recipe = write(tmp_path)
    np.savez(tmp_path / "tiny.npz", **UNFIT[case])
    with pytest.raises(EdgestillError) as planned:
        plan(load(recipe), tmp_path / "artifacts")
    with pytest.raises(EdgestillError) as built:
        build(recipe, artifacts=tmp_path / "artifacts")
    assert str(planned.value) == str(built.value)
    assert type(planned.value) is type(built.value)
    assert planned.value.exit_code == 3


def test_a_plan_of_fit_data_is_made_and_writes_nothing(tmp_path):
    recipe = write(tmp_path)
    steps = plan(load(recipe), tmp_path / "artifacts")
    assert steps[0].stage == "data"
    assert not any(step.cached for step in steps)
    assert not (tmp_path / "artifacts").exists()


def test_data_in_the_store_are_held_against_the_recipe_too(tmp_path):
    recipe = write(tmp_path)
    build(recipe, artifacts=tmp_path / "artifacts", until="data")
    # The archive is as it was, and the student takes no tables.
    changed = load(recipe, ["student.model=conv1d2"])
    with pytest.raises(EdgestillError, match="rows of 6 columns for 'conv1d2'"):
        plan(changed, tmp_path / "artifacts")


def test_a_look_finds_what_a_build_finds(tmp_path):
    np.savez(tmp_path / "d.npz", **arrays(group=np.arange(N) // 12))
    data = Data(source=f"npz:{tmp_path / 'd.npz'}")
    looked = examine.look(data, 3)
    out = tmp_path / "out"
    out.mkdir()
    prepared = prepare(out, Silent(), DataInputs(data, "", None, 3))
    for field in ("rows", "counts", "labels", "sample_shape", "layout", "dtype"):
        assert getattr(looked, field) == getattr(prepared, field), field


def test_a_file_that_takes_long_to_read_is_not_looked_into(tmp_path, monkeypatch):
    np.savez(tmp_path / "d.npz", **arrays(y=np.arange(N) + 1))
    monkeypatch.setattr(examine, "MOST_BYTES", 100)
    assert examine.look(Data(source=f"npz:{tmp_path / 'd.npz'}"), 0) is None


def test_pictures_and_sounds_are_listed_and_the_first_is_decoded(tmp_path):
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra 'vision'")
    import wave

    for i in range(40):
        for kind in ("images", "sounds"):
            (tmp_path / kind / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 255, (8, 6, 3), dtype=np.uint8)
        pillow.fromarray(pixels).save(tmp_path / "images" / "ab"[i % 2] / f"{i}.png")
        with wave.open(str(tmp_path / "sounds" / "ab"[i % 2] / f"{i}.wav"), "wb") as file:
            file.setparams((1, 2, 4000, 0, "NONE", ""))
            file.writeframes(pixels.tobytes())
    (tmp_path / "images" / "b" / "39.png").write_bytes(b"broken, and not the first")
    found = examine.look(Data(source=f"images:{tmp_path / 'images'}"), 0)
    assert (found.sample_shape, found.layout, sum(found.rows.values())) == ((8, 6, 3), "hwc", 40)
    form = AudioForm(seconds=0.1, mels=8)
    found = examine.look(Data(source=f"audio:{tmp_path / 'sounds'}", audio=form), 0)
    assert (found.layout, found.sample_shape[1], sum(found.rows.values())) == ("hw", 8, 40)


def test_texts_are_not_tokenized(tmp_path):
    lines = [f"text {i},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *lines]))
    found = examine.look(Data(source=f"text:{tmp_path / 't.csv'}"), 0)
    assert (found.layout, found.sample_shape, found.labels) == ("tokens", (64,), ("a", "b"))
