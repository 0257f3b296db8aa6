"""What was written in other formats, as a result of a call."""

import json
from pathlib import Path
from types import SimpleNamespace

from edgestill.pipeline.finished.export_check import Checked
from edgestill.pipeline.finished.exported import Exported, Made

SOURCE = SimpleNamespace(onnx=Path("m.onnx"), method="m", queried="generated queries")
ORT = Made("ort", (Path("out/m.ort"),), 2048, "", Checked(64, "onnxruntime 1.27", False, 1.0, ()))
OTHER = Made(
    "openvino", (Path("out/m.xml"),), 9, "", Checked(64, "ov", False, 1.0, (), "2 outputs")
)
NONE = Made("litert", reason="it is made of a torch module")


def test_each_format_is_a_row_with_its_answers_or_its_reason():
    exported = Exported(SOURCE, (ORT, OTHER, NONE))
    title, head, *rows, folder = repr(exported).split("\n")
    assert title == "2 files made of m.onnx"
    assert head.split() == ["format", "file", "size", "beside", "the", ".onnx", "file"]
    assert rows[0].split() == ["ort", "m.ort", "2", "KiB", "the", "same", "answers"]
    assert rows[1].endswith("OTHER ANSWERS")
    assert rows[2].endswith("it is made of a torch module")
    assert folder == "folder: out"
    assert [record["holds"] for record in exported.records()] == [True, False, None]
    assert exported.files == (Path("out/m.ort"), Path("out/m.xml"))


def test_its_document_is_json():
    exported = Exported(SOURCE, (ORT, NONE))
    document = exported.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert (document["exit_code"], exported.exit_code) == (3, 3)
    assert document["formats"][0]["files"] == ["out/m.ort"]
