"""The files of a measurement."""

import json

import pytest
from edgestill.devices.bench import journal
from edgestill.devices.onboard.machine.conditions import Conditions
from edgestill.devices.onboard.measure.answer import ProcessFacts
from edgestill.errors import MeasureError, StorageError
from fake_answers import measure_answer


def test_a_name_becomes_a_file_name_that_is_its_own_and_cannot_escape():
    names = journal.slugs(["a/b", "a b", "../x", "", "a-b"])
    assert names == {"a/b": "a_b", "a b": "a_b-1", "../x": "_x", "": "model", "a-b": "a-b"}
    assert journal.slugs(["-a.", "Ab0._-Z", "é"]) == {"-a.": "a", "Ab0._-Z": "Ab0._-Z", "é": "_"}
    assert journal.slugs(["x" * 61]) == {"x" * 61: "x" * 60}


def test_a_record_has_the_facts_of_the_process_that_are_known_and_not_its_modules():
    facts = ProcessFacts(modules=("numpy",), cores=(0, 1), process_start_ms=4.0)
    record = journal.flat(measure_answer(process=facts, load_ms=7.0))
    assert record["load_ms"] == 7.0
    assert (record["cores"], record["process_start_ms"]) == ((0, 1), 4.0)
    assert not {"process", "modules", "memory_limit"} & record.keys()
    assert record["conditions"][0]["clock_mhz"] is Conditions().clock_mhz
    # An answer's own unknown figures stay.
    assert record["energy_uj"] is None


def test_a_folder_is_opened_with_its_parents_before_anything_is_measured(tmp_path):
    out = tmp_path / "a/b"
    for records in ([], [{"n": 1}]):
        journal.begin(out, records)
        assert json.loads((out / "processes.json").read_text()) == records
    assert (out / "samples").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as refused:
        journal.begin(tmp_path / "file/o", [])
    error = refused.value
    assert error.where == str(tmp_path / "file/o")
    assert error.found == "a folder that cannot be written (Not a directory)"
    assert error.__suppress_context__


def test_records_are_replaced_in_one_step_and_are_strict_json(tmp_path):
    path = tmp_path / "processes.json"
    journal.write(path, [{"name": "é", "n": 1}])
    assert path.read_text(encoding="utf-8") == '[\n {\n  "name": "\\u00e9",\n  "n": 1\n }\n]'
    with pytest.raises(ValueError, match="JSON compliant"):
        journal.write(path, [{"n": float("nan")}])
    assert json.loads(path.read_text()) == [{"name": "é", "n": 1}]
    assert [file.name for file in tmp_path.iterdir()] == ["processes.json"]


def test_all_processes_of_a_model_have_one_runtime():
    one, other = measure_answer(), measure_answer(runtime="fake 0.9")
    assert journal.runtimes_of({"a": [one, one]}) == "fake 1.0"
    assert journal.runtimes_of({"a": [one], "b": [other, other]}) == "fake 0.9, fake 1.0"
    with pytest.raises(MeasureError) as refused:
        journal.runtimes_of({"a": [one], "b": [one, other, one]})
    assert str(refused.value) == (
        "b: found processes with fake 0.9 and fake 1.0, expected one runtime; "
        "do not install packages while measuring"
    )
