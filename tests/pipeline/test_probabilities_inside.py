"""Builds whose files have a softmax or a sigmoid inside are judged as those without."""

import json

import numpy as np
import onnxruntime
import pytest
import small_builds
from edgestill.errors import RecipeError
from edgestill.exporters import metadata
from edgestill.exporters.interface import INPUT, PROBABILITIES
from edgestill.pipeline.finished.verify_run import check
from edgestill.pipeline.handover.write import write
from edgestill.pipeline.preflight import known

VARIANTS = 'compress.variants=["fp32","int8-static","int8-dynamic"]'
INSIDE = 'export.inside=["normalize","{}"]'


def labels_of(points):
    """Two labels that may both be present, by the sign of two coordinates."""
    return np.stack([points[:, 0] > 0, points[:, 1] > 0], axis=1).astype(np.float32)


@pytest.fixture(scope="module", params=["softmax", "sigmoid"])
def pair(request, tmp_path_factory):
    """The same build with and without the activation, and its name."""
    folder = tmp_path_factory.mktemp("inside")
    x, y = small_builds.points()
    asked = [VARIANTS]
    if request.param == "sigmoid":
        y = labels_of(x)
        asked += ["data.task=multi-label", "distill.epochs=20"]
    np.savez(folder / "data.npz", x=x, y=y)
    plain = small_builds.build(folder, *asked)
    inside = small_builds.build(folder, *asked, INSIDE.format(request.param))
    return request.param, plain, inside


def by_name(built):
    return {quality.name: quality for quality in built.report.quality.variants}


@pytest.mark.slow
def test_scores_and_losses_are_those_of_the_logits(pair):
    _, plain, inside = pair
    before, after = by_name(plain), by_name(inside)
    assert list(before) == list(after)
    for name, quality in after.items():
        assert quality.score.value == pytest.approx(before[name].score.value, abs=1e-6)
        assert quality.answers_changed_vs_fp32 == before[name].answers_changed_vs_fp32
        (own,), (other,) = (
            [figure.value for key, figure in one.fidelity.figures.items() if "KL" in key]
            for one in (quality, before[name])
        )
        assert own == pytest.approx(other, abs=1e-4)


@pytest.mark.slow
def test_only_what_is_made_of_the_files_is_built_anew(pair):
    _, plain, inside = pair
    assert set(inside.ran) == {"variants", "verify", "benchmark"}
    assert "student" in plain.ran


@pytest.mark.slow
def test_every_file_gives_probabilities_and_says_so(pair):
    activation, plain, inside = pair
    x = small_builds.points()[0]
    for variant in inside.report.variants.files:
        path = inside.run / "variants" / variant.file
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (found,) = session.run([PROBABILITIES], {INPUT: x})
        assert ((found >= 0) & (found <= 1)).all()
        if activation == "softmax":
            np.testing.assert_allclose(found.sum(1), 1, atol=2e-3)
        told = metadata.read(path)["output"]
        assert told == {"name": PROBABILITIES, "activation": activation}
    (output,) = {variant.changed_nodes for variant in plain.report.variants.files[1:2]}
    assert output == inside.report.variants.files[1].changed_nodes


@pytest.mark.slow
def test_parity_is_with_the_torch_model_and_its_activation(pair):
    _, _, inside = pair
    exported = [quality for quality in by_name(inside).values() if quality.parity]
    assert exported
    assert all(one.holds and one.max_abs_difference < 1e-5 for q in exported for one in q.parity)


@pytest.mark.slow
def test_golden_outputs_and_the_bundle_are_of_the_files_as_they_ship(pair, tmp_path):
    activation, _, inside = pair
    assert check(inside.run).faults == ()
    with np.load(inside.run / "records" / "golden.npz") as golden:
        assert all(golden[name].max() <= 1 for name in golden if name != "input")
    write(inside.run, tmp_path / "bundle", formats=("onnx",), inspection=True)
    told = json.loads((tmp_path / "bundle" / "preprocessing.json").read_text())
    assert told["inside"] == ["normalize", activation]
    assert told["output"]["name"] == PROBABILITIES
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert f"Normalization and the {activation} are inside the model" in card
    snippet = (tmp_path / "bundle" / "snippets" / "onnxruntime.cc").read_text()
    assert f'kOutputName = "{PROBABILITIES}"' in snippet


@pytest.mark.parametrize(
    ("task", "asked", "fix"),
    [
        ("classification", "sigmoid", 'inside = ["normalize", "softmax"]'),
        ("multi-label", "softmax", 'inside = ["normalize", "sigmoid"]'),
        ("regression", "softmax", "leave 'softmax' out"),
        ("embedding", "sigmoid", "leave 'sigmoid' out"),
    ],
)
def test_an_activation_of_another_task_is_refused_before_any_data(tmp_path, task, asked, fix):
    recipe = small_builds.recipe(tmp_path, f"data.task={task}", INSIDE.format(asked))
    with pytest.raises(RecipeError) as refused:
        known(recipe)
    assert (refused.value.where, refused.value.fix) == ("export.inside", fix)
