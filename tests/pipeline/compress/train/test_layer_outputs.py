"""A captured graph is tapped where the layers of its model gave what they gave."""

import copy

import pytest
import torch
from edgestill.errors import ModelError, RecipeError
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.compress.train import qat
from edgestill.pipeline.compress.train.layer_outputs import find, tapped
from edgestill.pipeline.distill.layers import Taps
from edgestill.pipeline.models import deployed
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.compress import Compress
from edgestill.pipeline.records import DataRecord
from torch import nn

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGES = DataRecord(
    source="test", task="classification", labels=tuple("abc"), sample_shape=(8, 8, 1),
    layout="hwc", dtype="uint8", mean=(100.0,), std=(60.0,), rows={}, counts={}, dropped=0,
    notes=(), fingerprint="",
)  # fmt: skip
TEXTS = IMAGES.model_copy(
    update={"sample_shape": (12,), "layout": "tokens", "dtype": "int32", "mean": (), "std": (),
            "vocabulary": 40}
)  # fmt: skip
KINDS = {
    "resnet8": (IMAGES, ["bn1", "layer1.0", "layer1.0.bn1", "layer3", "linear"]),
    "transformer2": (TEXTS, ["layers.0", "layers.1.norm1", "linear"]),
}


def captured(name):
    data, layers = KINDS[name]
    torch.manual_seed(0)
    model = deployed(Architecture(model=name, width=16), data)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_mean, -0.5, 0.5)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
    model.eval()
    return model, qat.prepared(model, data, plan(Compress(target="x86-vnni"))), layers


def drawn(data, count):
    random = torch.Generator().manual_seed(7)
    shape = (count, *data.sample_shape)
    if data.layout == "tokens":
        return torch.randint(1, data.vocabulary, shape, generator=random).int()
    return torch.randint(0, 256, shape, generator=random).to(torch.uint8)


@pytest.mark.parametrize("name", KINDS)
def test_the_graph_gives_what_the_layers_of_its_model_give(name):
    model, graph, layers = captured(name)
    x = drawn(KINDS[name][0], 5)
    before = [str(node) for node in graph.net.graph.nodes], set(graph.state_dict())
    near = {"rtol": 1e-3, "atol": 1e-3}
    with Taps(model, layers, "here") as wanted, Taps(graph, layers, "here") as found:
        for rounding in graph.roundings():
            rounding.disable_fake_quant()
        with torch.no_grad():
            model(x)
            graph(x)
        for layer in layers:
            torch.testing.assert_close(found.taken[layer], wanted.taken[layer], **near)
    assert ([str(node) for node in graph.net.graph.nodes], set(graph.state_dict())) == before


def test_rounding_goes_on_while_it_is_tapped():
    _, graph, _ = captured("resnet8")
    qat.calibrate(graph, [drawn(IMAGES, 16).numpy()])
    x = drawn(IMAGES, 5)
    with torch.no_grad():
        rounded = graph(x)
        with Taps(graph, ["layer2"], "here"):
            assert torch.equal(graph(x), rounded)


def test_a_layer_that_is_folded_into_another_is_refused_by_name():
    _, graph, _ = captured("resnet8")
    assert graph.absent(["bn1", "conv1", "layer2"]) == ["conv1"]
    with pytest.raises(ModelError, match=r"layer 'conv1', whose output.*name the batch norm"):
        Taps(graph, ["conv1"], "here")
    with pytest.raises(RecipeError, match="'layer9'"):
        Taps(graph, ["layer9"], "here")


@pytest.fixture(scope="module")
def perceptron():
    """A model, the graph captured of it, and a batch."""
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 2))
    model, x = Deployed(backbone, "table", (0.5,), (2.0,)).eval(), torch.randn(6, 4)
    return model, torch.export.export(model, (x,)).module(), x


def test_the_node_of_a_layer_holds_the_numbers_of_the_layer(perceptron):
    model, graph, x = perceptron
    nodes = find(graph, model, x, ["0", "1", "3"])
    prepared = (x - 0.5) / 2.0
    expected = {"0": model.backbone[0](prepared), "3": model(x)}
    expected["1"] = expected["0"].clamp(min=0.0)
    before, tapped_values = graph.code, {}
    with tapped(graph, nodes) as taps:
        for name, tap in taps.items():
            tap.register_forward_hook(
                lambda _, inputs, __, name=name: tapped_values.update({name: inputs})
            )
        graph(x)
    assert set(tapped_values) == set(expected)
    for name, (value,) in tapped_values.items():
        torch.testing.assert_close(value, expected[name])
    assert graph.code == before
    assert not any(name.startswith("tap_") for name, _ in graph.named_modules())


def test_a_layer_whose_numbers_no_node_holds_is_left_out(perceptron):
    model, graph, x = perceptron
    other = copy.deepcopy(model)
    nn.init.constant_(other.backbone[3].bias, 9.0)
    assert set(find(graph, other, x, ["0", "3"])) == {"0"}
