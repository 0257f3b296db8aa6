"""The engine that takes turns; in one test with real processes, in the others with a fake place."""

import json
from datetime import datetime

import numpy as np
import pytest
from edgestill.devices.bench.engine import ProcessResult, Turn, take
from edgestill.devices.bench.request import Request, prepare
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.bench.stopping import Until
from edgestill.devices.energy import metering
from edgestill.devices.onboard.machine import conditions
from edgestill.devices.onboard.machine.conditions import Conditions
from edgestill.devices.onboard.machine.disturbance import Disturbance
from edgestill.devices.onboard.measure.answer import MeasureAnswer, ProcessFacts, ServerAnswer
from edgestill.devices.onboard.measure.job import MemoryJob
from edgestill.devices.onboard.settings import Timing
from edgestill.devices.place.place import Local
from fake_answers import load_answer, measure_answer, memory_answer
from fake_place import FakePlace
from inspected import inspected
from onnx import TensorProto, helper
from onnx_files import save


@pytest.fixture
def model(tmp_path):
    """A model that runs in next to no time."""
    ends = [(name, TensorProto.FLOAT, ["n", 8]) for name in "xy"]
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return save(tmp_path / "m.onnx", nodes, ends[:1], ends[1:])


def place(**options):
    return FakePlace({"m.onnx": lambda n: 1000 + n}, **options)


def prepared_of(model, out, settings, names="m", **fields):
    subjects = [Subject(name, model) for name in names]
    return prepare(
        Request(subjects, settings, out, inspections={model: inspected(model)}, **fields)
    )


def turn(prepared, index=0, variant=""):
    subject = prepared.request.subjects[index]
    return Turn(subject.name, variant, lambda samples, _: prepared.closed_loop(subject, samples))


def nothing(*_):
    return (), ()


def records(out):
    return json.loads((out / "processes.json").read_text())


def test_real_processes_are_taken_in_turn_and_leave_their_figures(model, tmp_path):
    settings = Settings(
        processes=2, timing=Timing(seconds=1e-9, min_queries=1, warmup_seconds=0.01)
    )
    prepared = prepared_of(model, tmp_path, settings)
    turns = [turn(prepared, 0, variant) for variant in "ab"]
    taken = take(turns, prepared, nothing, metered=False)
    assert [one["repetition"] for one in records(tmp_path)] == [0, 0, 1, 1]
    for (_, variant), results in taken.processes.items():
        assert len(results) == 2
        for number, result in enumerate(results):
            stored = np.load(tmp_path / f"samples/m-{variant}-{number}.npy")
            assert len(stored) >= 1
            assert np.array_equal(result.table, stored)
    assert taken.runtime.startswith("onnxruntime ")


def test_every_turn_is_taken_in_each_repetition_and_all_is_known_of_it(model, tmp_path):
    order, started = [], []
    prepared = prepared_of(
        model,
        tmp_path / "o",
        Settings(processes=3),
        place=place(),
        on_start=started.append,
        on_process=lambda *progress: order.append(progress),
    )
    turns = [turn(prepared, 0, variant) for variant in "ab"]
    before = datetime.now().astimezone()
    taken = take(turns, prepared, nothing, metered=False)
    written = records(tmp_path / "o")
    assert [one["repetition"] for one in written] == [0, 0, 1, 1, 2, 2]
    for repetition in range(3):
        pair = written[2 * repetition : 2 * repetition + 2]
        assert {one["variant"] for one in pair} == {"a", "b"}
    for n, one in enumerate(written, 1):
        assert one["subject"] == "m"
        assert one["samples"] == f"samples/m-{one['variant']}-{one['repetition']}.npy"
        assert np.load(tmp_path / "o" / one["samples"]).tolist() == [1000 + n] * 64
        assert (one["energy_uj"], one["energy_missing"]) == (None, "no counter")
        assert one["process_start_ms"] == 4.0
    assert started == [6]
    assert order == [(done, 6, "m") for done in range(1, 7)]
    assert (taken.repetitions, taken.confidence, taken.looks, taken.enough) == (3, 0.95, 1, True)
    assert (taken.warnings, taken.runtime) == ((), "fake 1.0")
    began = datetime.fromisoformat(taken.began)
    assert (began.utcoffset().total_seconds(), began.microsecond) == (0.0, 0)
    assert abs((began - before).total_seconds()) < 60
    seen = [taken.processes["m", one["variant"]][one["repetition"]].table[0] for one in written]
    assert seen == list(range(1001, 1007))


def test_the_order_within_a_repetition_is_at_random_and_the_seeds(model, tmp_path):
    def order(out, seed):
        prepared = prepared_of(model, out, Settings(processes=6, seed=seed), place=place())
        turns = [turn(prepared, 0, variant) for variant in "ab"]
        take(turns, prepared, nothing, metered=False)
        return "".join(one["variant"] for one in records(out))

    first = order(tmp_path / "1", 0)
    assert {first[i : i + 2] for i in range(0, 12, 2)} == {"ab", "ba"}
    assert order(tmp_path / "2", 0) == first
    assert order(tmp_path / "3", 1) != first


def test_a_turn_without_variant_has_none_in_its_files_and_records(model, tmp_path):
    totals, where = [], place()
    prepared = prepared_of(
        model,
        tmp_path / "o",
        Settings(processes=3),
        place=where,
        on_start=lambda total: totals.append((total, len(where.jobs))),
    )
    one = turn(prepared)
    assert one.key == ("m", "")
    take([one], prepared, nothing, metered=False)
    assert totals == [(3, 0)]
    names = sorted(path.name for path in (tmp_path / "o/samples").iterdir())
    assert names == [f"m-{n}.npy" for n in range(3)]
    assert not any("variant" in record for record in records(tmp_path / "o"))


def test_a_model_that_nothing_waits_for_is_not_measured_again(model, tmp_path):
    seen = []

    def conclude(processes, confidence):
        seen.append(({key[0]: len(found) for key, found in processes.items()}, confidence))
        return ["a", "b"], []

    rule = Until(lambda *_: False, 60.0, 13, unfinished=lambda *_: frozenset({"b"}))
    prepared = prepared_of(model, tmp_path / "o", Settings(), names="ab", place=place(), until=rule)
    turns = [turn(prepared, index) for index in range(2)]
    taken = take(turns, prepared, conclude, metered=False)
    assert {name: len(found) for (name, _), found in taken.processes.items()} == {"a": 9, "b": 13}
    assert (taken.repetitions, taken.looks, taken.enough) == (13, 3, False)
    # By 1 / (k (k + 1)) of 5 %.
    wanted = [({"a": 9, "b": n}, 1 - 0.05 / over) for n, over in ((9, 2), (12, 6), (13, 12))]
    assert seen[:3] == [(counts, pytest.approx(level)) for counts, level in wanted]
    assert taken.confidence == pytest.approx(1 - 0.05 / 12)


def test_what_a_process_wrote_is_on_disk_before_the_next_one_starts(model, tmp_path):
    class Failing(FakePlace):
        def run(self, job, **limits):
            if len(self.jobs) == 2:
                raise KeyboardInterrupt
            return super().run(job, **limits)

    where = Failing({"m.onnx": lambda n: 1000 + n})
    prepared = prepared_of(model, tmp_path / "o", Settings(), place=where)
    with pytest.raises(KeyboardInterrupt):
        take([turn(prepared)], prepared, nothing, metered=False)
    assert [one["repetition"] for one in records(tmp_path / "o")] == [0, 1]


def test_the_records_of_an_earlier_measurement_are_gone_before_the_first_process(model, tmp_path):
    prepared = prepared_of(model, tmp_path / "o", Settings(processes=1), place=place())
    (tmp_path / "o/processes.json").write_text('["old"]')
    left = []
    one = Turn(
        "m",
        "",
        lambda samples, _: (
            left.extend(records(tmp_path / "o"))
            or prepared.closed_loop(prepared.request.subjects[0], samples)
        ),
    )
    take([one], prepared, nothing, metered=False)
    assert left == []


def test_a_process_that_only_reads_memory_has_neither_table_nor_energy(model, tmp_path):
    prepared = prepared_of(model, tmp_path / "o", Settings(processes=1), place=place())
    memory = Turn("m", "memory", lambda _samples, _repetition: MemoryJob(str(model)))
    taken = take([memory], prepared, nothing, metered=False)
    (result,) = taken.processes["m", "memory"]
    assert (result.table.shape, result.table.dtype) == ((0,), np.int64)
    (record,) = records(tmp_path / "o")
    assert not [key for key in record if key.startswith("energy")]


def test_a_table_that_holds_objects_is_not_loaded(model, tmp_path):
    class Pickling(FakePlace):
        def run(self, job, **limits):
            answer = super().run(job, **limits)
            np.save(job.samples, np.array([{}], object), allow_pickle=True)
            return answer

    where = Pickling({"m.onnx": lambda n: 1000 + n})
    prepared = prepared_of(model, tmp_path / "o", Settings(processes=1), place=where)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        take([turn(prepared)], prepared, nothing, metered=False)


def test_a_result_gives_its_answer_by_type_and_its_columns_by_name():
    table = np.array([[0, 10, 20], [1, 11, 21]])
    result = ProcessResult(load_answer(), table)
    assert result.column("start_ns").tolist() == [10, 11]
    assert result.column("latency_ns").tolist() == [20, 21]
    plain = ProcessResult(measure_answer(), table)
    assert plain.answer_as(MeasureAnswer) is plain.answer
    with pytest.raises(TypeError, match="type MeasureAnswer, expected ServerAnswer"):
        plain.answer_as(ServerAnswer)
    with pytest.raises(TypeError, match="type MeasureAnswer, expected LoadAnswer"):
        plain.column("latency_ns")


class Restless(FakePlace):
    """A machine that others use half of, whose processes had clocks of 1000 and 2000 MHz."""

    snapshots = 0

    def snapshot(self):
        self.snapshots += 1
        return Disturbance(self.snapshots, self.snapshots, self.snapshots / 2, 0.0, 0.0, 0)

    def run(self, job, **limits):
        if isinstance(job, MemoryJob):
            return memory_answer(process=ProcessFacts(memory_limit="address space"))
        super().run(job, **limits)
        now = Conditions(clock_mhz=1000.0 * (1 + len(self.jobs) % 2))
        return measure_answer(conditions=(now, now))


def test_what_disturbed_it_is_said_in_the_order_limits_machine_processes(model, tmp_path):
    where = Restless({"m.onnx": lambda n: 1000 + n})
    prepared = prepared_of(model, tmp_path / "o", Settings(processes=2), place=where)
    memory = Turn("m", "memory", lambda _samples, _repetition: MemoryJob(str(model)))
    taken = take([turn(prepared), memory], prepared, nothing, metered=False)
    assert taken.warnings == (
        "no control group could be made, so the memory limit applied to the address space, which "
        "is larger than what is resident",
        "other processes used 50 % of this machine's CPU time during the measurement",
        "the core's clock read 1000 to 2000 MHz",
    )


@pytest.mark.parametrize("here", [True, False])
def test_the_firmwares_flags_are_read_on_the_measured_machine_only(
    model, tmp_path, monkeypatch, here
):
    class Here(FakePlace, Local):
        """This machine, whose processes are fakes."""

    told = ["throttled=0x0", "throttled=0x50000", "throttled=0x0", "throttled=0x0"]
    monkeypatch.setattr(conditions, "vcgencmd", lambda: told.pop(0))
    where = (Here if here else FakePlace)({"m.onnx": lambda n: 1000 + n})
    prepared = prepared_of(model, tmp_path / "o", Settings(processes=1), place=where)
    taken = take([turn(prepared)], prepared, nothing, metered=False)
    # Bits 16 and 18: since the start. All else the processes read themselves.
    wanted = ("the board's firmware reported under-voltage, throttling",)
    assert taken.warnings == (wanted if here else ())
    assert len(told) == (2 if here else 4)


def test_energy_of_a_meters_log_is_asked_for_by_settings_and_stands_in_the_records(
    model, tmp_path, monkeypatch
):
    idle = []

    def left_idle(seconds):
        idle.append(seconds)
        return 1000.0, 1010.0

    monkeypatch.setattr(metering, "_left_idle", left_idle)
    log = tmp_path / "log.csv"
    # 2 W idle, then 6 W: 4 J over it in the second that each process times its 64 queries.
    lines = [f"{t / 10},{2 if t < 10_110 else 6}\n" for t in range(10_000, 10_400)]
    log.write_text("time,watts\n" + "".join(lines))
    settings = Settings(processes=2, idle_seconds=3.0)
    prepared = prepared_of(model, tmp_path / "o", settings, place=place(start=1012.0), meter=log)
    memory = Turn("m", "memory", lambda _samples, _repetition: MemoryJob(str(model)))
    taken = take([turn(prepared), memory], prepared, nothing, metered=True)
    assert idle == [3.0]
    for result in taken.processes["m", ""]:
        assert result.energy.uj == pytest.approx(4e6 / 64)
    written = [one["energy_uj"] for one in records(tmp_path / "o") if "variant" not in one]
    assert written == [pytest.approx(4e6 / 64)] * 2
    assert taken.warnings == ()


@pytest.mark.parametrize("here", [True, False])
def test_sensors_are_those_of_this_machine_where_it_is_measured(model, tmp_path, monkeypatch, here):
    class Here(FakePlace, Local):
        """This machine, whose processes are fakes."""

    asked = []
    monkeypatch.setattr(metering.sensors, "rapl", lambda _: asked.append("rapl") or "no counter")
    monkeypatch.setattr(metering.sensors, "find", lambda *_: asked.append("find") or "no sensor")
    where = (Here if here else FakePlace)({"m.onnx": lambda n: 1000 + n})
    prepared = prepared_of(model, tmp_path / "o", Settings(processes=1), place=where)
    take([turn(prepared)], prepared, nothing, metered=True)
    assert asked == (["rapl", "find"] if here else [])
