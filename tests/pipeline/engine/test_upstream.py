"""What inputs hold of other stages: found, taken off for the way, and read where they arrive."""

import pickle
from dataclasses import dataclass

import pytest
from edgestill.errors import HostError
from edgestill.pipeline.engine.stage import Made, Stage
from edgestill.pipeline.engine.store import Store
from edgestill.pipeline.engine.upstream import by_key, resolved, upstream
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.records import Record


class Sum(Record):
    total: int


@dataclass(frozen=True)
class Inner:
    several: tuple[Made[Sum], ...]
    by_name: dict[str, Made[Sum]]


@dataclass(frozen=True)
class Inputs:
    first: Made[Sum]
    inner: Inner
    model: Architecture
    absent: Made[Sum] | None = None
    share: float = 0.5


STAGE = Stage("sum", "m:f", Inputs, Sum, libraries=())


class Unsendable:
    """A stage that still runs: it holds the engine."""

    def record(self):
        return Sum(total=1)

    def __reduce__(self):
        raise TypeError("an engine does not travel")


def inputs():
    a, b, c = (Made(STAGE, key, _pending=Unsendable()) for key in "abc")
    return Inputs(a, Inner((b, a), {"c": c}), Architecture(model="mlp1"))


def test_every_stage_in_some_inputs_is_found_once():
    assert [made.key for made in upstream(inputs())] == ["a", "b", "c"]


def test_inputs_travel_by_key_and_everything_else_by_value():
    sent = by_key(inputs())
    arrived = pickle.loads(pickle.dumps(sent))
    assert [made.key for made in upstream(arrived)] == ["a", "b", "c"]
    assert (arrived.model, arrived.share, arrived.absent) == (sent.model, 0.5, None)
    with pytest.raises(RuntimeError, match="planned, not built"):
        _ = arrived.first.record


def test_where_they_arrive_records_and_folders_are_those_of_the_store(tmp_path):
    store = Store(tmp_path)

    def make(out):
        (out / "file").write_text("x")
        return {"total": 7}

    store.made("a", "sum", {}, make)
    arrived = resolved(by_key(inputs()), Store(tmp_path))
    assert arrived.first.record == Sum(total=7)
    assert (arrived.inner.several[1].path / "file").read_text() == "x"


def test_an_entry_that_is_not_there_names_the_folder_that_is_not_shared(tmp_path):
    arrived = resolved(by_key(inputs()), Store(tmp_path / "own"))
    with pytest.raises(HostError, match=r"own.*no output of the stage sum.*all machines share"):
        _ = arrived.first.record


def test_digests_are_checked_once_a_process(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.made("a", "sum", {}, lambda _: {"total": 7})
    reads = []
    monkeypatch.setattr(
        Store, "read", lambda self, key, inner=Store.read: reads.append(key) or inner(self, key)
    )
    for _ in range(3):
        assert resolved(by_key(inputs()), store).first.record.total == 7
    assert reads == ["a"]
