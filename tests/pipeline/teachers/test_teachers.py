"""Teachers that are not trained here: asked as black boxes, recorded, or of other libraries."""

import importlib.util
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from edgestill.errors import DataError, HostError, MeasureError, ModelError
from edgestill.pipeline import teachers
from edgestill.pipeline.isolation import wire
from edgestill.pipeline.teachers import fitting, huggingface, recorded, timm_
from edgestill.pipeline.teachers.black_box import BlackBox, Signature
from edgestill.pipeline.teachers.fitting import Port
from onnx import TensorProto, external_data_helper, helper, load, save_model
from onnx_files import save
from safetensors.torch import save_file

FLOAT, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8
TABLE = Signature((4,), "table", "float32", 3)
WEIGHTS = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
ROWS = np.random.default_rng(1).standard_normal((7, 4)).astype(np.float32)


def dense(path, *more, batch="n", last="z", inputs=(), outputs=None):
    """x [n, 4] times WEIGHTS, and what comes behind."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), *more]
    return save(
        path,
        nodes,
        [("x", FLOAT, [batch, 4]), *inputs],
        outputs or [(last, FLOAT, [batch, 3])],
        [("w", WEIGHTS)],
    )


def pooled(path, channels=3, height="h", width="w"):
    """An image model that wants its channels first: the mean of each channel."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=FLOAT),
        helper.make_node("Conv", ["f", "w"], ["c"]),
        helper.make_node("ReduceMean", ["c"], ["z"], axes=[2, 3], keepdims=0),
    ]
    kernel = np.eye(channels, dtype=np.float32).reshape(channels, channels, 1, 1)
    inputs = [("x", FLOAT, ["n", None if height == "h" else channels, height, width])]
    return save(path, nodes, inputs, [("z", FLOAT, ["n", channels])], [("w", kernel)])


def refused(text, error=ModelError):
    """An error whose text has this pattern."""
    return pytest.raises(error, match=text)


# Names


@pytest.mark.parametrize(
    ("model", "kind", "address"),
    [
        ("resnet20", "family", ""),
        ("mine.models:make", "factory", "make"),
        ("onnx:/a/b.onnx", "onnx", "/a/b.onnx"),
        ("onnx:name", "onnx", "name"),
        ("logits:c.npz", "logits", "c.npz"),
        ("hf:folder", "hf", "folder"),
        ("timm:resnet18", "timm", "resnet18"),
    ],
)
def test_a_name_tells_its_kind(model, kind, address):
    assert teachers.kind(model) == kind
    assert teachers.address(model) == address


def test_asking_for_a_kind_or_a_hash_loads_neither_torch_nor_a_runtime():
    code = (
        "import sys, edgestill.pipeline.teachers, edgestill.pipeline.teachers.recorded;"
        "print(sorted({'torch', 'onnxruntime', 'onnx', 'pyarrow'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


# Fingerprints


def test_a_family_and_a_library_model_without_weights_have_no_outside_files():
    assert teachers.fingerprint("resnet20", None) is None
    assert teachers.fingerprint("timm:resnet18", None) is None


def test_a_fingerprint_follows_content_and_not_place(tmp_path):
    def written(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    a, same, other = written("a", b"1"), written("b", b"1"), written("c", b"2")
    assert teachers.fingerprint("mlp2", a) == teachers.fingerprint("mlp2", same)
    assert teachers.fingerprint("mlp2", a) != teachers.fingerprint("mlp2", other)
    assert teachers.fingerprint(f"logits:{a}", None) == teachers.fingerprint(f"logits:{same}", None)
    assert teachers.fingerprint(f"onnx:{a}", None) != teachers.fingerprint(f"onnx:{other}", None)


def test_a_fingerprint_of_a_model_holds_the_weights_it_keeps_beside_it(tmp_path):
    model = load(str(dense(tmp_path / "one.onnx")))
    external_data_helper.convert_model_to_external_data(
        model, location="beside.data", size_threshold=0
    )
    save_model(model, str(tmp_path / "two.onnx"))
    before = teachers.fingerprint(f"onnx:{tmp_path / 'two.onnx'}", None)
    content = bytearray((tmp_path / "beside.data").read_bytes())
    content[0] ^= 1
    (tmp_path / "beside.data").write_bytes(content)
    assert teachers.fingerprint(f"onnx:{tmp_path / 'two.onnx'}", None) != before


def test_a_fingerprint_of_a_folder_holds_names_and_contents_but_not_hidden_files(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    first = teachers.fingerprint(f"hf:{tmp_path}", None)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "stamp").write_text("now")
    assert teachers.fingerprint(f"hf:{tmp_path}", None) == first
    (tmp_path / "config.json").rename(tmp_path / "other.json")
    assert teachers.fingerprint(f"hf:{tmp_path}", None) != first


def test_a_fingerprint_of_a_function_follows_its_source_and_its_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_of_teachers.py").write_text("def make(): return 1")
    (tmp_path / "w").write_bytes(b"1")
    first = teachers.fingerprint("mine_of_teachers:make", None)
    assert teachers.fingerprint("mine_of_teachers:make", None) == first
    assert teachers.fingerprint("mine_of_teachers:make", tmp_path / "w") != first
    (tmp_path / "mine_of_teachers.py").write_text("def make(): return 2")
    assert teachers.fingerprint("mine_of_teachers:make", None) != first


def test_a_link_in_a_folder_is_refused(tmp_path):
    (tmp_path / "config.json").symlink_to("/etc/hostname")
    with refused("config.json: found a symbolic link, expected a plain file; copy the folder"):
        teachers.fingerprint(f"hf:{tmp_path}", None)


@pytest.mark.parametrize("kind", ["onnx", "logits"])
def test_a_missing_file_names_the_key_to_correct(kind, tmp_path):
    with refused("none: no such file; correct teacher.model"):
        teachers.fingerprint(f"{kind}:{tmp_path / 'none'}", None)


def test_a_missing_folder_and_missing_weights_name_their_keys(tmp_path):
    with refused("no such folder; correct teacher.model"):
        teachers.fingerprint(f"hf:{tmp_path / 'none'}", None)
    with refused("no such file; correct teacher.weights"):
        teachers.fingerprint("timm:resnet18", tmp_path / "none")


def test_weights_beside_a_teacher_that_brings_its_own_are_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    with refused("has its own"):
        teachers.fingerprint(f"logits:{tmp_path / 'a'}", tmp_path / "a")


# Arrays over a pipe


def test_arrays_of_every_kind_come_through_a_pipe_as_they_were():
    sent = [np.arange(6, dtype=np.uint8).reshape(2, 3).T, np.array(2.5), np.zeros((0, 3), np.int64)]
    pipe = io.BytesIO()
    wire.send(pipe, {"do": "run"}, sent)
    pipe.seek(0)
    header = wire.receive(pipe)
    for one, told in zip(sent, header["arrays"], strict=True):
        found = wire.array(pipe, *told)
        assert found.dtype == one.dtype
        np.testing.assert_array_equal(found, one)
    assert wire.receive(pipe) is None


@pytest.mark.parametrize("torn", [b'{"do": 1', b"[1]\n", b"{nonsense}\n"])
def test_a_torn_message_is_an_end_and_not_a_message(torn):
    with pytest.raises(EOFError):
        wire.receive(io.BytesIO(torn))


def test_a_torn_array_is_an_end_and_not_an_array():
    with pytest.raises(EOFError):
        wire.array(io.BytesIO(b"1234567"), "<f4", [2])


# What goes in, what comes out


def port(name="x", shape=("n", 4), dtype="<f4", kind="tensor(float)"):
    return Port(name, kind, tuple(shape), dtype)


@pytest.mark.parametrize(
    ("layout", "sample", "wanted"),
    [
        ("hwc", (4, 5, 3), (4, 5, 3)),
        ("hwc", (4, 5, 3), (3, 4, 5)),
        ("chw", (3, 4, 5), (4, 5, 3)),
        ("hw", (4, 5), (1, 4, 5)),
        ("hw", (4, 5), (4, 5, 1)),
        ("hwc", (4, 5, 1), (4, 5)),
        ("chw", (1, 4, 5), (4, 5)),
        ("tc", (6, 2), (2, 6)),
        ("tc", (6, 2), (1, 6, 2)),
        ("tc", (6, 2), (1, 2, 6)),
        ("tc", (6, 1), (6,)),
    ],
)
def test_an_axis_of_channels_goes_where_the_model_wants_it(layout, sample, wanted):
    of = Signature(sample, layout, "float32", 3)
    (way,) = fitting.plan([port(shape=("n", *wanted))], of, "m").arrangements
    x = np.arange(2 * np.prod(sample), dtype=np.float32).reshape(2, *sample)
    found = way.of(x)
    assert found.shape == (2, *wanted)
    channel = {"hwc": 3, "chw": 1, "tc": 2}.get(layout)
    if channel and x.shape[channel] > 1:
        size = x.shape[channel]
        moved = found.shape.index(size, 1)
        np.testing.assert_array_equal(
            np.moveaxis(found, moved, -1).ravel(), np.moveaxis(x, channel, -1).ravel()
        )
    else:
        np.testing.assert_array_equal(found.ravel(), x.ravel())


def test_samples_stay_as_they_are_where_that_fits():
    of = Signature((3, 3, 3), "hwc", "float32", 3)
    ways = fitting.plan([port(shape=("n", 3, 3, 3))], of, "m").arrangements
    assert ways == (fitting.Arrangement((0, 1, 2), (3, 3, 3)),)


@pytest.mark.parametrize(
    ("shape", "dtype"), [(("n", 5), "<f4"), (("n", 4, 1), "<f4"), (("n", 4), "|u1"), ((4,), "<f4")]
)
def test_an_input_of_another_shape_or_type_is_refused_and_named(shape, dtype):
    with refused(r"found inputs 'x' tensor.*expected one input .* float32 or float32 \[n, 4\]"):
        fitting.plan([port(shape=shape, dtype=dtype)], TABLE, "m")


def test_two_inputs_that_both_fit_are_refused_and_named():
    with refused("inputs 'a' .*, 'b' .*, which all fit, expected one input"):
        fitting.plan([port("a"), port("b")], TABLE, "m")


def test_an_input_that_nobody_can_fill_is_refused_and_named():
    with refused(r"found input 'speaker' tensor\(int64\) \['n'\] beside the samples"):
        fitting.plan([port(), port("speaker", ("n",), "<i8", "tensor(int64)")], TABLE, "m")


def test_a_scalar_whose_name_tells_its_value_is_filled():
    told = fitting.plan([port(), port("training", (), "|b1"), port("keep_prob", (1,))], TABLE, "m")
    _, training, keep = told.feed(ROWS, told.arrangements[0], 0)
    assert training.dtype == bool
    assert not training
    assert keep.tolist() == [1.0]


def test_ids_masks_and_types_of_a_text_are_told_apart_by_name():
    of = Signature((5,), "tokens", "int32", 2, pad=9)
    ports = [
        port(name, ("n", "t"), "<i8") for name in ("attention_mask", "token_type_ids", "input_ids")
    ]
    told = fitting.plan(ports, of, "m")
    x = np.array([[1, 2, 0, 9, 9]], np.int32)
    mask, kinds, ids = told.feed(x, told.arrangements[0], 9)
    assert mask.tolist() == [[1, 1, 1, 0, 0]]
    assert kinds.tolist() == [[0, 0, 0, 0, 0]]
    assert ids.tolist() == x.tolist()
    assert {one.dtype.str for one in (mask, kinds, ids)} == {"<i8"}


def test_a_text_model_of_another_length_is_refused():
    of = Signature((5,), "tokens", "int32", 2)
    with refused(r"whole numbers \[n, 5\].*max_length"):
        fitting.plan([port("input_ids", ("n", 128), "<i8")], of, "m")


@pytest.mark.parametrize(
    ("names", "shapes", "chosen"),
    [
        (["a"], [[2, 3]], 0),
        (["a", "logits"], [[2, 3], [2, 3]], 1),
        (["output", "logits"], [[2, 3], [2, 3]], 1),
        (["a", "output"], [[2, 3], [2, 3]], 1),
        (["hidden", "b"], [[2, 64], [2, 3]], 1),
        (["a"], [[2, 3, 1, 1]], 0),
        (["a", "b"], [[2, 3], [2, 3]], None),
        (["logits"], [[2, 4]], None),
        (["logits"], [[3, 2]], None),
        (["maps"], [None], None),
    ],
)
def test_the_output_is_the_one_named_logits_or_the_only_one_of_the_shape(names, shapes, chosen):
    assert fitting.choose([port(name) for name in names], shapes, 2, TABLE) == chosen


def test_an_embedding_is_as_wide_as_the_model_gives_it():
    of = Signature((4,), "table", "float32", None, "embedding")
    assert fitting.choose([port("a")], [[2, 17]], 2, of) == 0


# Black boxes, in their own process


def test_answers_are_the_models_and_in_order(tmp_path):
    with BlackBox(dense(tmp_path / "m.onnx"), TABLE) as teacher:
        np.testing.assert_allclose(teacher.ask(ROWS), ROWS @ WEIGHTS, rtol=1e-5)
        many = np.concatenate([ROWS] * 100)
        np.testing.assert_allclose(teacher.ask(many), many @ WEIGHTS, rtol=1e-4, atol=1e-6)
        assert teacher.ask(ROWS[:0]).shape == (0, 3)
        assert teacher.notes == ()
        assert teacher.outputs == 3


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_is_asked_in_its_own_steps(batch, tmp_path):
    with BlackBox(dense(tmp_path / "m.onnx", batch=batch), TABLE) as teacher:
        np.testing.assert_allclose(teacher.ask(ROWS), ROWS @ WEIGHTS, rtol=1e-5)
        assert f"is asked {batch} at a time" in teacher.notes[0]


def test_a_model_whose_open_batch_is_not_is_asked_one_by_one(tmp_path):
    one_row = helper.make_node("Reshape", ["z", "shape"], ["y"])
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["z"]), one_row],
        [("x", FLOAT, ["n", 4])],
        [("y", FLOAT, ["n", 3])],
        [("w", WEIGHTS), ("shape", np.array([1, 3]))],
    )
    with BlackBox(path, TABLE) as teacher:
        np.testing.assert_allclose(teacher.ask(ROWS), ROWS @ WEIGHTS, rtol=1e-5)


def test_images_are_cast_and_turned_as_running_the_model_shows(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    # Every axis is open: only its convolution knows that channels come first.
    with BlackBox(pooled(tmp_path / "m.onnx"), Signature((6, 7, 3), "hwc", "uint8", 3)) as teacher:
        np.testing.assert_allclose(teacher.ask(x), x.mean((1, 2)), rtol=1e-5)
        assert "takes samples as [3, 6, 7], not [6, 7, 3]" in teacher.notes[0]
        assert "uint8 values are cast, not scaled" in teacher.notes[1]


def test_probabilities_become_logits_with_the_same_softmax_and_a_note(tmp_path):
    softmax = helper.make_node("Softmax", ["z"], ["p"])
    with BlackBox(dense(tmp_path / "m.onnx", softmax, last="p"), TABLE) as teacher:
        found = torch.softmax(torch.from_numpy(teacher.ask(ROWS)), 1)
        expected = torch.softmax(torch.from_numpy(ROWS @ WEIGHTS), 1)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        assert np.isfinite(teacher.ask(1000 * ROWS)).all()
        assert [note for note in teacher.notes if "probabilities" in note] == [
            "teacher m.onnx: gives probabilities p; log(p) is taken for its logits"
        ]


def test_independent_probabilities_become_logits_with_the_same_sigmoid(tmp_path):
    sigmoid = helper.make_node("Sigmoid", ["z"], ["p"])
    of = Signature((4,), "table", "float32", 3, "multi-label")
    with BlackBox(dense(tmp_path / "m.onnx", sigmoid, last="p"), of) as teacher:
        np.testing.assert_allclose(teacher.ask(ROWS), ROWS @ WEIGHTS, rtol=1e-3, atol=1e-4)


def test_numbers_of_a_regression_are_never_taken_for_probabilities(tmp_path):
    softmax = helper.make_node("Softmax", ["z"], ["p"])
    of = Signature((4,), "table", "float32", 3, "regression")
    with BlackBox(dense(tmp_path / "m.onnx", softmax, last="p"), of) as teacher:
        np.testing.assert_allclose(teacher.ask(ROWS).sum(1), 1.0, rtol=1e-5)
        assert teacher.notes == ()


def test_a_text_model_gets_ids_and_mask(tmp_path):
    path = save(
        tmp_path / "m.onnx",
        [
            helper.make_node("Mul", ["input_ids", "attention_mask"], ["kept"]),
            helper.make_node("Cast", ["kept"], ["f"], to=FLOAT),
            helper.make_node("ReduceSum", ["f", "axis"], ["s"], keepdims=1),
            helper.make_node("Concat", ["s", "s"], ["logits"], axis=1),
        ],
        [("input_ids", INT64, ["n", "t"]), ("attention_mask", INT64, ["n", "t"])],
        [("logits", FLOAT, ["n", 2]), ("kept", INT64, ["n", "t"])],
        [("axis", np.array([1]))],
    )
    with BlackBox(path, Signature((4,), "tokens", "uint16", 2, pad=7)) as teacher:
        x = np.array([[1, 2, 7, 7], [5, 5, 5, 7]], np.uint16)
        assert teacher.ask(x).tolist() == [[3, 3], [15, 15]]


def test_a_model_with_other_outputs_is_refused_with_their_shapes(tmp_path):
    of = Signature((4,), "table", "float32", 10)
    with refused(r"outputs 'z' .*shape \[2, 3\] when run.*expected one output of floats \[n, 10\]"):
        BlackBox(dense(tmp_path / "m.onnx"), of)


def test_answers_that_are_not_finite_name_the_sample(tmp_path):
    root = helper.make_node("Sqrt", ["z"], ["y"])
    with BlackBox(dense(tmp_path / "m.onnx", root, last="y"), TABLE) as teacher:
        x = np.zeros((4, 4), np.float32)
        x[2] = -WEIGHTS[:, 0]
        with refused("NaN or infinity for sample 2"):
            teacher.ask(x)


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with refused("no such file; correct teacher.model"):
        BlackBox(tmp_path / "none.onnx", TABLE)
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with refused("expected an ONNX model"):
        BlackBox(tmp_path / "m.onnx", TABLE)


@pytest.mark.parametrize("location", ["../secret", "link", "hard"])
def test_weights_outside_the_models_folder_are_refused(location, tmp_path):
    model = load(str(dense(tmp_path / "m.onnx")))
    external_data_helper.set_external_data(model.graph.initializer[0], location=location)
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.initializer[0].ClearField("raw_data")
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(48))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "hard").hardlink_to(tmp_path / "secret")
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    with refused("external data of 'w'"):
        BlackBox(folder / "m.onnx", TABLE)


def test_a_model_that_wants_too_much_memory_is_refused_and_the_parent_lives(tmp_path):
    path = save(
        tmp_path / "m.onnx",
        [
            helper.make_node("ConstantOfShape", ["big"], ["zeros"]),
            helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
            helper.make_node("Add", ["x", "sum"], ["z"]),
        ],
        [("x", FLOAT, ["n", 4])],
        [("z", FLOAT, ["n", 4])],
        [("big", np.array([1 << 40]))],
    )
    of = Signature((4,), "table", "float32", 4)
    with refused("a model that needs more than 4294967296 bytes of memory"):
        BlackBox(path, of, memory_limit_bytes=4 << 30)


OPENED = """
import sys, json, os, time
sys.stdin.buffer.readline()
port = dict(name="x", type="tensor(float)", shape=["n", 4], dtype="<f4")
out = dict(port, name="z", shape=["n", 3])
print(json.dumps(dict(arrays=[], inputs=[port], outputs=[out])), flush=True)
"""
PROBED = """
sys.stdin.buffer.readline(); sys.stdin.buffer.read(32)
print(json.dumps(dict(arrays=[], shapes=[[2, 3]])), flush=True)
sys.stdin.buffer.readline()
"""


def fake(code):
    """A program in the worker's place."""
    return sys.executable, "-c", code


def test_a_process_that_dies_is_refused_with_its_last_words(tmp_path):
    code = "import os, sys; print('out of luck', file=sys.stderr, flush=True); os.abort()"
    with refused(r"ended by SIGABRT \(out of luck\).*logits:FILE"):
        BlackBox(dense(tmp_path / "m.onnx"), TABLE, command=fake(code))


def test_a_process_that_dies_over_a_block_is_refused(tmp_path):
    code = OPENED + PROBED + "os.kill(os.getpid(), 9)"
    with (
        BlackBox(dense(tmp_path / "m.onnx"), TABLE, command=fake(code)) as teacher,
        refused("ended by SIGKILL; it may need more memory"),
    ):
        teacher.ask(ROWS)


def test_a_process_without_an_answer_is_ended_when_its_time_is_up(tmp_path):
    code = "import time; time.sleep(600)"
    with refused("no answer within 0.2 s"):
        BlackBox(dense(tmp_path / "m.onnx"), TABLE, command=fake(code), timeout_s=0.2)


def test_an_answer_of_another_shape_is_refused_before_it_is_read(tmp_path):
    lie = "print(json.dumps(dict(arrays=[['<f4', [1 << 40, 3]]], shapes=[[7, 3]])), flush=True)"
    code = OPENED + PROBED + lie + "\ntime.sleep(600)"
    with (
        BlackBox(dense(tmp_path / "m.onnx"), TABLE, command=fake(code)) as teacher,
        refused(r"answers of shape \[1099511627776, 3\] to 7 samples"),
    ):
        teacher.ask(ROWS)


def test_a_program_that_is_not_there_is_an_error_of_the_machine(tmp_path):
    with refused("no process could be started", error=MeasureError):
        BlackBox(dense(tmp_path / "m.onnx"), TABLE, command=(str(tmp_path / "none"),))


def test_the_process_knows_no_telemetry_and_none_of_our_secrets(tmp_path):
    told = tmp_path / "told"
    code = f"import json, os; open({str(told)!r}, 'w').write(json.dumps(dict(os.environ)))"
    os.environ["EDGESTILL_TEST_SECRET"] = "1"
    try:
        with refused("ended with status 0"):
            BlackBox(dense(tmp_path / "m.onnx"), TABLE, command=fake(code))
    finally:
        del os.environ["EDGESTILL_TEST_SECRET"]
    assert '"ORT_DISABLE_TELEMETRY": "1"' in told.read_text()
    assert "EDGESTILL_TEST_SECRET" not in told.read_text()


# Recorded logits

IDS = {
    "train": np.array([f"clip/{i:03}" for i in range(40)]),
    "validation": np.array([f"v{i}" for i in range(5)]),
    "test": np.array([f"t{i}" for i in range(6)]),
}


def logits_by_id(ids, classes=3):
    """Numbers that tell which id they belong to."""
    known = {name: i for i, name in enumerate(np.concatenate(list(IDS.values())))}
    first = np.array([known.get(name, -1) for name in ids], np.float32)
    return first[:, None] + np.arange(classes, dtype=np.float32) / 8


def shuffled(*splits):
    ids = np.concatenate([IDS[split] for split in splits])
    return ids[np.random.default_rng(0).permutation(len(ids))]


def archive(path, ids, logits=None, **more):
    np.savez(path, id=ids, logits=logits_by_id(ids) if logits is None else logits, **more)
    return path


def test_recorded_logits_are_found_by_id_whatever_their_order(tmp_path):
    path = archive(tmp_path / "a.npz", shuffled("train", "test"), other=np.zeros(2))
    found = recorded.open(path, IDS, 3)
    np.testing.assert_array_equal(found.logits("train"), logits_by_id(IDS["train"]))
    np.testing.assert_array_equal(found.logits("test"), logits_by_id(IDS["test"]))
    np.testing.assert_array_equal(
        found.logits("train", slice(3, 9)), logits_by_id(IDS["train"][3:9])
    )
    assert found.logits("train").dtype == np.float32
    assert found.logits("validation") is None
    assert found.outputs == 3
    assert found.notes == ()


@pytest.mark.linux("/proc/self/maps")
def test_nothing_of_a_scratch_folder_is_held_once_the_result_is_gone(tmp_path):
    """What is mapped cannot be removed on Windows; without a folder there is none to remove."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    file = archive(tmp_path / "a.npz", IDS["train"])
    found = recorded.open(file, IDS, 3, scratch=scratch)
    assert len(found.logits("train")) == 40
    (unpacked,) = {path for path in map(str, scratch.iterdir()) if path in mapped()}
    del found
    assert unpacked not in mapped()
    assert len(recorded.open(file, IDS, 3).logits("train")) == 40


def mapped():
    return Path("/proc/self/maps").read_text()


def test_ids_that_are_numbers_or_bytes_match_the_same_ids_as_text(tmp_path):
    ids = {"train": np.array(["7", "12", "3"])}
    for name, stored in (("a", np.array([3, 7, 12])), ("b", np.array([b"3", b"7", b"12"]))):
        path = archive(tmp_path / f"{name}.npz", stored, np.arange(9.0).reshape(3, 3))
        found = recorded.open(path, ids, 3).logits("train")
        assert found.tolist() == [[3, 4, 5], [6, 7, 8], [0, 1, 2]]


def test_ids_too_many_are_fine_and_noted(tmp_path):
    ids = np.concatenate([IDS["train"], ["z1", "z2"]])
    found = recorded.open(archive(tmp_path / "a.npz", ids), IDS, 3)
    assert found.notes == ("a.npz: 2 of 42 recorded ids are not in the data set",)


def test_one_number_a_sample_needs_no_second_axis(tmp_path):
    path = archive(tmp_path / "a.npz", IDS["train"], np.arange(40.0))
    assert recorded.open(path, IDS, 1).logits("train").shape == (40, 1)


def test_an_embedding_is_as_wide_as_it_was_recorded(tmp_path):
    path = archive(tmp_path / "a.npz", IDS["train"], np.ones((40, 17)))
    assert recorded.open(path, IDS, None).outputs == 17


def with_nan(row):
    logits = logits_by_id(IDS["train"])
    logits[row, 1] = np.nan
    return logits


@pytest.mark.parametrize(
    ("ids", "logits", "text"),
    [
        (
            IDS["train"][2:],
            None,
            r"no logits for 2 of 40 samples of train \('clip/000', 'clip/001'\)",
        ),
        (IDS["train"][7:], None, r"no logits for 7 of 40 .*'clip/004', …\)"),
        (IDS["test"], None, "no logits for 40 of 40 samples of train"),
        (
            np.concatenate([IDS["train"], IDS["test"][:2]]),
            None,
            "no logits for 4 of 6 samples of test",
        ),
        (
            np.concatenate([IDS["train"], IDS["train"][:1]]),
            None,
            r"1 ids more than once \('clip/000'\)",
        ),
        (IDS["train"], with_nan(5), "NaN or infinity for 'clip/005'"),
        (IDS["train"], np.full((40, 3), 1e300), "NaN or infinity for 'clip/000'"),
        (IDS["train"], np.ones((40, 4)), "found 4 numbers per sample, expected 3"),
        (IDS["train"], np.ones(40), r"logits of shape \[40\]"),
        (IDS["train"], np.ones((40, 2, 3)), r"logits of shape \[40, 2, 3\]"),
        (IDS["train"], np.full((40, 3), "a"), "type <U1"),
        (IDS["train"], np.array(1.0), "one id for each row"),
        (IDS["train"][:39], np.ones((40, 3)), "one id for each row"),
        (np.arange(40.0), np.ones((40, 3)), "ids of type float64"),
        (IDS["train"].astype(object), np.ones((40, 3)), "which are pickled and not read"),
        (np.array([b"\xff"] * 40), np.ones((40, 3)), "not UTF-8"),
    ],
)
def test_recorded_logits_that_do_not_match_are_refused(ids, logits, text, tmp_path):
    with refused(text, error=DataError):
        recorded.open(archive(tmp_path / "a.npz", ids, logits), IDS, 3)


def test_logits_without_ids_are_refused_even_where_counts_agree(tmp_path):
    np.savez(tmp_path / "a.npz", logits=np.ones((40, 3)))
    with refused("expected .id. and .logits. .*; the order of rows", error=DataError):
        recorded.open(tmp_path / "a.npz", IDS, 3)
    with refused("a data set without ids", error=DataError):
        recorded.open(archive(tmp_path / "b.npz", IDS["train"]), {}, 3)


def test_a_file_that_is_missing_broken_or_of_another_kind_is_refused(tmp_path):
    with refused("no such file", error=DataError):
        recorded.open(tmp_path / "a.npz", IDS, 3)
    for name, text in (("a.npz", "not a readable archive"), ("a.txt", "expected .npz, .parquet")):
        (tmp_path / name).write_bytes(b"nothing")
        with refused(text, error=DataError):
            recorded.open(tmp_path / name, IDS, 3)


@pytest.fixture
def parquet():
    """Writes columns to a parquet file."""
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    files = importlib.import_module("pyarrow.parquet")

    def written(path, **columns):
        files.write_table(arrow.table(columns), path)
        return path

    return written


def test_parquet_holds_logits_as_lists(parquet, tmp_path):
    ids = shuffled("train", "validation")
    path = parquet(tmp_path / "a.parquet", id=ids.tolist(), logits=logits_by_id(ids).tolist())
    found = recorded.open(path, IDS, 3)
    np.testing.assert_array_equal(found.logits("train"), logits_by_id(IDS["train"]))
    np.testing.assert_array_equal(found.logits("validation"), logits_by_id(IDS["validation"]))


def test_parquet_columns_named_as_the_classes_come_in_the_classes_order(parquet, tmp_path):
    ids = shuffled("train")
    a, b, c = logits_by_id(ids).T
    path = parquet(tmp_path / "a.parquet", c=c, id=ids.tolist(), b=b, a=a)
    named = recorded.open(path, IDS, 3, labels=("a", "b", "c"))
    np.testing.assert_array_equal(named.logits("train"), logits_by_id(IDS["train"]))
    assert "in this order: 'a', 'b', 'c'" in named.notes[0]
    other = recorded.open(path, IDS, 3, labels=("x", "y", "z"))
    np.testing.assert_array_equal(other.logits("train"), logits_by_id(IDS["train"])[:, ::-1])
    assert "in this order: 'c', 'b', 'a'" in other.notes[0]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"logits": [[1.0, 2.0], [3.0, 4.0]]}, "expected 'id', and"),
        ({"id": ["a", "b"]}, "expected 'id', and"),
        ({"id": ["a", "b"], "logits": [[1.0, 2.0], [3.0]]}, "a list of 1 numbers in row 1"),
        ({"id": ["a", None], "logits": [[1.0], [3.0]]}, "nothing in column 'id' of row 1"),
        ({"id": ["a", "b"], "p": [1.0, None]}, "nothing in column 'p' of row 1"),
        ({"id": ["a", "b"], "logits": [["x"], ["y"]]}, "other things than numbers"),
    ],
)
def test_parquet_that_is_no_record_of_logits_is_refused(parquet, columns, text, tmp_path):
    with refused(text, error=DataError):
        recorded.open(
            parquet(tmp_path / "a.parquet", **columns), {"train": np.array(["a", "b"])}, 2
        )


def test_a_broken_parquet_file_is_refused(parquet, tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"nothing")
    with refused("not a readable parquet file", error=DataError):
        recorded.open(tmp_path / "a.parquet", IDS, 3)


# Models of other libraries


def test_a_folder_without_a_config_or_with_a_pickle_is_refused_before_any_library(tmp_path):
    with refused("no such folder"):
        huggingface.load(tmp_path / "none", 2)
    with refused("expected config.json and model.safetensors"):
        huggingface.load(tmp_path, 2)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with refused("'pytorch_model.bin', a pickle, expected .*safe_serialization=True"):
        huggingface.load(tmp_path, 2)


@pytest.mark.parametrize("library", ["transformers", "timm"])
def test_a_library_that_is_not_there_is_an_error_of_the_machine_with_its_extra(library, tmp_path):
    if importlib.util.find_spec(library):
        pytest.skip(f"{library} is installed")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with refused(f"no library {library}; pip install 'edgestill", error=HostError):
        if library == "timm":
            timm_.load("resnet18", None, 2)
        else:
            huggingface.load(tmp_path, 2)


@pytest.fixture
def bert(tmp_path):
    """A tiny untrained classifier, saved."""
    library = pytest.importorskip("transformers", reason="transformers is not installed")
    config = library.BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=12,
        num_labels=3,
    )
    torch.manual_seed(0)
    model = library.BertForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path / "bert")
    return model, tmp_path / "bert"


def test_a_saved_text_classifier_answers_as_it_did_and_pays_padding_no_heed(bert):
    model, folder = bert
    teacher = huggingface.load(folder, 3, pad=9, vocabulary=20, length=12)
    ids = torch.tensor([[3, 4, 5, 9, 9], [9, 9, 9, 9, 9]], dtype=torch.int32)
    with torch.inference_mode():
        expected = model(input_ids=ids[:1, :3].long()).logits
        found = teacher(ids)
    torch.testing.assert_close(found[:1], expected)
    assert found.isfinite().all()


def test_a_text_classifier_that_does_not_fit_the_data_is_refused(bert):
    _, folder = bert
    with refused("a model of 3 classes, expected 2"):
        huggingface.load(folder, 2)
    with refused("a model of 20 tokens, expected at least the 21"):
        huggingface.load(folder, 3, vocabulary=21)
    with refused("does not take 13 tokens"):
        huggingface.load(folder, 3, length=13)


def test_a_text_model_without_a_trained_head_is_refused(bert):
    model, folder = bert
    model.bert.save_pretrained(folder)
    with refused("no weights for 2 tensors, such as 'classifier.bias'"):
        huggingface.load(folder, 3)


def timm_or_skip():
    try:
        return importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm does not import: {error}")


def test_a_timm_model_takes_the_users_weights(tmp_path):
    timm = timm_or_skip()
    torch.manual_seed(1)
    model = timm.create_model("resnet10t", num_classes=3).eval()
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    loaded = timm_.load("resnet10t", tmp_path / "w.safetensors", 3, size=(32, 32)).eval()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(loaded(x), model(x))


@pytest.mark.parametrize("name", ["resnet10", "hf-hub:someone/model", "local-dir:x"])
def test_a_name_that_timm_does_not_have_is_refused(name):
    timm_or_skip()
    with refused("no model"):
        timm_.load(name, None, 3)
