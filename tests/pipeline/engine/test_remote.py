"""An engine on a cluster: the same keys, what is lost runs again alone, errors are the same."""

from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from edgestill.errors import DataError, HostError
from edgestill.pipeline.engine.compute import Compute
from edgestill.pipeline.engine.flow import Builder, StopHereError
from edgestill.pipeline.engine.remote import Cluster
from edgestill.pipeline.engine.stage import Made, Shards, Stage
from edgestill.pipeline.engine.store import Store
from edgestill.pipeline.records import Record
from fake_executor import FakeExecutor

ONE = Compute(1)


class Sum(Record):
    total: int


@dataclass(frozen=True)
class Numbers:
    numbers: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Twice:
    before: Made[Sum]
    by: int = 2


@dataclass(frozen=True)
class Part:
    of: Numbers
    at: int


@dataclass(frozen=True)
class Device:
    name: str = "host"


@dataclass(frozen=True)
class Measuring:
    before: Made[Sum]
    device: Device = Device()


def kept(out, total):
    (out / "total.txt").write_text(str(total))
    return Sum(total=total)


def add(out, progress, inputs):
    return kept(out, sum(inputs.numbers))


def double(out, progress, inputs):
    progress.warn("look")
    print("printed by a user")
    with progress.steps("sums", 2) as steps:
        steps.advance()
        steps.advance("last")
    return kept(out, inputs.before.record.total * inputs.by)


def fail(out, progress, inputs):
    error = DataError("-1", expected="more", where="x", fix="add")
    error.also = (DataError("another"),)
    raise error


def measure(out, progress, inputs):
    return kept(out, inputs.before.record.total)


def parts(inputs):
    return tuple(Part(inputs, at) for at in range(len(inputs.numbers)))


def part(out, progress, inputs):
    return kept(out, inputs.of.numbers[inputs.at])


def merge(out, progress, inputs, parts):
    return kept(out, sum(int((one.path / "total.txt").read_text()) for one in parts))


FUNCTIONS = {one.__name__: one for one in (add, double, fail, measure, parts, part, merge)}


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    """Stages of a test are no modules of edgestill."""
    for name in ("flow", "remote"):
        monkeypatch.setattr(f"edgestill.pipeline.engine.{name}.function_of", FUNCTIONS.get)


DATA = Stage("data", "add", Numbers, Sum, libraries=(), reads_files=True)
ADD = Stage("add", "add", Numbers, Sum, libraries=())
DOUBLE = Stage("double", "double", Twice, Sum, libraries=())
FAIL = Stage("fail", "fail", Twice, Sum, libraries=())
MEASURE = Stage("measure", "measure", Measuring, Sum, libraries=(), machine=True)
PART = Stage("part", "part", Part, Sum, libraries=())
SPLIT = replace(ADD, name="split", shards=Shards(PART, "parts", "merge"))


class Noted:
    """Progress that keeps what it is told."""

    def __init__(self):
        self.told, self.inside = [], []

    def steps(self, what, total):
        return _Steps(self, what, total)

    def note(self, text):
        self.told.append(text)

    def warn(self, text):
        self.told.append(f"warning: {text}")

    @contextmanager
    def stage(self, name):
        self.told.append(f"begin {name}")
        yield
        self.told.append(f"end {name}")


class _Steps:
    def __init__(self, noted, what, total):
        self.noted, self.what, self.total, self.done = noted, what, total, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.noted.told.append(f"{self.what} {self.done}/{self.total}")

    def advance(self, detail=""):
        self.done += 1


@pytest.fixture
def cluster_of(tmp_path):
    clusters = []

    def made(executor, until=None):
        progress = Noted()
        cluster = Cluster(executor, tmp_path / "logs")
        clusters.append(cluster)
        store = Store(tmp_path / "artifacts", progress.warn)
        return cluster.engine(store, ONE, progress, until=until, around=progress.stage), progress

    yield made
    for cluster in clusters:
        cluster.__exit__()


def chain(engine):
    first = engine.run_stage(ADD, Numbers())
    return engine.run_stage(DOUBLE, Twice(first)), engine.run_stage(DOUBLE, Twice(first, by=3))


def test_stages_are_asked_for_at_once_and_give_what_a_builder_gives(cluster_of, tmp_path):
    executor = FakeExecutor()
    engine, progress = cluster_of(executor)
    twice, thrice = chain(engine)
    assert [name for name, *_ in executor.submitted] == ["add"]
    engine.finish()
    assert (twice.record.total, thrice.record.total) == (6, 9)
    assert (twice.path / "total.txt").read_text() == "6"
    assert executor.most == 2
    assert engine.ran == ["add", "double", "double"]
    local = Builder(Store(tmp_path / "other"), ONE, progress)
    assert [made.key for made in chain(local)] == [twice.key, thrice.key]


def test_what_the_store_has_is_not_sent(cluster_of):
    engine, _ = cluster_of(FakeExecutor())
    chain(engine)
    engine.finish()
    executor = FakeExecutor()
    again, _ = cluster_of(executor)
    assert [made.record.total for made in chain(again)] == [6, 9]
    assert not executor.submitted
    assert again.ran == []


def test_a_stage_that_reads_the_users_files_runs_where_the_command_runs(cluster_of):
    executor = FakeExecutor()
    engine, _ = cluster_of(executor)
    assert engine.run_stage(DATA, Numbers()).record.total == 3
    assert not executor.submitted
    assert engine.ran == ["data"]


def test_a_lost_task_runs_again_and_is_told_in_one_sentence(cluster_of, tmp_path):
    engine, progress = cluster_of(FakeExecutor(lose={"double": 2}))
    chain(engine)
    engine.finish()
    assert progress.told.count("warning: double: its worker died; it runs again (1 of 3)") == 2
    assert any("its worker died" in log.read_text() for log in tmp_path.glob("logs/*double*"))


@pytest.mark.parametrize(("memory", "fix"), [(True, "more memory"), (False, "log of the task")])
def test_a_task_that_is_lost_again_and_again_ends_the_build(cluster_of, memory, fix):
    executor = FakeExecutor(lose={"add": 9}, memory=memory)
    engine, _ = cluster_of(executor)
    chain(engine)
    with pytest.raises(HostError, match=f"add: its worker died, 4 times; .*{fix}"):
        engine.finish()
    assert len(executor.submitted) == 4


def test_an_error_is_the_one_that_the_stage_raised_with_the_workers_traceback(cluster_of):
    engine, progress = cluster_of(FakeExecutor())
    first = engine.run_stage(ADD, Numbers())
    made = engine.run_stage(FAIL, Twice(first))
    later = engine.run_stage(DOUBLE, Twice(made))
    with pytest.raises(DataError) as raised:
        _ = later.record
    error = raised.value
    assert (error.found, error.expected, error.where, error.fix) == ("-1", "more", "x", "add")
    assert [str(one) for one in error.also] == ["another"]
    assert "test_remote.py" in str(error.__cause__)
    assert "begin fail" in progress.told
    assert "end fail" not in progress.told


def test_the_first_failure_of_a_flow_ends_it_and_cancels_the_rest(cluster_of):
    executor = FakeExecutor()
    engine, _ = cluster_of(executor)
    first = engine.run_stage(ADD, Numbers())
    engine.run_stage(FAIL, Twice(first))
    engine.run_stage(DOUBLE, Twice(first))
    with pytest.raises(DataError):
        engine.finish()
    assert len(executor.cancelled) == 1
    assert not executor.waiting


def test_a_node_that_would_give_another_key_gets_no_task(cluster_of):
    executor = FakeExecutor(refuse={"one"})
    engine, progress = cluster_of(executor)
    chain(engine)
    engine.finish()
    warned = [one for one in progress.told if "torch" in one]
    assert warned == [
        "warning: torch 2.1 on one, not 2.2 as where the command runs; it gets no task"
    ]
    assert [node for *_, node in executor.submitted] == ["one", "two", "two", "two"]


def test_where_every_node_would_give_another_key_the_build_ends_and_names_both(cluster_of):
    engine, _ = cluster_of(FakeExecutor(refuse={"one", "two"}))
    chain(engine)
    with pytest.raises(HostError, match=r"found torch 2\.1 on two, expected 2\.2"):
        engine.finish()


def test_a_worker_with_other_versions_refuses_and_names_what_differs(cluster_of, monkeypatch):
    from edgestill.pipeline.engine import keys

    executor = FakeExecutor(nodes=("one",))
    engine, _ = cluster_of(executor)
    engine.run_stage(replace(ADD, threads=True), Numbers())
    monkeypatch.setattr(keys, "this_machine", lambda: keys.Machine(("neon", False), ("", 1, 1, "")))
    with pytest.raises(HostError, match=r"kernels \['neon', False\] on one, expected \["):
        engine.finish()


def test_more_threads_than_any_node_has_cores_are_refused_at_once(cluster_of, tmp_path):
    executor = FakeExecutor(cpus=2)
    store = Store(tmp_path / "artifacts")
    engine = Cluster(executor, None).engine(store, Compute(8), Noted())
    engine.run_stage(replace(ADD, threads=True), Numbers())
    with pytest.raises(HostError, match=r"no node with 8 cores.*lower threads"):
        engine.finish()


def test_a_shard_is_an_entry_and_a_lost_one_is_made_again_alone(cluster_of, tmp_path):
    executor = FakeExecutor(lose={"part": 1})
    engine, progress = cluster_of(executor)
    made = engine.run_stage(SPLIT, Numbers((1, 2, 3)))
    engine.finish()
    assert made.record.total == 6
    assert [name for name, *_ in executor.submitted] == ["part"] * 4 + ["split"]
    assert "split, shards 3/3" in progress.told
    assert progress.told.count("begin split") == progress.told.count("end split") == 1
    assert engine.ran == ["split"]
    local = Builder(Store(tmp_path / "local"), ONE, progress).run_stage(SPLIT, Numbers((1, 2, 3)))
    assert local.key == made.key
    assert (local.path / "total.txt").read_bytes() == (made.path / "total.txt").read_bytes()


def test_shards_of_a_build_that_was_ended_are_not_made_again(cluster_of):
    engine, _ = cluster_of(FakeExecutor(lose={"merge": 9}))
    engine.run_stage(SPLIT, Numbers((1, 2, 3)))
    with pytest.raises(HostError, match="split: its worker died"):
        engine.finish()
    executor = FakeExecutor()
    again, _ = cluster_of(executor)
    assert again.run_stage(SPLIT, Numbers((1, 2, 3))).record.total == 6
    assert [name for name, *_ in executor.submitted] == ["split"]


def test_a_measurement_runs_alone_where_the_only_node_trains_too(cluster_of):
    executor = FakeExecutor(shares_devices=True)
    engine, _ = cluster_of(executor)
    first = engine.run_stage(ADD, Numbers())
    engine.run_stage(DOUBLE, Twice(first))
    engine.run_stage(MEASURE, Measuring(first))
    engine.run_stage(DOUBLE, Twice(first, by=4))
    engine.finish()
    assert [name for name, *_ in executor.submitted] == ["add", "measure", "double", "double"]


def test_a_device_that_no_node_carries_is_refused_before_anything_runs(cluster_of):
    executor = FakeExecutor(devices=("host",))
    engine, _ = cluster_of(executor)
    first = engine.run_stage(ADD, Numbers())
    with pytest.raises(HostError, match="no node with pi5"):
        engine.run_stage(MEASURE, Measuring(first, Device("pi5")))
    assert executor.most == 1


def test_it_stops_after_the_stage_that_until_names(cluster_of):
    executor = FakeExecutor()
    engine, _ = cluster_of(executor, until="double")
    twice, _ = chain(engine)
    with pytest.raises(StopHereError):
        engine.run_stage(ADD, Numbers((7,)))
    engine.finish()
    assert twice.record.total == 6
    assert len(executor.submitted) == 3


def test_two_flows_that_ask_for_one_key_share_its_task(cluster_of, tmp_path):
    executor = FakeExecutor()
    cluster = Cluster(executor, None)
    store = Store(tmp_path / "artifacts")
    one, two = (cluster.engine(store, ONE, Noted()) for _ in range(2))
    first, second = one.run_stage(ADD, Numbers()), two.run_stage(ADD, Numbers())
    one.let_go()
    assert not executor.cancelled
    assert second.record == first.record
    assert len(executor.submitted) == 1


def test_the_end_of_a_command_cancels_what_runs(tmp_path):
    executor = FakeExecutor()
    with Cluster(executor, None) as cluster:
        cluster.engine(Store(tmp_path), ONE, Noted()).run_stage(ADD, Numbers())
    assert executor.cancelled == [1]
    assert executor.closed


def test_what_a_stage_prints_and_reports_goes_to_a_log_of_its_own(cluster_of, tmp_path, capsys):
    engine, progress = cluster_of(FakeExecutor())
    twice, _ = chain(engine)
    engine.finish()
    (log, _) = sorted(tmp_path.glob("logs/*double*"))
    text = log.read_text()
    assert f"{twice.key[:8]}" in log.name
    for line in ("pid", "runs", "printed by a user", "warning: look", "sums: 2 steps"):
        assert line in text
    assert capsys.readouterr().out == ""
    assert "warning: look" in progress.told
    assert "sums 2/2" in progress.told
