"""Padding may be cut off where a model does not see it."""

import pytest
import torch
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.models.signature import Signature
from edgestill.pipeline.models.text_length import takes_any_length
from edgestill.pipeline.models.transformer import build
from edgestill.pipeline.records import DataRecord

DATA = DataRecord(
    source="text:t.csv", task="classification", labels=("a", "b"), sample_shape=(16,),
    layout="tokens", dtype="int32", mean=(), std=(), rows={}, counts={}, vocabulary=50, pad=0,
    dropped=0, notes=(), fingerprint="",
)  # fmt: skip


class Pooled(torch.nn.Module):
    """Counts padding in its mean, or flattens, or fails at another length."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.embedding = torch.nn.Embedding(50, 4)
        self.linear = torch.nn.Linear(4 if how == "mean" else 64, 2)

    def forward(self, ids):
        x = self.embedding(ids.long())
        return self.linear(x.mean(1) if self.how == "mean" else x.reshape(-1, 64))


def test_a_transformer_that_masks_padding_takes_any_length():
    torch.manual_seed(0)
    of = Signature((16,), "tokens", 2, vocabulary=50, pad=0)
    assert takes_any_length(Deployed(build(2, 32, of), "tokens", (), ()), DATA)


@pytest.mark.parametrize("how", ["mean", "flat"])
def test_a_model_that_sees_padding_keeps_its_length(how):
    torch.manual_seed(0)
    assert not takes_any_length(Pooled(how), DATA)


def test_what_is_no_text_has_no_length():
    table = DATA.model_copy(update={"layout": "table"})
    assert not takes_any_length(torch.nn.Linear(16, 2), table)
