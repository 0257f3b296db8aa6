"""Views: a pure function of row, view and seed, and each kind does what it says."""

import tracemalloc

import numpy as np
import pytest
from edgestill.errors import RecipeError
from edgestill.pipeline.distill import views
from edgestill.pipeline.distill.views import Views, check, draws
from edgestill.pipeline.recipe.augment import Augment

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 9, 7, 3), np.uint8)
SOUND = np.random.default_rng(1).normal(3.0, 2.0, (40, 12, 5)).astype(np.float32)
TEXT = np.random.default_rng(2).integers(2, 50, (40, 16)).astype(np.int32)
TEXT[:, 11:] = 0
EVERYTHING = {
    "hwc": (IMAGES, Augment(crop=2, flip=True, mixup=0.3)),
    "chw": (IMAGES.transpose(0, 3, 1, 2).copy(), Augment(crop=2, flip=True, mixup=0.3)),
    "hw": (SOUND, Augment(shift=3, time_mask=4, frequency_mask=2, crop=1, flip=True, mixup=0.5)),
    "tc": (SOUND, Augment(shift=3, time_mask=4, noise=0.5, mixup=0.2)),
    "table": (SOUND[:, 0], Augment(noise=0.5, mixup=0.2)),
    "tokens": (TEXT, Augment(token_dropout=0.4)),
}
LAYOUTS = pytest.mark.parametrize("layout", EVERYTHING)


def opened(layout, seed=0, **told):
    x, augment = EVERYTHING[layout]
    return Views(x, augment, layout=layout, seed=seed, **told)


def uniform(seed, view, row, key, count):
    """The draws of one row, in [0, 1)."""
    bits = draws(seed, view, np.array([row]), views._STREAMS[key], count)[0]
    return [int(bit >> np.uint64(11)) * 2.0**-53 for bit in bits]


# --- pure -------------------------------------------------------------------------------------


@LAYOUTS
def test_a_view_of_a_sample_does_not_depend_on_the_batch_it_is_in(layout):
    rows = np.array([5, 2, 5, 39, 0, 17])
    together = opened(layout)(rows, 3)
    for place, row in enumerate(rows):
        alone = opened(layout)(np.array([row]), 3)
        assert np.array_equal(alone.x[0], together.x[place])
        if together.share is not None:
            assert alone.share[0] == together.share[place]
            assert alone.partners[0] == together.partners[place]


@LAYOUTS
def test_views_do_not_depend_on_what_was_asked_before_nor_on_the_blocks(layout, monkeypatch):
    rows = np.arange(40)
    asked = opened(layout)
    expected = asked(rows, 1).x
    asked(rows, 0)
    assert np.array_equal(asked(rows, 1).x, expected)
    monkeypatch.setattr(views, "chunks", lambda n, _: (slice(i, i + 1) for i in range(n)))
    assert np.array_equal(asked(rows, 1).x, expected)


@LAYOUTS
def test_another_view_or_another_seed_is_another_sample(layout):
    rows = np.arange(40)
    found = [opened(layout, seed)(rows, view).x for seed in (0, 1) for view in (0, 1)]
    for i, one in enumerate(found):
        for other in found[:i]:
            assert not np.array_equal(one, other)


@LAYOUTS
def test_views_keep_dtype_and_shape_and_leave_the_samples_alone(layout):
    x, _ = EVERYTHING[layout]
    before = x.copy()
    x.flags.writeable = False  # as a memory map is
    try:
        found = opened(layout)(np.arange(40), 0).x
    finally:
        x.flags.writeable = True
    assert (found.dtype, found.shape) == (x.dtype, x.shape)
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert np.array_equal(x, before)


def test_without_augmentation_a_view_is_the_sample():
    found = Views(IMAGES, Augment(), layout="hwc", seed=0)(np.array([3, 3, 1]), 7)
    assert np.array_equal(found.x, IMAGES[[3, 3, 1]])
    assert found.partners is found.share is None


def test_one_setting_does_not_change_the_draws_of_another():
    rows = np.arange(40)
    told = {"layout": "tc", "seed": 0, "fill": 3.0}
    alone = Views(SOUND, Augment(shift=3), **told)(rows, 0).x
    masked = Views(SOUND, Augment(shift=3, time_mask=4), **told)(rows, 0).x
    kept = masked != 3.0
    assert kept.any(axis=(1, 2)).all()
    assert np.array_equal(masked[kept], alone[kept])


# --- each kind against a slow reference -------------------------------------------------------


@pytest.mark.parametrize("view", [0, 4])
def test_crop_and_flip_are_those_of_a_slow_reference(view):
    asked = Views(IMAGES, Augment(crop=2, flip=True), layout="hwc", seed=6)
    found = asked(np.arange(40), view).x
    mirrored = 0
    for row in range(40):
        down, across = (int(u * 5) for u in uniform(6, view, row, "crop", 2))
        padded = np.pad(IMAGES[row], ((2, 2), (2, 2), (0, 0)))
        expected = padded[down : down + 9, across : across + 7]
        if uniform(6, view, row, "flip", 1)[0] >= 0.5:
            mirrored += 1
            expected = expected[:, ::-1]
        assert np.array_equal(found[row], expected)
    assert 8 < mirrored < 32


def test_channels_first_and_grey_images_move_as_channels_last_do():
    augment, rows = Augment(crop=2, flip=True), np.arange(40)
    last = Views(IMAGES, augment, layout="hwc", seed=0, fill=7)(rows, 1).x
    first = Views(EVERYTHING["chw"][0], augment, layout="chw", seed=0, fill=7)(rows, 1).x
    grey = Views(IMAGES[..., 0].copy(), augment, layout="hw", seed=0, fill=7)(rows, 1).x
    assert np.array_equal(first, last.transpose(0, 3, 1, 2))
    assert np.array_equal(grey, last[..., 0])


def test_shift_and_time_mask_are_those_of_a_slow_reference():
    fill = np.arange(5, dtype=np.float32)
    told = Augment(shift=3, time_mask=4)
    found = Views(SOUND, told, layout="tc", seed=2, fill=fill)(np.arange(40), 1).x
    for row in range(40):
        blank = np.tile(fill, (3, 1))
        padded = np.concatenate([blank, SOUND[row], blank])
        down = int(uniform(2, 1, row, "shift", 2)[0] * 7)
        expected = padded[down : down + 12].copy()
        how_long, where = uniform(2, 1, row, "time_mask", 2)
        length = int(how_long * 5)
        start = int(where * (12 - length + 1))
        expected[start : start + length] = fill
        assert np.array_equal(found[row], expected)


def test_a_frequency_mask_blanks_neighbouring_bands_in_every_frame():
    told = Augment(frequency_mask=2)
    found = Views(SOUND, told, layout="hw", seed=0, fill=-9.0)(np.arange(40), 0).x
    masked = found == -9.0
    assert np.array_equal(found[~masked], SOUND[~masked])
    assert (masked.all(1) == masked.any(1)).all()
    sizes = masked[:, 0].sum(1)
    assert set(sizes) == {0, 1, 2}
    for bands in masked[sizes == 2, 0]:
        assert np.ptp(np.flatnonzero(bands)) == 1


def test_masks_reach_both_ends():
    told = Augment(time_mask=12)
    masked = Views(SOUND, told, layout="tc", seed=0, fill=-9.0)(np.arange(40), 0).x == -9.0
    assert masked[:, 0, 0].any()
    assert masked[:, -1, 0].any()
    assert set(masked[:, :, 0].sum(1)) >= {0, 12}


def test_noise_is_gaussian_in_deviations_of_each_column():
    x = np.zeros((5000, 3), np.float32)
    std = np.array([1.0, 10.0, 0.1], np.float32)
    noisy = Views(x, Augment(noise=0.5), layout="table", seed=0, std=std)(np.arange(5000), 0).x
    scaled = noisy.astype(np.float64) / (0.5 * std)
    assert np.abs(scaled.mean(0)).max() < 0.06  # 4 standard errors
    assert np.abs(scaled.std(0) - 1.0).max() < 0.04
    assert np.abs((scaled**4).mean(0) - 3.0).max() < 0.6
    assert np.abs(np.corrcoef(scaled.T) - np.eye(3)).max() < 0.06
    beyond = np.sort(np.abs(scaled).ravel())
    assert beyond[int(0.95 * len(beyond))] == pytest.approx(1.96, abs=0.06)


def test_mixup_blends_the_same_view_of_the_partner():
    augment = Augment(crop=2, flip=True, mixup=0.4)
    rows = np.arange(40)
    mixed = Views(IMAGES, augment, layout="hwc", seed=3)(rows, 2)
    apart = Views(IMAGES, augment.model_copy(update={"mixup": 0.0}), layout="hwc", seed=3)
    own, other = (apart(of, 2).x.astype(np.float64) for of in (rows, mixed.partners))
    share = mixed.share.astype(np.float64)[:, None, None, None]
    expected = share * own + (1.0 - share) * other
    assert np.abs(mixed.x - expected).max() <= 0.5 + 1e-3  # rounded once
    assert mixed.share.dtype == np.float32
    assert mixed.share.min() >= 0.6
    assert mixed.share.max() <= 1.0
    assert np.ptp(mixed.share) > 0.2
    assert len(np.unique(mixed.partners)) > 15


def test_token_dropout_hides_words_but_neither_the_first_nor_padding():
    told = Augment(token_dropout=0.4)
    x = np.tile(TEXT, (20, 1))
    found = Views(x, told, layout="tokens", seed=0, pad=0, hide=1)(np.arange(len(x)), 0).x
    hidden = found == 1
    assert np.array_equal(found[~hidden], x[~hidden])
    assert not hidden[:, 0].any()
    assert not hidden[:, 11:].any()
    assert hidden[:, 1:11].mean() == pytest.approx(0.4, abs=0.022)  # 4 standard errors


def test_whole_numbers_stay_inside_their_dtype():
    x = np.full((50, 6, 2), 32767, np.int16)
    found = Views(x, Augment(noise=2.0), layout="tc", seed=0, std=np.float32(100.0))
    noisy = found(np.arange(50), 0).x
    assert noisy.max() == 32767
    assert noisy.min() > 30000


# --- the hash ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "view", "stream"), [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2**40, 999, 7)]
)
def test_draws_are_uniform_over_neighbouring_rows(seed, view, stream):
    bits = draws(seed, view, np.arange(9000), stream, 2)
    for shift in (0, 20, 60):  # lowest, middle and highest bits
        counts = np.bincount((bits[:, 0] >> np.uint64(shift)) & np.uint64(15), minlength=16)
        assert ((counts - 562.5) ** 2 / 562.5).sum() < 44.3  # chi-square, 15 degrees, p = 0.0001
    ones = (bits[:, :, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).mean((0, 1))
    assert np.abs(ones - 0.5).max() < 0.017  # 4.5 standard errors


def test_draws_of_neighbours_are_independent():
    rows = np.arange(4000)
    base = draws(0, 0, rows, 0, 2)
    others = [
        base[:, 1], draws(0, 0, rows + 1, 0, 1)[:, 0], draws(0, 1, rows, 0, 1)[:, 0],
        draws(1, 0, rows, 0, 1)[:, 0], draws(0, 0, rows, 1, 1)[:, 0],
    ]  # fmt: skip
    for other in others:
        pairs = (base[:, 0] >> np.uint64(62)) * np.uint64(4) + (other >> np.uint64(62))
        counts = np.bincount(pairs, minlength=16)
        assert ((counts - 250.0) ** 2 / 250.0).sum() < 44.3  # as above
        assert np.unpackbits((base[:, 0] ^ other).view(np.uint8)).mean() == pytest.approx(
            0.5, abs=0.005
        )


def test_seed_and_view_are_not_interchangeable():
    rows = np.arange(100)
    found = {
        draws(a, b, rows, c, 1).tobytes() for a in range(3) for b in range(3) for c in range(3)
    }
    assert len(found) == 27


def test_draws_stay_the_same_from_version_to_version():
    assert draws(0, 0, np.array([0]), 0, 1)[0, 0] == 0x78AE5A9A6B5FD45E


# --- refusals, memory -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("augment", "layout", "shape", "key"),
    [
        (Augment(flip=True), "table", (10,), "flip"),
        (Augment(crop=2), "tc", (10, 3), "crop"),
        (Augment(mixup=0.2), "tokens", (10,), "mixup"),
        (Augment(token_dropout=0.2), "hwc", (8, 8, 3), "token_dropout"),
        (Augment(noise=0.2), "hw", (8, 8), "noise"),
        (Augment(frequency_mask=1), "tc", (10, 3), "frequency_mask"),
        (Augment(crop=8), "hwc", (8, 20, 3), "crop"),
        (Augment(shift=10), "tc", (10, 3), "shift"),
        (Augment(time_mask=11), "tc", (10, 3), "time_mask"),
        (Augment(frequency_mask=9), "hw", (20, 8), "frequency_mask"),
    ],
)
def test_what_such_samples_do_not_have_is_refused_by_its_key(augment, layout, shape, key):
    with pytest.raises(RecipeError) as refused:
        check(augment, layout, shape)
    assert refused.value.where == f"augment.{key}"


@LAYOUTS
def test_what_such_samples_have_is_let_through(layout):
    x, augment = EVERYTHING[layout]
    check(augment, layout, x.shape[1:])
    check(Augment(), layout, x.shape[1:])


def test_memory_stays_flat_however_many_rows_are_asked_for():
    x = np.zeros((4, 512, 512, 4), np.uint8)  # 1 MiB a sample
    asked = Views(x, Augment(crop=8, flip=True, mixup=0.5), layout="hwc", seed=0)
    peaks = []
    for count in (2, 24):
        tracemalloc.start()
        asked(np.arange(count) % 4, 0)
        peaks.append(tracemalloc.get_traced_memory()[1] - count * 2**20)
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
