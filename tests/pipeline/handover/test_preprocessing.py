"""``preprocessing.json`` repeats what the data stage and the model know."""

import pytest
import report_example
import run_example
from edgestill.pipeline.handover.preprocessing import document

VARIANTS = run_example.report().variants


def of(task="classification", *, activation=None, **changes):
    report = run_example.report()
    if task != "classification":
        report = report_example.with_task(report, task)
    variants = VARIANTS.model_copy(update={"activation": activation})
    return document(report.data.model_copy(update=changes), variants)


def test_the_input_is_described():
    found = of()
    assert found["input"]["sample_shape"] == [8, 8]
    assert found["input"]["axes"] == "samples, height, width"
    assert found["labels"] == list("0123456789")


def test_normalization_is_inside_with_its_figures():
    found = of(mean=(4.8,), std=(6.0,))["normalization"]
    assert (found["inside"], found["mean"], found["std"]) == (True, [4.8], [6.0])


def test_a_model_that_normalizes_by_itself_has_no_figures():
    student = VARIANTS.student.model_copy(update={"normalized": False})
    own = VARIANTS.model_copy(update={"student": student})
    data = run_example.report().data.model_copy(update={"mean": (4.8,), "std": (6.0,)})
    assert document(data, own)["normalization"]["mean"] is None


@pytest.mark.parametrize(
    ("task", "decode"),
    [
        ("classification", "argmax"),
        ("multi-label", "sigmoid"),
        ("regression", "numbers"),
        ("embedding", "vector"),
    ],
)
def test_every_task_says_how_its_output_is_decoded(task, decode):
    assert of(task)["output"]["decode"] == decode


@pytest.mark.parametrize(
    ("task", "activation", "name", "decode", "left"),
    [
        ("classification", None, "logits", "argmax", "softmax for probabilities; the largest"),
        ("classification", "softmax", "probabilities", "argmax", "take the largest"),
        ("multi-label", None, "logits", "sigmoid", "sigmoid of each"),
        ("multi-label", "sigmoid", "probabilities", "threshold", "compare each"),
        ("regression", None, "logits", "numbers", "nothing"),
    ],
)
def test_what_is_inside_is_not_left_to_the_app(task, activation, name, decode, left):
    found = of(task, activation=activation)
    assert found["inside"] == ["normalize", *([activation] if activation else [])]
    assert (found["output"]["name"], found["output"]["decode"]) == (name, decode)
    assert found["left_to_the_app"]["behind"].startswith(left)
    assert "left" not in found["output"]


def test_what_is_left_in_front_of_the_model_is_said():
    text = {"kind": "text", "max_length": 16, "pad": 0, "unknown": 1, "mask": 3}
    assert of()["left_to_the_app"]["before"].startswith("nothing")
    assert "raw_input" in of(front_end=IMAGE, layout="hwc")["left_to_the_app"]["before"]
    assert "token ids" in of(layout="tokens", front_end=text)["left_to_the_app"]["before"]


IMAGE = {"kind": "image", "height": 32, "width": 32, "channels": "RGB", "resize": "bilinear"}


def test_the_rule_of_resizing_travels():
    found = of(front_end=IMAGE, layout="hwc")
    assert found["raw_input"] == IMAGE
    assert "bilinear, with antialiasing" in found["raw_input_note"]
    assert "not resized" in of(front_end=IMAGE | {"resize": None})["raw_input_note"]


def test_the_tokenizer_travels_with_its_special_ids():
    told = {"kind": "text", "max_length": 16, "pad": 0, "unknown": 1, "mask": 3}
    # The record's ``unknown`` hides tokens in training: it is the mask.
    found = of(layout="tokens", files=("tokenizer.json",), front_end=told, pad=0, unknown=3)
    assert found["tokenizer"] == {"files": ["models/tokenizer.json"]}
    assert found["raw_input"] == told


def test_encodings_of_tables_and_features_of_sound_travel():
    table = {"kind": "table", "columns": ["a"], "encoding": [{"column": "a", "kind": "number"}]}
    assert of(front_end=table)["raw_input"] == table
    assert "one-hot" in of(front_end=table)["raw_input_note"]
    sound = {"front_end": "log-mel", "sample_rate_hz": 8000, "mels": 40}
    assert of(front_end=sound)["raw_input"] == sound
    assert "every step" in of(front_end=sound)["raw_input_note"]
    assert "without any step" in of()["raw_input_note"]
