"""Calibration: the ranges of ONNX Runtime's calibrators, whatever the batches and however many."""

import itertools

import numpy as np
import onnx
import onnx_files
import pytest
from edgestill.devices.onboard.measure import memory
from edgestill.errors import DataError, ModelError
from edgestill.pipeline.compress.int8 import histogram
from edgestill.pipeline.compress.int8.calibration import BINS, ENTROPY_BINS, Method, Range, ranges
from edgestill.pipeline.compress.int8.histogram import Histogram
from onnx import TensorProto, helper
from onnxruntime.quantization import CalibrationMethod
from onnxruntime.quantization.calibrate import HistogramCollector, create_calibrator

METHODS = Method.__args__
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
TENSORS = ["x", "c1", "r1", "c2", "r2", "mean", "flat", "logits"]


def convolutions(path):
    """Two convolutions and a fully connected layer; every tensor in it is in TENSORS."""
    random = np.random.default_rng(1)
    stored = {
        "w1": random.normal(size=(6, 2, 3, 3)), "w2": random.normal(size=(8, 6, 3, 3)),
        "w3": random.normal(size=(8, 5)),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w3"], ["logits"]),
    ]
    return onnx_files.save(
        path, nodes, [("x", FLOAT, ["n", 2, 9, 9])], [("logits", FLOAT, ["n", 5])],
        [(name, one.astype(np.float32)) for name, one in stored.items()],
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return convolutions(tmp_path_factory.mktemp("calibration") / "m.onnx")


@pytest.fixture(scope="module")
def x():
    """41 samples with heavy tails."""
    return np.random.default_rng(0).standard_t(4, (41, 2, 9, 9)).astype(np.float32)


def batches(x, size, name="x"):
    return lambda: ({name: x[i : i + size]} for i in range(0, len(x), size))


def unary(path, kind="Relu", shape=("n", 4), *, elem=FLOAT, opset=17, ir_version=9):
    """x -> y of one operator."""
    proto = onnx_files.model(
        [helper.make_node(kind, ["x"], ["y"])], [("x", elem, shape)], [("y", elem, shape)],
        opset=opset, ir_version=ir_version,
    )  # fmt: skip
    path.write_bytes(proto.SerializeToString())
    return path


def theirs(model, feeds, method, folder, kinds=None, **options):
    """The ranges of ONNX Runtime's own calibrator, of all tensors or around operators of a kind."""
    calibrator = create_calibrator(
        model, kinds, str(folder / "theirs.onnx"), calibrate_method=method, extra_options=options
    )

    class Reader:
        given = iter(feeds())

        def get_next(self):
            return next(self.given, None)

    calibrator.collect_data(Reader())
    found = calibrator.compute_data()
    return {
        name: tuple(np.asarray(end).item() for end in one.range_value)
        for name, one in found.items()
    }


def with_zero(pair):
    """What a quantizer makes of a range: zero must be in it."""
    return min(pair[0], 0.0), max(pair[1], 0.0)


def error(x, found):
    """Mean squared error of x in uint8 over a range."""
    scale = (found.high - found.low) / 255
    zero = round(-found.low / scale)
    q = np.clip(np.round(x / scale) + zero, 0, 255)
    return float(np.mean((scale * (q - zero) - x) ** 2))


# --- the same as ONNX Runtime -----------------------------------------------------------------


def test_minmax_is_exactly_that_of_onnx_runtime(model, x, tmp_path):
    ours = ranges(model, TENSORS, batches(x, 8), "minmax")
    reference = theirs(model, batches(x, 1), CalibrationMethod.MinMax, tmp_path)
    assert set(ours) == set(reference)
    for name, (low, high) in reference.items():
        assert ours[name] == with_zero((low, high)), name


def test_average_is_onnx_runtimes_moving_average_of_batches_of_one(model, x, tmp_path):
    ours = ranges(model, TENSORS, batches(x, 8), "average")
    reference = theirs(
        model, batches(x, 1), CalibrationMethod.MinMax, tmp_path, moving_average=True
    )
    for name, pair in reference.items():
        assert ours[name] == pytest.approx(with_zero(pair), rel=1e-5), name


@pytest.mark.parametrize("percent", [99.999, 99.9, 90.0, 50.0])
def test_percentile_is_that_of_onnx_runtime_to_one_bin(model, x, tmp_path, percent):
    ours = ranges(model, TENSORS, batches(x, 8), "percentile", percentile=percent)
    whole = ranges(model, TENSORS, batches(x, 8), "minmax")
    reference = theirs(
        model, batches(x, 1), CalibrationMethod.Percentile, tmp_path, percentile=percent
    )
    assert set(ours) == set(reference)
    for name, pair in reference.items():
        bin_width = max(-whole[name].low, whole[name].high) / BINS
        assert ours[name] == pytest.approx(with_zero(pair), abs=1.001 * bin_width), name
    if percent < 99.99:
        assert ours["c1"].high < whole["c1"].high


def test_entropy_is_that_of_onnx_runtime_to_one_bin_where_nothing_is_exactly_zero(
    model, x, tmp_path
):
    names = ["x", "c1", "c2"]
    ours = ranges(model, names, batches(x, 8), "entropy")
    whole = ranges(model, names, batches(x, 8), "minmax")
    reference = theirs(
        model, batches(x, 1), CalibrationMethod.Entropy, tmp_path, ["Conv"], num_bins=ENTROPY_BINS
    )
    for name in names:
        bin_width = 2 * max(-whole[name].low, whole[name].high) / ENTROPY_BINS
        assert ours[name] == pytest.approx(with_zero(reference[name]), abs=1.001 * bin_width), name
    assert ours["c1"].high < 0.9 * whole["c1"].high


@pytest.mark.parametrize("draw", ["laplace", "few", "sided"])
def test_entropy_of_a_histogram_is_that_of_onnx_runtime(draw):
    random = np.random.default_rng(3)
    x = {
        "laplace": lambda: random.laplace(size=30_000),
        "few": lambda: random.normal(size=300),
        "sided": lambda: np.abs(random.normal(size=30_000)),
    }[draw]().astype(np.float32)
    far = np.abs(x).max()
    counts, edges = np.histogram(x, ENTROPY_BINS, (-far, far))
    reference = HistogramCollector("entropy", False, 0, 0, 0, None).get_entropy_threshold(
        (counts, edges.astype(np.float32), -far, far, far), histogram.LEVELS
    )
    ours = Histogram(float(-far), float(far), ENTROPY_BINS)
    ours.add(x)
    assert np.abs(ours.counts - counts).sum() <= 4, "rounding at the edges of bins alone"
    assert histogram.entropy(ours) == pytest.approx(float(reference[1]), rel=1e-6)


# --- batches, order, memory -------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_neither_the_size_nor_the_order_of_batches_matters(model, x, method):
    names = ["c1", "r2", "logits"]
    one, seven, whole = (ranges(model, names, batches(x, n), method) for n in (1, 7, len(x)))
    assert one == seven == whole
    backwards = ranges(model, names, batches(x[::-1], 7), method)
    for name, found in backwards.items():
        assert found == pytest.approx(one[name], rel=1e-12), name


@pytest.mark.promise("Memory for calibration does not grow with the samples")
def test_memory_does_not_grow_with_the_samples(tmp_path, figure):
    nodes = [
        helper.make_node("Tile", ["x", "by"], ["wide"]),
        helper.make_node("Relu", ["wide"], ["y"]),
    ]
    path = onnx_files.save(
        tmp_path / "m.onnx", nodes, [("x", FLOAT, ["n", 64])], [("y", FLOAT, ["n", 65536])],
        [("by", np.array([1, 1024]))],
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32)
    ranges(path, ["wide", "y"], batches(x[:10], 10), "percentile")
    baseline = memory.begin()
    ranges(path, ["wide", "y"], batches(x, len(x)), "percentile")
    peak = memory.peak_over(baseline)
    if peak.over_baseline_bytes is None:
        pytest.skip(peak.missing)
    held_by_others = 2 * len(x) * 65536 * 4
    peak_mib, others_mib = (n / 2**20 for n in (peak.over_baseline_bytes, held_by_others))
    figure(f"{peak_mib:.0f} MiB where all activations take {others_mib:.0f} MiB")
    assert peak.over_baseline_bytes < 0.1 * held_by_others


# --- the methods ------------------------------------------------------------------------------


def test_minmax_average_and_percentile_are_what_numpy_finds(tmp_path):
    path = unary(tmp_path / "m.onnx", "Identity", ("n", 400))
    x = np.random.default_rng(5).normal(size=(50, 400)).astype(np.float32)
    found = {
        method: ranges(path, ["y"], batches(x, 16), method, percentile=99.0)["y"]
        for method in ("minmax", "average", "percentile")
    }
    assert found["minmax"] == (x.min(), x.max())
    assert found["average"] == pytest.approx((x.min(1).mean(), x.max(1).mean()), rel=1e-6)
    far = float(np.percentile(np.abs(x), 99.0))
    assert found["percentile"] == pytest.approx((-far, far), abs=float(np.abs(x).max()) / BINS)


@pytest.mark.parametrize(
    ("outlier", "over_best"), [(None, 1.02), (8.0, 1.02), (-40.0, 1.02), (1000.0, 1.1)]
)
@pytest.mark.parametrize("kind", ["Identity", "Relu"])
def test_mse_finds_the_range_of_least_squared_error(tmp_path, kind, outlier, over_best):
    path = unary(tmp_path / "m.onnx", kind, ("n", 500))
    x = np.random.default_rng(7).laplace(size=(40, 500)).astype(np.float32) * 0.3
    if outlier:
        x[3, 4] = outlier
    y = x if kind == "Identity" else np.maximum(x, 0)
    found = ranges(path, ["y"], batches(x, 16), "mse")["y"]
    low, high = float(y.min()), float(y.max())
    grid = np.geomspace(1e-3, 1, 60)
    tried = [Range(a * low, b * high) for a, b in itertools.product(grid if low else [0], grid)]
    best = min(error(y, one) for one in tried)
    assert error(y, found) < over_best * best


def test_mse_cuts_an_outlier_off_and_minmax_does_not(tmp_path):
    path = unary(tmp_path / "m.onnx", "Identity", ("n", 500))
    x = np.random.default_rng(7).normal(size=(40, 500)).astype(np.float32)
    x[3, 4] = 60.0
    mse, minmax = (ranges(path, ["y"], batches(x, 16), m)["y"] for m in ("mse", "minmax"))
    assert minmax.high == 60.0
    assert mse.high < 60.0
    assert error(x, mse) < error(x, minmax)


@pytest.mark.parametrize("method", ["entropy", "mse"])
def test_exact_zeros_do_not_move_what_entropy_and_mse_choose(tmp_path, method):
    path = unary(tmp_path / "m.onnx", "Relu", ("n", 1000))
    x = np.abs(np.random.default_rng(9).laplace(size=(20, 1000))).astype(np.float32)
    half = np.concatenate([x, np.full_like(x, -1.0)])
    dense, sparse = (ranges(path, ["y"], batches(one, 8), method)["y"] for one in (x, half))
    assert sparse == dense
    assert error(np.maximum(half, 0), sparse) < 0.01 * x.var()


@pytest.mark.parametrize("method", METHODS)
def test_zero_is_in_every_range_and_a_tensor_of_zeros_has_one(tmp_path, method):
    path = unary(tmp_path / "m.onnx", "Identity")
    positive = np.random.default_rng(0).uniform(3, 4, (9, 4)).astype(np.float32)
    up = ranges(path, ["y"], batches(positive, 4), method)["y"]
    down = ranges(path, ["y"], batches(-positive, 4), method)["y"]
    assert up.low == 0.0
    assert 2.5 < up.high <= 4.0
    assert down.high == 0.0
    assert -4.0 <= down.low < -2.5
    assert ranges(path, ["y"], batches(0 * positive, 4), method) == {"y": (0.0, 1.0)}


def test_rare_values_among_zeros_leave_a_percentile_range_above_zero(tmp_path):
    path = unary(tmp_path / "m.onnx", "Relu", ("n", 50_000))
    x = np.full((2, 50_000), -1, np.float32)
    x[0, 7] = 5.0
    low, high = ranges(path, ["y"], batches(x, 1), "percentile")["y"]
    assert (low, high) == (0.0, pytest.approx(5.0 / BINS))


# --- models of every kind ---------------------------------------------------------------------


@pytest.mark.parametrize(("opset", "ir_version"), [(11, 6), (13, 7), (17, 8), (21, 10), (23, 11)])
def test_opsets_from_11_to_23_are_taken(tmp_path, opset, ir_version):
    path = unary(tmp_path / "m.onnx", opset=opset, ir_version=ir_version)
    x = np.array([[-1, 2, 3, 4], [5, 1, 0, 2]], np.float32)
    assert ranges(path, ["y", "x"], batches(x, 2), "minmax") == {"y": (0, 5), "x": (-1, 5)}


def test_ids_masks_scalars_and_stored_tensors_are_taken(tmp_path):
    table = np.arange(-6, 6, dtype=np.float32).reshape(6, 2)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("Mul", ["words", "mask"], ["seen"]),
        helper.make_node("Mul", ["seen", "gain"], ["y"]),
    ]
    inputs = [("ids", INT64, ["n", "t"]), ("mask", FLOAT, ["n", "t", 1]), ("gain", FLOAT, [])]
    path = onnx_files.save(
        tmp_path / "m.onnx", nodes, inputs, [("y", FLOAT, ["n", "t", 2])], [("table", table)]
    )

    def feeds():
        yield {
            "ids": np.array([[0, 5], [1, 1], [2, 3]]),
            "mask": np.array([[1, 1], [1, 0], [1, 1]], np.float32)[:, :, None],
            "gain": np.array(0.5, np.float32),
        }
        yield {
            "ids": np.array([[4, 4, 4]]),
            "mask": np.ones((1, 3, 1), np.float32),
            "gain": np.array(2.0, np.float32),
        }

    found = ranges(path, ["words", "seen", "y", "table", "gain"], feeds, "minmax")
    assert found == {
        "words": (-6, 5), "seen": (-6, 5), "y": (-3, 6), "table": (-6, 5), "gain": (0, 2),
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"'ids' is a tensor\(int64\), expected floats"):
        ranges(path, ["ids"], feeds, "minmax")


def test_a_fixed_batch_is_filled_from_batches_of_any_multiple_and_others_are_refused(tmp_path):
    x = np.arange(48, dtype=np.float32).reshape(12, 4)
    one = unary(tmp_path / "one.onnx", shape=(1, 4))
    four = unary(tmp_path / "four.onnx", shape=(4, 4))
    assert ranges(one, ["y"], batches(x, 5), "average") == {"y": (0, 25)}
    assert ranges(four, ["y"], batches(x, 8), "minmax") == {"y": (0, 47)}
    with pytest.raises(DataError, match="batch 1, counted from 0: found 2 samples, expected a mul"):
        ranges(four, ["y"], batches(x[:10], 8), "minmax")


def test_inputs_of_different_lengths_run_as_they_come(tmp_path):
    path = onnx_files.save(
        tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", FLOAT, ["n", 3]), ("w", FLOAT, [3, 2])], [("y", FLOAT, ["n", 2])],
    )  # fmt: skip
    feed = {"x": np.ones((5, 3), np.float32), "w": np.full((3, 2), 2, np.float32)}
    assert ranges(path, ["y"], lambda: [feed], "minmax") == {"y": (0, 6)}


def test_halves_are_counted_as_well(tmp_path):
    path = unary(tmp_path / "m.onnx", "Identity", elem=TensorProto.FLOAT16)
    x = np.array([[-60000, 3, 1, 60000]], np.float16)
    for method in ("minmax", "percentile", "mse"):
        low, high = ranges(path, ["y"], batches(x, 1), method, percentile=100)["y"]
        assert (low, high) == pytest.approx((-60000, 60000), rel=1e-2)


def test_weights_beside_the_model_are_found_and_nothing_is_written_there(model, x, tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(
        onnx.load(model), path, save_as_external_data=True, location="m.bin", size_threshold=0
    )
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    assert len(before) == 2
    found = ranges(path, ["c2"], batches(x, 8), "minmax")
    assert found == ranges(model, ["c2"], batches(x, 8), "minmax")
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "tensor", "what"),
    [
        (np.nan, "y", "NaN"),
        (np.nan, "x", "NaN"),
        (np.inf, "x", "infinity"),
        (-np.inf, "x", "infinity"),
    ],
)
def test_what_is_no_number_is_refused_with_the_tensor_and_the_batch(tmp_path, bad, tensor, what):
    path = unary(tmp_path / "m.onnx", "Identity")
    x = np.ones((9, 4), np.float32)
    x[7, 2] = bad
    with pytest.raises(ModelError, match=f"batch 2, counted from 0: {what} in tensor '{tensor}'"):
        ranges(path, [tensor], batches(x, 3), "percentile")


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.finfo(np.float32).min])
@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_a_mask_inside_has_no_range(tmp_path, bad, method):
    path = unary(tmp_path / "m.onnx", "Identity")
    x = np.ones((9, 4), np.float32)
    x[7, 2] = bad
    feeds = batches(x, 3)
    assert ranges(path, ["y"], feeds, method) == {}


@pytest.mark.parametrize("feeds", [list, lambda: [{"x": np.ones((0, 4), np.float32)}]])
def test_no_samples_are_an_error(tmp_path, feeds):
    with pytest.raises(DataError, match="no samples"):
        ranges(unary(tmp_path / "m.onnx"), ["y"], feeds, "minmax")


@pytest.mark.parametrize(
    "feed",
    [{"z": np.ones((2, 4), np.float32)}, {"x": np.ones((2, 4))}, {"x": np.ones((2, 3), "f")}],
)
def test_a_batch_that_the_model_does_not_take_is_refused_with_its_number(tmp_path, feed):
    good = {"x": np.ones((2, 4), np.float32)}
    with pytest.raises(DataError, match="batch 1"):
        ranges(unary(tmp_path / "m.onnx"), ["y"], lambda: [good, feed], "minmax")


def test_feeds_that_cannot_be_read_twice_are_refused(tmp_path):
    path = unary(tmp_path / "m.onnx")
    once = iter(batches(np.ones((6, 4), np.float32), 2)())
    with pytest.raises(DataError) as caught:
        ranges(path, ["y"], lambda: once, "mse")
    assert caught.value.found == "0 values of 'y' in the second pass"
    assert caught.value.expected == "24, as in the first"
    assert caught.value.where == "the calibration set"
    assert caught.value.fix == "let feeds() return the same samples at each call"


@pytest.mark.parametrize("method", METHODS)
def test_a_range_too_narrow_for_a_scale_of_float32_is_that_of_zeros(tmp_path, method):
    path = unary(tmp_path / "m.onnx", "Identity", elem=TensorProto.DOUBLE)
    for narrow in (1e-30, 1e-31):
        feeds = batches(np.full((2, 4), narrow), 2)
        assert ranges(path, ["y"], feeds, method) == {"y": (0.0, 1.0)}
    feeds = batches(np.full((2, 4), 1e-27), 2)
    assert 0.0 < ranges(path, ["y"], feeds, method)["y"].high < 1.0


def test_a_tensor_that_is_not_there_is_a_mistake_with_the_nearest_name(model, x):
    with pytest.raises(ValueError, match=r"no tensor 'logit' in .*did you mean 'logits'"):
        ranges(model, ["logit"], batches(x, 8), "minmax")


def test_any_percentile_above_zero_is_taken_and_99_99_where_none_is_said(model, x):
    low, usual, whole = (
        ranges(model, ["c1"], batches(x, 8), "percentile", percentile=percent)
        for percent in (0.5, 99.99, 100)
    )
    assert low["c1"].high < 0.1 * usual["c1"].high
    assert usual["c1"].high < whole["c1"].high
    assert ranges(model, ["c1"], batches(x, 8), "percentile") == usual


@pytest.mark.parametrize("percent", [0, -1, 100.1, float("nan")])
def test_a_percentile_out_of_range_is_a_mistake(model, x, percent):
    with pytest.raises(ValueError, match="expected above 0 and at most 100"):
        ranges(model, ["c1"], batches(x, 8), "percentile", percentile=percent)
