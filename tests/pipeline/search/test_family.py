"""Which students there are to choose from."""

import pytest
import report_example
from edgestill.errors import RecipeError
from edgestill.pipeline.models import build
from edgestill.pipeline.models.signature import signature
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.search import Search
from edgestill.pipeline.search.family import architectures, around

SHAPES = {
    "table": (12,),
    "hw": (28, 28),
    "hwc": (32, 32, 3),
    "chw": (3, 32, 32),
    "tc": (128, 6),
}


def data(layout, shape):
    whole = report_example.report().data
    return whole.model_copy(update={"layout": layout, "sample_shape": shape})


@pytest.mark.parametrize("layout", SHAPES)
def test_every_candidate_takes_the_samples_and_there_are_several_sizes(layout):
    samples = data(layout, SHAPES[layout])
    found = architectures(Search(), samples)
    assert len(found) == len(set(map(str, found))) >= 18
    for one in (found[0], found[-1]):
        build(one, signature(samples, 3))


def test_texts_have_transformers_whose_heads_divide_their_width():
    samples = data("tokens", (16,)).model_copy(update={"vocabulary": 50})
    for one in architectures(Search(), samples):
        build(one, signature(samples, 2))


def test_a_perceptron_is_a_candidate_for_small_images_alone():
    small, large = (architectures(Search(), data("hw", (side, side))) for side in (8, 64))
    assert any(one.model == "mlp2" for one in small)
    assert not any(one.model.startswith("mlp") for one in large)


def test_models_and_widths_of_the_recipe_are_the_candidates():
    search = Search(models=("resnet8", "mobilenet3"), widths=(8, 16))
    found = [(one.model, one.width) for one in architectures(search, data("hw", (28, 28)))]
    assert found == [("resnet8", 8), ("resnet8", 16), ("mobilenet3", 8), ("mobilenet3", 16)]


def test_a_model_that_takes_other_samples_is_refused_with_one_that_takes_these():
    with pytest.raises(RecipeError, match=r"search.models: found 'transformer2'.*'resnet8'"):
        architectures(Search(models=("transformer2",)), data("hw", (28, 28)))


def test_neighbours_are_other_widths_and_depths_of_the_same_family():
    found = {(one.model, one.width) for one in around(Architecture(model="resnet14", width=16))}
    assert ("resnet14", 16) in found
    assert {("resnet8", 16), ("resnet20", 16)} <= found
    assert {width for model, width in found if model == "resnet14"} == {8, 12, 16, 24, 32}
    smallest = {one.model for one in around(Architecture(model="resnet8", width=4))}
    assert smallest == {"resnet8", "resnet14"}
    assert all(one.width % 32 == 0 for one in around(Architecture(model="transformer2", width=64)))
