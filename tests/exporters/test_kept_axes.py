"""Texts of any length: one file takes them all, and its attention stays recognizable."""

import numpy as np
import onnx
import pytest
import torch
from edgestill.devices.onboard.model.inputs import batches_from, trimmed
from edgestill.devices.onboard.model.samples import Samples
from edgestill.devices.onboard.runtimes import load
from edgestill.devices.onboard.settings import Session
from edgestill.exporters.interface import BATCH, LENGTH
from edgestill.exporters.kept_axes import keep_axes
from edgestill.exporters.onnx import export
from edgestill.pipeline.compress.fuse.attention import fuse
from edgestill.pipeline.judge.answers import logits
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.models.signature import Signature, tokens
from edgestill.pipeline.models.transformer import build

MOST = 128


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.manual_seed(0)
    of = Signature((MOST,), "tokens", 3, vocabulary=100, pad=0)
    model = Deployed(build(2, 32, of), "tokens", (), ()).eval()
    path = tmp_path_factory.mktemp("texts") / "model.onnx"
    export(model, tokens((2, MOST), 0), path, opset=20, texts=True)
    return model, path


def texts(count, length, full=MOST):
    ids = np.zeros((count, full), np.int32)
    ids[:, :length] = np.random.default_rng(0).integers(1, 100, (count, length))
    return ids


def answer(path, ids):
    return load(path, Session()).answer({"input": ids})[0]


@pytest.mark.parametrize("length", [1, 2, 12, 63, 64, 127, 128])
@pytest.mark.slow
def test_a_text_answers_alike_padded_and_at_its_own_length(file, length):
    model, path = file
    padded = texts(3, length)
    with torch.no_grad():
        expected = model(torch.from_numpy(padded)).numpy()
    np.testing.assert_allclose(answer(path, padded), expected, atol=1e-5)
    short = np.ascontiguousarray(padded[:, :length])
    np.testing.assert_allclose(answer(path, short), expected, atol=1e-5)
    np.testing.assert_allclose(answer(path, short[:1]), expected[:1], atol=1e-5)


def test_the_axes_have_their_names_and_no_shape_is_computed_for_attention(file):
    graph = onnx.load(file[1]).graph
    assert [d.dim_param for d in graph.input[0].type.tensor_type.shape.dim] == [BATCH, LENGTH]
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("Reshape") == 8
    assert "Concat" not in kinds
    onnx.checker.check_model(str(file[1]), full_check=True)


def test_attention_is_fused_and_answers_texts_of_any_length(file, tmp_path):
    fused = fuse(onnx.load(file[1]))
    assert [node.op_type for node in fused.graph.node].count("Attention") == 2
    onnx.save(fused, tmp_path / "fused.onnx")
    for length in (5, 128):
        ids = texts(2, length, full=length)
        np.testing.assert_allclose(
            answer(tmp_path / "fused.onnx", ids), answer(file[1], ids), atol=1e-5
        )


def test_a_shape_that_does_not_begin_with_batch_and_length_stays(file):
    model = onnx.load(file[1])
    before = model.SerializeToString()
    keep_axes(model)
    assert model.SerializeToString() == before


class FixedLength(torch.nn.Module):
    """A module that takes texts of one length alone."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(9, 4)
        self.linear = torch.nn.Linear(4 * 8, 2)

    def forward(self, ids):
        return self.linear(self.embedding(ids).reshape(len(ids), 32))


@pytest.mark.slow
def test_a_module_of_one_length_is_exported_at_that_length(tmp_path):
    export(FixedLength(), tokens((2, 8), 0), tmp_path / "m.onnx", opset=20, texts=True)
    shape = onnx.load(tmp_path / "m.onnx").graph.input[0].type.tensor_type.shape.dim
    assert (shape[0].dim_param, shape[1].dim_value) == (BATCH, 8)
    assert answer(tmp_path / "m.onnx", np.ones((3, 8), np.int32)).shape == (3, 2)


def test_texts_are_run_and_timed_at_their_own_lengths(file):
    ids = np.concatenate([texts(2, 5), texts(2, 12)])
    np.testing.assert_allclose(
        logits(file[1], ids, batch=2, pad=0), logits(file[1], ids, batch=2), atol=1e-5
    )
    feeds = batches_from(Samples({"input": ids}), 1, pad=0)
    assert [feed["input"].shape for feed in feeds] == [(1, 5), (1, 5), (1, 12), (1, 12)]
    (both,) = batches_from(Samples({"input": ids}), 4, pad=0)
    assert both["input"].shape == (4, 12)
    assert trimmed(np.zeros((2, 9), np.int32), 0).shape == (2, 1)
    assert batches_from(Samples({"input": ids}), 1)[0]["input"].shape == (1, MOST)
