"""Each family of networks by itself: its number of parameters, its layers, what it refuses."""

import pytest
import torch
from edgestill.errors import RecipeError
from edgestill.pipeline.models import conv1d, dscnn, images, mlp, mobilenet, parameters
from edgestill.pipeline.models.images import Image
from edgestill.pipeline.models.signature import Signature

TABLE = Signature((6,), "table", 4)
IMAGES = Signature((12, 6), "hw", 3)
WINDOWS = Signature((21, 3), "tc", 5)


def test_a_perceptron_has_the_parameters_of_its_linear_layers():
    net = mlp.build(2, 5, TABLE)
    assert parameters(net) == (6 * 5 + 5) + (5 * 5 + 5) + (5 * 4 + 4)
    assert net(torch.zeros(2, 6)).shape == (2, 4)


def test_a_perceptron_computes_relu_between_its_layers_and_none_behind():
    net = mlp.build(1, 2, Signature((2,), "table", 1))
    with torch.no_grad():
        net[1].weight.copy_(torch.eye(2))
        net[1].bias.zero_()
        net[3].weight.copy_(torch.tensor([[2.0, -3.0]]))
        net[3].bias.fill_(0.5)
        assert net(torch.tensor([[1.0, -4.0], [-1.0, 4.0]])).tolist() == [[2.5], [-11.5]]


def test_a_perceptron_refuses_token_ids():
    with pytest.raises(RecipeError, match="model 'mlp2' for texts of 24 tokens, expected numbers"):
        mlp.build(2, 5, Signature((24,), "tokens", 4, vocabulary=50))


@pytest.mark.parametrize(
    ("depth", "blocks"),
    [
        (1, 2 * (4 * 4 * 5 + 8)),
        # Both later blocks change the shape: each has a shortcut with a batch norm.
        (3, 176 + (160 + 16 + 320 + 16 + 32 + 16) + (640 + 32 + 1280 + 32 + 128 + 32)),
    ],
)
def test_convolutions_over_time_have_the_parameters_of_their_blocks(depth, blocks):
    net = conv1d.build(depth, 4, WINDOWS)
    channels = {1: 4, 3: 16}[depth]
    assert parameters(net) == (3 * 4 * 5 + 8) + blocks + (channels * 5 + 5)
    assert net(torch.zeros(2, 3, 21)).shape == (2, 5)


def test_convolutions_over_time_refuse_samples_without_a_time_axis():
    with pytest.raises(RecipeError, match=r"expected windows.*reshape x to \[n, time, channels\]"):
        conv1d.build(1, 4, TABLE)


def test_a_separable_network_has_the_parameters_of_its_blocks():
    stem, block = 10 * 4 * 4 + 8, (3 * 3 * 4 + 8) + (4 * 4 + 8)
    for depth in (1, 3):
        net = dscnn.build(depth, 4, IMAGES)
        assert parameters(net) == stem + depth * block + (4 * 3 + 3)
    assert net.eval()(torch.zeros(2, 1, 12, 6)).shape == (2, 3)


@pytest.mark.parametrize(
    ("size", "padding"),
    [((49, 10), (1, 1, 4, 5)), ((12, 6), (1, 1, 4, 4)), ((1, 1), (1, 2, 4, 5))],
)
def test_the_stem_of_a_separable_network_halves_any_size_rounded_up(size, padding):
    """Left, right, top, bottom: an odd zero stands behind, as TensorFlow's SAME padding has it."""
    net = dscnn.build(1, 4, Signature(size, "hw", 3)).eval()
    assert net.pad.padding == padding
    stem = net.stem(net.pad(torch.zeros(1, 1, *size)))
    assert stem.shape == (1, 4, -(-size[0] // 2), -(-size[1] // 2))


def test_inverted_residuals_have_the_parameters_of_the_papers_blocks():
    net = mobilenet.build(3, 4, IMAGES)
    stem, head = 9 * 4 + 8, 16 * 32 + 64
    blocks = sum(
        # Expand six times, filter 3 by 3, project; each with a batch norm.
        (c * 6 * c + 12 * c) + (9 * 6 * c + 12 * c) + (6 * c * out + 2 * out)
        for c, out in ((4, 4), (4, 8), (8, 16))
    )
    assert parameters(net) == stem + blocks + head + (32 * 3 + 3)


def test_an_inverted_residual_whose_projection_gives_zero_returns_its_input():
    block = mobilenet.InvertedResidual(4, 4, 1).eval()
    torch.nn.init.zeros_(block.block[-2].weight)
    x = torch.rand(2, 4, 5, 3)
    assert torch.equal(block(x), x)
    halved = mobilenet.InvertedResidual(4, 4, 2).eval()
    torch.nn.init.zeros_(halved.block[-2].weight)
    assert torch.equal(halved(x), torch.zeros(2, 4, 3, 2))


@pytest.mark.parametrize(
    ("shape", "layout", "size"),
    [
        ((5, 7), "hw", Image(1, 5, 7)),
        ((5, 7, 3), "hwc", Image(3, 5, 7)),
        ((3, 5, 7), "chw", Image(3, 5, 7)),
    ],
)
def test_the_size_of_an_image_does_not_depend_on_its_layout(shape, layout, size):
    assert images.image("resnet8", Signature(shape, layout, 2)) == size


@pytest.mark.parametrize("of", [TABLE, WINDOWS, Signature((24,), "tokens", 4, vocabulary=50)])
@pytest.mark.parametrize("family", [dscnn, mobilenet])
def test_a_family_of_images_refuses_other_samples(family, of):
    with pytest.raises(RecipeError, match="expected images, or the family") as refused:
        family.build(3, 4, of)
    reshape = "reshape x to [n, height, width]"
    assert (reshape in refused.value.fix) == (of.layout == "table")
