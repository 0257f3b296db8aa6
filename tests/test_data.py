"""Data: splits that can be trusted, statistics that are right, memory that stays flat."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from edgestill.errors import DataError, RecipeError
from edgestill.pipeline.data import checks, find, fingerprint, splits
from edgestill.pipeline.data.prepare import prepare
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe import Data
from edgestill.pipeline.records import SPLITS

FRACTIONS = {"test": 0.2, "validation": 0.1, "calibration": 0.1}


@pytest.fixture
def laid(tmp_path):
    """Prepares arrays into a folder and reads back what was laid down."""

    def lay(arrays, *, seed=0, **part):
        folder = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        np.savez(tmp_path / "data.npz", **arrays)
        data = Data(source=f"npz:{tmp_path / 'data.npz'}", **part)
        record = prepare(folder, Silent(), data=data, fingerprint="", seed=seed)
        split = {
            name: SimpleNamespace(
                x=np.load(folder / f"x_{name}.npy"), y=np.load(folder / f"y_{name}.npy")
            )
            for name in SPLITS
        }
        return SimpleNamespace(record=record, folder=folder, **split)

    return lay


def numbered(samples=200, classes=4, columns=3, dtype=np.float32):
    """Samples whose first column is their own row number."""
    x = np.random.default_rng(1).normal(size=(samples, columns)).astype(dtype)
    x[:, 0] = np.arange(samples)
    return {"x": x, "y": np.arange(samples) % classes}


def rows_of(laid):
    return {name: set(getattr(laid, name).x[:, 0].astype(int)) for name in SPLITS}


# --- splits -----------------------------------------------------------------------------------


def test_splits_are_disjoint_and_cover_every_sample_once():
    rows = splits.cut(np.arange(500) % 7, FRACTIONS, seed=3)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(500))
    assert list(rows) == list(SPLITS)
    assert {name: len(r) for name, r in rows.items()} == {
        "train": 300, "validation": 50, "calibration": 50, "test": 100,
    }  # fmt: skip


def test_splits_are_stratified_by_class():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    for name, rows in splits.cut(y, FRACTIONS, seed=0).items():
        share = np.bincount(y[rows]) / len(rows)
        assert np.abs(share - [0.6, 0.3, 0.1]).max() < 0.01, name


def test_the_same_seed_gives_the_same_rows_and_another_seed_gives_others():
    y = np.arange(400) % 5
    first, again, other = (splits.cut(y, FRACTIONS, seed=s) for s in (1, 1, 2))
    for name in SPLITS:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])


def test_rows_of_one_group_never_stand_in_two_splits():
    rng = np.random.default_rng(0)
    group, y = rng.integers(0, 60, 900), rng.integers(0, 3, 900)
    rows = splits.cut(y, FRACTIONS, 0, group)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(900))
    groups = [set(group[r]) for r in rows.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert 120 < len(rows["test"]) < 240
    again, other = (splits.cut(y, FRACTIONS, seed, group) for seed in (0, 1))
    assert np.array_equal(rows["test"], again["test"])
    assert not np.array_equal(rows["test"], other["test"])


def test_groups_that_are_whole_classes_are_refused_and_not_only_warned_of(laid):
    arrays = numbered(80)
    with pytest.raises(DataError, match=r"no sample of class|groups left"):
        laid({**arrays, "group": arrays["y"] * 2 + (np.arange(80) > 40)})


def test_ready_splits_are_kept_as_they_are(laid):
    whole = numbered(240)
    cuts = {"train": (0, 120), "validation": (120, 160), "calibration": (160, 200),
            "test": (200, 240)}  # fmt: skip
    arrays = {f"{a}_{s}": whole[a][slice(*c)] for s, c in cuts.items() for a in "xy"}
    found = laid(arrays)
    for name in SPLITS:
        assert np.array_equal(getattr(found, name).x, arrays[f"x_{name}"])
        assert np.array_equal(getattr(found, name).y, arrays[f"y_{name}"])


def test_validation_and_calibration_are_cut_from_train_where_they_are_absent(laid):
    whole = numbered(300)
    arrays = {
        "x_train": whole["x"][:200], "y_train": whole["y"][:200],
        "x_test": whole["x"][200:], "y_test": whole["y"][200:],
    }  # fmt: skip
    found = laid(arrays)
    rows = rows_of(found)
    assert rows["test"] == set(range(200, 300))
    assert rows["train"] | rows["validation"] | rows["calibration"] == set(range(200))
    assert [len(rows[s]) for s in SPLITS] == [160, 20, 20, 100]


def test_labels_stay_with_their_samples(laid):
    found = laid(numbered(200))
    for name in SPLITS:
        part = getattr(found, name)
        assert np.array_equal(part.y, part.x[:, 0].astype(int) % 4)
        assert found.record.counts[name] == tuple(np.bincount(part.y))


# --- what a sample is -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [("uint8", "uint8"), ("int16", "int16"), ("float32", "float32"), ("float64", "float32"),
     ("float16", "float32"), ("int64", "float32"), ("int8", "float32"), ("bool", "uint8")],
)  # fmt: skip
def test_the_models_input_has_the_datas_dtype_or_float32(given, kept, laid):
    bits = np.arange(100)[:, None] >> np.arange(8) & 1  # a hundred different rows, of any dtype
    found = laid({"x": bits.astype(given), "y": np.arange(100) % 2})
    assert found.record.dtype == kept
    assert found.train.x.dtype == kept
    assert set(np.unique(found.train.x)) == {0, 1}
    noted = any(f"samples are {given}" in note for note in found.record.notes)
    assert noted == (given != kept)


@pytest.mark.parametrize(
    ("shape", "asked", "meant"),
    [
        ((9, 5), "auto", "table"),
        ((9, 8, 8), "auto", "hw"),
        ((9, 8, 8, 3), "auto", "hwc"),
        ((9, 1, 8, 8), "auto", "chw"),
        ((9, 3, 8, 3), "chw", "chw"),
        ((9, 8, 8, 7), "hwc", "hwc"),
    ],
)
def test_the_layout_goes_by_rank_and_channels_or_as_asked(shape, asked, meant):
    assert checks.layout(np.zeros(shape), asked) == meant


@pytest.mark.parametrize("shape", [(9, 8, 8, 7), (9, 3, 8, 3), (9, 2, 2, 2, 2)])
def test_a_layout_that_cannot_be_told_is_refused(shape):
    with pytest.raises(DataError, match='layout = "hwc" or "chw"'):
        checks.layout(np.zeros(shape), "auto")


# --- mean and standard deviation --------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e6])
def test_mean_and_std_of_a_table_are_numpys_in_float64(offset, laid):
    rng = np.random.default_rng(0)
    x = rng.normal(offset, [1.0, 5.0, 0.1], size=(12_000, 3)).astype(np.float32)
    found = laid({"x": x, "y": np.arange(12_000) % 2}, duplicates="allow")
    exact = found.train.x.astype(np.float64)
    np.testing.assert_allclose(found.record.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.record.std, exact.std(0), rtol=1e-9)


def test_mean_and_std_are_right_where_later_blocks_differ_from_the_first(laid):
    rows, columns = 4 * checks.CHUNK // 500, 500
    x = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    x += np.arange(rows, dtype=np.float32)[:, None] / 1000
    found = laid({"x": x, "y": np.arange(rows) % 2}, duplicates="allow")
    exact = found.train.x.astype(np.float64)
    assert exact.size > 2 * checks.CHUNK
    np.testing.assert_allclose(found.record.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.record.std, exact.std(0), rtol=1e-12)


@pytest.mark.parametrize(
    ("shape", "layout", "axes"),
    [((300, 6, 5, 3), "hwc", (0, 1, 2)), ((300, 3, 4, 5), "chw", (0, 2, 3)),
     ((300, 4, 5), "hw", None), ((300, 20), "table", None)],
)  # fmt: skip
def test_mean_and_std_of_pixels_are_one_a_channel(shape, layout, axes, laid):
    x = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = laid({"x": x, "y": np.arange(300) % 2})
    assert found.record.layout == layout
    exact = found.train.x.astype(np.float64)
    np.testing.assert_allclose(found.record.mean, np.atleast_1d(exact.mean(axes)), rtol=1e-12)
    np.testing.assert_allclose(found.record.std, np.atleast_1d(exact.std(axes)), rtol=1e-12)


def test_a_constant_column_is_divided_by_one_and_a_tiny_one_is_not_constant(laid):
    x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    x[:, 1], x[:, 2] = 0.1, 0.0
    x[:, 3] *= 1e-13
    record = laid({"x": x, "y": np.arange(100) % 2}).record
    assert record.std[1:3] == (1.0, 1.0)
    assert record.std[3] == pytest.approx(1e-13, rel=0.5)


def test_the_recipes_own_mean_and_std_are_used_as_they_are(laid):
    record = laid(numbered(), mean=(1.0,), std=(2.0,)).record
    assert (record.mean, record.std) == ((1.0,), (2.0,))


# --- labels -----------------------------------------------------------------------------------


def test_text_labels_are_numbered_in_sorted_order(laid):
    names = np.array(["dog", "cat", "été"])
    found = laid({**numbered(120, 3), "y": names[np.arange(120) % 3]})
    assert found.record.labels == ("cat", "dog", "été")
    where = found.train.x[:, 0].astype(int) % 3
    assert np.array_equal(found.train.y, np.array([1, 0, 2])[where])


def test_text_labels_are_numbered_in_the_recipes_order(laid):
    arrays = {**numbered(120, 2), "y": np.array([b"no", b"yes"])[np.arange(120) % 2]}
    found = laid(arrays, labels=("yes", "no"))
    assert found.record.labels == ("yes", "no")
    assert np.array_equal(found.test.y, 1 - found.test.x[:, 0].astype(int) % 2)


def test_whole_numbers_are_their_own_labels_whatever_their_dtype(laid):
    for dtype in (np.uint8, np.int32, np.float64, bool):
        arrays = numbered(80, 2)
        found = laid({**arrays, "y": arrays["y"].astype(dtype)})
        assert found.record.labels == ("0", "1")
        assert found.train.y.dtype == np.int64


def test_names_in_the_archive_name_the_classes(laid):
    found = laid({**numbered(80, 2), "labels": np.array(["off", "on"])})
    assert found.record.labels == ("off", "on")


# --- duplicates -------------------------------------------------------------------------------


def with_duplicates():
    """Every third sample of train stands in test too; one within train twice."""
    whole = numbered(200)
    x_train = whole["x"][:150].copy()
    x_train[1] = x_train[5]
    x_test = whole["x"][150:].copy()
    x_test[:10] = x_train[30:60:3]
    return {"x_train": x_train, "y_train": whole["y"][:150], "x_test": x_test,
            "y_test": whole["y"][150:]}  # fmt: skip


def test_a_sample_in_two_splits_is_refused(laid):
    with pytest.raises(DataError, match=r"\(first: row 3\d\) that stand in another split"):
        laid(with_duplicates())


def test_dropping_duplicates_keeps_each_in_test_alone(laid):
    found = laid(with_duplicates(), duplicates="drop")
    rows = rows_of(found)
    for name in ("train", "validation", "calibration"):
        assert not rows[name] & rows["test"]
    assert len(found.test.x) == 50
    assert found.record.dropped >= 10
    assert sum(map(sum, found.record.counts.values())) == 200 - found.record.dropped
    assert f"{found.record.dropped} samples dropped" in " ".join(found.record.notes)


def test_allowing_duplicates_drops_none(laid):
    record = laid(with_duplicates(), duplicates="allow").record
    assert record.dropped == 0
    assert sum(map(sum, record.counts.values())) == 200


# --- sources and fingerprints -----------------------------------------------------------------


def test_a_fingerprint_follows_the_content_and_not_the_name(tmp_path):
    arrays = numbered(20)
    np.savez(tmp_path / "a.npz", **arrays)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes())
    arrays["x"][3, 1] += 1
    np.savez(tmp_path / "c.npz", **arrays)
    a, b, c = (fingerprint(f"npz:{tmp_path / name}.npz") for name in "abc")
    assert a == b
    assert a != c


def test_a_records_fingerprint_follows_samples_and_labels(laid):
    arrays = numbered()
    one, same = laid(arrays).record, laid(arrays).record
    arrays["x"][7, 2] += 1
    assert one.fingerprint == same.fingerprint
    assert laid(arrays).record.fingerprint != one.fingerprint


def test_a_functions_fingerprint_follows_its_arrays(tmp_path, monkeypatch):
    text = "import numpy as np\ndef {}(): return {{'x': np.ones((4, 2)) * {}, 'y': [0, 1, 0, 1]}}\n"
    lines = [text.format(name, value) for name, value in (("a", 1), ("b", 1), ("c", 2))]
    (tmp_path / "made_for_fingerprints.py").write_text("".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    a, b, c = (fingerprint(f"made_for_fingerprints:{name}") for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("source", ["npz:", "npz", "a:b:c", "a b:c", "a:1", ""])
def test_a_source_that_names_none_is_refused(source):
    with pytest.raises(RecipeError, match=r"'digits', 'npz:FILE' or 'module:function'"):
        find(source)


def test_the_digits_are_1797_images_and_split_without_a_duplicate(tmp_path):
    part = Data(source="digits")
    record = prepare(tmp_path, Silent(), data=part, fingerprint="", seed=0)
    assert record.sample_shape == (8, 8)
    assert (record.layout, record.dtype, record.classes) == ("hw", "uint8", 10)
    assert sum(map(sum, record.counts.values())) == 1797
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        f"{axis}_{split}.npy" for axis in "xy" for split in SPLITS
    )


# --- memory -----------------------------------------------------------------------------------

PREPARE = """
import re, resource, sys
from pathlib import Path
import sklearn.model_selection
from edgestill.pipeline.data.prepare import prepare
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe import Data
own = int(re.search(r"VmData:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (own + int(sys.argv[3]), own + int(sys.argv[3])))
part = Data(source=f"npz:{sys.argv[1]}", layout="hwc")
prepare(Path(sys.argv[2]), Silent(), data=part, fingerprint="", seed=0)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limit on data is Linux's")
def test_an_archive_of_200_mb_is_prepared_in_less_than_half_of_that_memory(tmp_path):
    # Not the resident size: pages of mapped files count in it, though the kernel takes them back.
    samples, limit = 4096, 90_000_000
    x = np.zeros((samples, 128, 128, 3), np.uint8)
    x[:, 0, 0, :2] = np.arange(samples)[:, None] >> np.array([0, 8]) & 255
    assert x.nbytes > 200_000_000
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(samples) % 2)
    (tmp_path / "out").mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", PREPARE, tmp_path / "data.npz", tmp_path / "out", str(limit)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr[-500:]
    assert (tmp_path / "out/x_train.npy").stat().st_size > 0.55 * x.nbytes


def test_samples_are_drawn_from_all_over_a_split_and_the_same_each_time():
    from edgestill.pipeline.data.arrays import Arrays, draw

    y = np.repeat(np.arange(10), 50)
    split = Arrays(y[:, None].astype(np.float32), y)
    drawn = draw(split, 100)
    assert sorted(set(drawn.ravel())) == list(range(10))
    np.testing.assert_array_equal(drawn, draw(split, 100))
    np.testing.assert_array_equal(draw(split, 1000), split.x)


@pytest.mark.parametrize("share", [0.2, 0.3, 0.4, 0.6])
def test_whole_groups_come_as_near_to_the_fraction_as_they_can(share):
    random = np.random.default_rng(0)
    group, y = np.arange(2000) // 20, random.integers(0, 2, 2000)
    rows = splits.cut(y, {"test": share}, 0, group)
    assert abs(len(rows["test"]) / 2000 - share) < 0.02
    assert not set(group[rows["test"]]) & set(group[rows["train"]])
