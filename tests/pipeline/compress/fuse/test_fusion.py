"""Fusion of transformers: which files are right under every padding, and which of them ships."""

import sys
from types import SimpleNamespace

import numpy as np
import onnx
import onnx_files
import pytest
import torch
from edgestill.devices.onboard.runtimes.onnxruntime import open_session
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import HostError, ModelError
from edgestill.exporters import ort
from edgestill.exporters.onnx import INPUT, export
from edgestill.pipeline.compress import parity
from edgestill.pipeline.compress.fuse import attention, fusion, onnxruntime_tools, padding_cases
from edgestill.pipeline.compress.fuse.candidates import Candidate, Fusion, choose
from edgestill.pipeline.compress.fuse.fusers import FUSERS
from edgestill.pipeline.compress.fuse.transformer import is_transformer
from edgestill.pipeline.models import deployed, example
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.records import DataRecord
from flat_options import flat_settings
from onnx import TensorProto, helper
from onnxruntime.transformers.optimizer import optimize_model

pytestmark = pytest.mark.slow

WIDTH, HEADS, VOCABULARY, LENGTH = 32, 4, 50, 12
QUICK = flat_settings(processes=6, seconds=0.01, max_queries=64, warmup_seconds=0.02)


class Graph:
    """Writes nodes one by one; each gives its output's name."""

    def __init__(self):
        self.nodes, self.stored, self.random = [], [], np.random.default_rng(0)

    def keep(self, array):
        self.stored.append((f"c{len(self.stored)}", np.asarray(array)))
        return self.stored[-1][0]

    def weights(self, *shape):
        return self.keep((self.random.normal(size=shape) * shape[0] ** -0.5).astype(np.float32))

    def add(self, kind, *inputs, given=None, **options):
        given = given or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [given], f"n{len(self.nodes)}", **options))
        return given

    def linear(self, x, taken, given):
        return self.add(
            "Add", self.add("MatMul", x, self.weights(taken, given)), self.weights(given)
        )

    def norm(self, x):
        one, zero = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        return self.add("LayerNormalization", x, self.keep(one), self.keep(zero), axis=-1)


def bert(path):
    """A BERT of one layer as common exporters write it: input_ids and attention_mask."""
    g = Graph()
    mask = g.add("Unsqueeze", g.add("Unsqueeze", "attention_mask", g.keep([1])), g.keep([2]))
    mask = g.add("Sub", g.keep(np.float32(1)), g.add("Cast", mask, to=TensorProto.FLOAT))
    mask = g.add("Mul", mask, g.keep(np.float32(-10_000)))
    x = g.norm(g.add("Gather", g.weights(VOCABULARY, WIDTH), "input_ids"))
    heads = g.keep([0, 0, HEADS, WIDTH // HEADS])
    query, key, value = (
        g.add("Transpose", g.add("Reshape", g.linear(x, WIDTH, WIDTH), heads), perm=turn)
        for turn in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    )
    root = g.keep(np.float32((WIDTH // HEADS) ** 0.5))
    scores = g.add("Add", g.add("Div", g.add("MatMul", query, key), root), mask)
    mixed = g.add("MatMul", g.add("Softmax", scores, axis=3), value)
    mixed = g.add("Reshape", g.add("Transpose", mixed, perm=[0, 2, 1, 3]), g.keep([0, 0, WIDTH]))
    x = g.norm(g.add("Add", g.linear(mixed, WIDTH, WIDTH), x))
    inner = g.add("Gelu", g.linear(x, WIDTH, 4 * WIDTH))
    x = g.norm(g.add("Add", g.linear(inner, 4 * WIDTH, WIDTH), x))
    # The mean over all places tells padding before the text from padding behind it.
    pooled = g.add("ReduceMean", x, g.keep([1]), keepdims=0)
    g.add("Gemm", pooled, g.weights(WIDTH, 3), g.weights(3), given="logits")
    ids = [(name, TensorProto.INT64, ["n", "length"]) for name in ("input_ids", "attention_mask")]
    model = onnx_files.model(
        g.nodes, ids, [("logits", TensorProto.FLOAT, ["n", 3])], g.stored, opset=20
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def texts(rows=40):
    """Samples of a BERT, padded behind as a tokenizer does."""
    random = np.random.default_rng(0)
    told = np.arange(LENGTH) < random.integers(3, LENGTH + 1, (rows, 1))
    ids = random.integers(1, VOCABULARY, (rows, LENGTH)) * told
    return {"input_ids": ids, "attention_mask": told.astype(np.int64)}


def with_defaults(source):
    """What onnxruntime makes of it unless told that padding may stand anywhere."""
    return optimize_model(str(source), "bert").model


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    """The BERT, fused and measured."""
    folder = tmp_path_factory.mktemp("fusion")
    source, target = bert(folder / "fp32.onnx"), folder / "fused.onnx"
    found = fusion.fuse(source, target, pad=None, samples=texts(), settings=QUICK)
    return SimpleNamespace(source=source, target=target, found=found, folder=folder)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """An export of our own family, which finds its mask itself."""
    data = DataRecord(
        source="test", task="classification", labels=tuple("abcd"), sample_shape=(LENGTH,),
        layout="tokens", dtype="int32", mean=(), std=(), vocabulary=VOCABULARY, pad=0,
        rows={}, counts={}, dropped=0, notes=(), fingerprint="",
    )  # fmt: skip
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("ours") / "fp32.onnx"
    model = deployed(Architecture(model="transformer1", width=64), data)
    export(model, example(data), path, opset=20)
    return path, {INPUT: texts()["input_ids"].astype(np.int32)}


# --- candidates -------------------------------------------------------------------------------


def test_every_candidate_tells_what_it_fused_how_far_it_is_off_and_how_long_it_takes(fused):
    none, packed, plain, full = fused.found.candidates
    assert (none.name, none.fused) == ("none", {})
    assert (packed.fused, packed.refused) == ({}, "nothing fused")
    assert plain.fused == {"Attention": 1, "BiasGelu": 1}
    assert full.fused == {"Attention": 1, "BiasGelu": 1, "SkipLayerNormalization": 2}
    for one in (none, plain, full):
        assert one.refused is None
        assert one.largest_difference < 1e-5
        assert 0 < one.p50_ms.low <= one.p50_ms.value <= one.p50_ms.high
    assert none.ratio.value is None
    assert plain.ratio.low <= plain.ratio.value <= plain.ratio.high


def test_what_ships_is_the_candidate_that_was_chosen(fused):
    chosen = next(one for one in fused.found.candidates if one.name == fused.found.choice)
    assert fused.found.changed_nodes == sum(chosen.fused.values())
    kinds = [node.op_type for node in onnx.load(fused.target).graph.node]
    assert {kind: kinds.count(kind) for kind in chosen.fused} == chosen.fused
    assert sorted(path.name for path in fused.folder.iterdir()) == ["fp32.onnx", "fused.onnx"]


def test_a_record_of_it_goes_through_json_and_back(fused):
    text = fused.found.model_dump_json()
    assert Fusion.model_validate_json(text) == fused.found


@pytest.mark.parametrize("fuser", FUSERS["onnxruntime"])
def test_a_candidate_is_the_same_bytes_each_time_without_paths_and_converts_to_ort(
    fuser, fused, tmp_path
):
    for name in ("a", "b"):
        (tmp_path / f"{name}.onnx").write_bytes(
            FUSERS["onnxruntime"][fuser](fused.source).SerializeToString(deterministic=True)
        )
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert str(fused.folder).encode() not in (tmp_path / "a.onnx").read_bytes()
    converted, _ = ort.convert(tmp_path, target="arm")
    feeds = list(padding_cases.feeds(fused.source, texts(), pad=None))
    assert parity.largest_difference(fused.source, converted, feeds) < 1e-5


def test_onnxruntimes_defaults_are_refused_for_left_padded_texts(fused, tmp_path):
    """The samples, padded behind, do not tell: on them the two answer the same."""
    (tmp_path / "d.onnx").write_bytes(with_defaults(fused.source).SerializeToString())
    samples = texts()
    assert parity.largest_difference(fused.source, tmp_path / "d.onnx", [samples]) < 1e-5
    found = fusion.fuse(
        fused.source, tmp_path / "f.onnx", pad=None, samples=samples,
        fusers={"defaults": with_defaults},
    )  # fmt: skip
    refused = found.candidates[1]
    assert refused.largest_difference > 0.1
    assert refused.refused.startswith("outputs differ by")
    assert (found.choice, found.why) == ("none", "no other candidate is correct")
    assert (tmp_path / "f.onnx").read_bytes() == fused.source.read_bytes()


def test_a_candidate_that_does_not_run_is_refused_with_the_reason(fused, tmp_path):
    def broken(source):
        model = FUSERS["onnxruntime"]["fused"](source)
        next(n for n in model.graph.node if n.op_type == "Attention").attribute[0].i = 7
        return model

    found = fusion.fuse(
        fused.source, tmp_path / "f.onnx", pad=None, samples=texts(), fusers={"broken": broken}
    )
    assert "does not" in found.candidates[1].refused
    assert found.choice == "none"


def test_the_attention_of_our_own_family_is_fused_and_its_mask_with_it(ours, tmp_path):
    source, samples = ours
    found = fusion.fuse(source, tmp_path / "f.onnx", pad=0, samples=samples, settings=QUICK)
    packed = found.candidates[1]
    assert (packed.name, packed.fused) == ("attention of a packed projection", {"Attention": 1})
    assert packed.refused is None
    assert packed.largest_difference < 1e-5


def swapped(graph):
    """Query and key change places."""
    split = next(node for node in graph.node if node.op_type == "Split")
    split.output[0], split.output[1] = split.output[1], split.output[0]


def of_queries(graph):
    """The mask leaves queries out, not keys."""
    axes = next(n for n in graph.node if n.op_type == "Unsqueeze").input[1]
    stored = next(one for one in graph.initializer if one.name == axes)
    stored.CopyFrom(onnx.numpy_helper.from_array(np.array([1, 3]), axes))


def over_queries(graph):
    """The softmax runs over the wrong axis."""
    softmax = next(node for node in graph.node if node.op_type == "Softmax")
    softmax.attribute[0].i = 2


@pytest.mark.parametrize("change", [swapped, of_queries, over_queries])
def test_what_only_looks_like_attention_is_left_alone(change, ours):
    source, _ = ours
    model = onnx.load(source)
    change(model.graph)
    before = model.SerializeToString(deterministic=True)
    fused = attention.fuse(model)
    assert "Attention" not in {node.op_type for node in fused.graph.node}
    assert len(fused.graph.node) == len(onnx.ModelProto.FromString(before).graph.node)


def test_onnxruntime_tools_fuses_in_a_process_of_its_own_and_is_judged_as_the_others(
    ours, tmp_path
):
    source, samples = ours
    found = fusion.fuse(
        source, tmp_path / "f.onnx", pad=0, samples=samples, by="both", settings=QUICK
    )
    old = next(one for one in found.candidates if one.name == "fused by onnxruntime-tools")
    assert old.fused == {"BiasGelu": 1}
    assert old.refused is None
    assert old.largest_difference < 1e-5
    assert old.ratio.value > 0
    assert "onnxruntime_tools" not in sys.modules


def test_what_onnxruntime_tools_fails_on_is_refused_with_its_reason(fused, tmp_path):
    found = fusion.fuse(
        fused.source, tmp_path / "f.onnx", pad=None, samples=texts(), by="onnxruntime-tools"
    )
    assert "onnxruntime-tools cannot fuse the model (" in found.candidates[1].refused
    assert (tmp_path / "f.onnx").read_bytes() == fused.source.read_bytes()


def test_without_onnxruntime_tools_the_error_names_the_extra(fused, tmp_path, monkeypatch):
    monkeypatch.setattr(onnxruntime_tools, "PACKAGE", "no_such_package")
    with pytest.raises(HostError, match=r"pip install 'edgestill\[onnxruntime-tools\]'"):
        onnxruntime_tools.fuse(fused.source, tmp_path / "f.onnx")


def test_a_candidate_that_fused_nothing_or_the_same_is_not_measured(fused, tmp_path):
    ways = {"nothing": onnx.load, "again": onnx.load}
    found = fusion.fuse(fused.source, tmp_path / "f.onnx", pad=None, samples=texts(), fusers=ways)
    assert [one.refused for one in found.candidates[1:]] == ["the same as none"] * 2
    assert found.candidates[1].p50_ms.value is None
    assert found.candidates[1].largest_difference is None


def test_our_own_family_keeps_its_answers_for_any_padding(ours, tmp_path):
    source, samples = ours
    feeds = list(padding_cases.feeds(source, samples, pad=0))
    assert any((feed[INPUT][:, 0] == 0).any() for feed in feeds)
    assert any((feed[INPUT] == 0).all(1).any() for feed in feeds), "a text of padding alone"
    for name, way in FUSERS["both"].items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(way(source).SerializeToString())
        assert parity.largest_difference(source, path, feeds) < 1e-5


# --- choosing ---------------------------------------------------------------------------------


def candidate(name, low=None, value=None, high=None):
    ratio = Estimate(value, low, high, "made up", 6)
    return Candidate(name=name, fused={"Attention": 1}, ratio=ratio)


NONE = candidate("none")


@pytest.mark.parametrize(
    ("measured", "choice", "why"),
    [
        ([], "none", "no other candidate is correct"),
        ([("a", 0.70, 0.75, 0.80)], "a", "a at 0.75"),
        ([("a", 0.70, 0.75, 1.02)], "none", "beyond the noise"),
        ([("a", 1.10, 1.15, 1.20)], "none", "beyond the noise"),
        ([("a", 0.80, 0.85, 0.90), ("b", 0.60, 0.65, 0.70)], "b", "the fastest"),
        ([("a", 0.70, 0.76, 0.82), ("b", 0.68, 0.75, 0.80)], "a", "simpler than b"),
        ([("a", 0.60, 0.65, 0.70), ("b", 0.80, 0.85, 0.90)], "a", "the fastest"),
        ([("a", 0.75, 0.90, 1.10), ("b", 0.68, 0.70, 0.80)], "b", "the fastest"),
        ([("a", None, 0.5, None)], "none", "no candidate has an interval"),
    ],
)
def test_the_fastest_is_chosen_and_of_equals_the_plainest(measured, choice, why):
    found, said = choose([NONE, *(candidate(*one) for one in measured)])
    assert found == choice
    assert why in said


# --- what is no transformer -------------------------------------------------------------------


def test_a_model_without_attention_is_left_as_it_is_and_says_so(tmp_path):
    g = Graph()
    x = g.norm(g.linear("x", WIDTH, WIDTH))
    g.add("Softmax", g.linear(x, WIDTH, 3), given="y")  # a classifier's softmax, over a product
    path = onnx_files.save(
        tmp_path / "m.onnx", g.nodes, [("x", TensorProto.FLOAT, ["n", WIDTH])],
        [("y", TensorProto.FLOAT, ["n", 3])], g.stored,
    )  # fmt: skip
    samples = {"x": np.ones((3, WIDTH), np.float32)}
    found = fusion.fuse(path, tmp_path / "f.onnx", pad=None, samples=samples)
    assert (found.choice, found.candidates, found.changed_nodes) == ("none", (), 0)
    assert "no softmax over a product" in found.why
    assert (tmp_path / "f.onnx").read_bytes() == path.read_bytes()


def test_attention_is_found_in_what_exporters_write(fused, ours):
    assert is_transformer(onnx.load(fused.source).graph)
    assert is_transformer(onnx.load(ours[0]).graph)


def test_a_source_that_does_not_answer_its_samples_is_an_error(fused, tmp_path):
    samples = texts() | {"input_ids": np.full((40, LENGTH), VOCABULARY)}
    with pytest.raises(ModelError, match="does not run"):
        fusion.fuse(fused.source, tmp_path / "f.onnx", pad=None, samples=samples)


# --- hostile inputs ---------------------------------------------------------------------------


def test_hostile_inputs_pad_before_behind_nearly_all_and_nothing_in_ones_and_several(fused):
    samples = texts()
    feeds = list(padding_cases.feeds(fused.source, samples, pad=None))
    masks = [feed["attention_mask"] for feed in feeds]
    assert np.array_equal(feeds[0]["input_ids"], samples["input_ids"][: padding_cases.TEXTS])
    assert {len(mask) for mask in masks} >= {1, padding_cases.TEXTS}
    assert {mask.shape[1] for mask in masks} == {LENGTH, LENGTH // 2 + 1}
    rows = [row for mask in masks for row in mask]
    assert any(row.all() for row in rows)
    assert any(row[-1] and row.sum() == 1 for row in rows)
    assert any(row[0] and row.sum() == 1 for row in rows)
    assert any(not row[0] and row.sum() > 1 for row in rows)
    assert all(mask.dtype == np.int64 for mask in masks)
    for feed in feeds:
        assert np.isin(feed["input_ids"], samples["input_ids"]).all(), "ids stay in the vocabulary"
        open_session(fused.source).run(None, feed)


def test_hostile_texts_of_a_model_that_finds_its_mask_hold_padding_where_it_is_told(ours):
    source, samples = ours
    feeds = list(padding_cases.feeds(source, samples, pad=0))
    assert {feed[INPUT].dtype for feed in feeds} == {np.dtype(np.int32)}
    assert {feed[INPUT].shape[1] for feed in feeds} == {LENGTH}, "its length is fixed"
    rows = [row != 0 for feed in feeds for row in feed[INPUT]]
    assert any(row.all() for row in rows)
    assert any(row[-1] and row.sum() == 1 for row in rows)


def test_samples_that_are_no_texts_are_all_there_is():
    samples = {"x": np.ones((9, 8), np.float32)}
    feeds = list(padding_cases.feeds(None, samples, pad=None))
    assert [len(feed["x"]) for feed in feeds] == [padding_cases.TEXTS, 1]
