"""``bundle.json``: names stay inside the bundle, and another form is refused."""

import json

import pytest
from edgestill.errors import MaterialError
from edgestill.pipeline.handover.manifest import MANIFEST, is_inside, parse


@pytest.mark.parametrize("name", ["a", "models/fp32.onnx", "a..b", "...", "a/.b", "ä b"])
def test_a_name_below_the_folder_is_inside(name):
    assert is_inside(name)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../a", "a/../b", "/a", "a//b", "a/", ".", "./a", "a\\b", "c:a", "a\0", "a\n"],
)
def test_any_other_name_is_not(name):
    assert not is_inside(name)


@pytest.fixture
def document(folder):
    return json.loads((folder / MANIFEST).read_text())


def test_what_was_written_is_read(document):
    assert parse(json.dumps(document), "here").model_dump(mode="json") == document


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d | {"schema_version": "2.0"},
        lambda d: d | {"more": 1},
        lambda d: d | {"packages": []},
        lambda d: without(d, "files"),
        lambda d: d | {"files": {**d["files"], "../x": d["files"]["labels.txt"]}},
        lambda d: d | {"files": {**d["files"], MANIFEST: d["files"]["labels.txt"]}},
        lambda d: [],
    ],
)
def test_another_form_is_refused(document, change):
    with pytest.raises(MaterialError, match=r"no manifest of schema 1\.0"):
        parse(json.dumps(change(document)), "here")


def test_no_json_is_refused():
    with pytest.raises(MaterialError, match=r"no manifest of schema 1\.0"):
        parse(b"\xff{", "here")


@pytest.mark.parametrize("key", ["model", "golden"])
def test_a_package_of_a_file_that_is_not_listed_is_refused(document, key):
    package = document["packages"][0]
    gone = package["model"] if key == "model" else package["golden"]["output"]["file"]
    del document["files"][gone]
    with pytest.raises(MaterialError, match=f"{gone.split('/')[0]}.*not in the list of files"):
        parse(json.dumps(document), "here")
