"""Why int8 is slow: what is joined, what is found, what is advised, and what applying it does."""

import json
import logging
import subprocess
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from edgestill.devices.onboard.runtimes.onnxruntime import open_session
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.operators.layers import join
from edgestill.devices.operators.profiling import profile
from edgestill.errors import ModelError, NoEffectError, StorageError, UsageError
from edgestill.exporters.onnx import INPUT, export
from edgestill.pipeline.commands.cli import cli
from edgestill.pipeline.commands.explain_tables import summary
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.diagnose.diagnosis import conclude, diagnose
from edgestill.pipeline.diagnose.leave_in_float import leave_in_float
from edgestill.pipeline.finished.explain import Explained, verdict
from edgestill.pipeline.models import deployed, example
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.records import DataRecord
from onnx import TensorProto, helper
from onnx_files import save
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from rich.console import Console

pytestmark = pytest.mark.slow

FLOAT = TensorProto.FLOAT
RUNS = 20
SHAPE = (12, 12, 3)
U8S8 = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
FORMATS = {
    "s8s8": {},  # onnxruntime's defaults
    "u8s8": {**U8S8, "per_channel": True, "reduce_range": True},
    "qlinear": {**U8S8, "quant_format": QuantFormat.QOperator, "reduce_range": True},
}


class Batches(CalibrationDataReader):
    def __init__(self, **arrays):
        self._feeds = iter([arrays])

    def get_next(self):
        return next(self._feeds, None)


def quietly(quantize, *arguments, **options):
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        quantize(*arguments, **options)
    finally:
        logging.getLogger().setLevel(level)


def answers(path, **feed):
    return open_session(path).run(None, feed)[0]


def signal_to_noise_db(true, found):
    return 10 * np.log10((true**2).mean() / ((true - found) ** 2).mean())


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A small ResNet-8 in float and quantized in every form, with profiles of each."""
    data = DataRecord(
        source="test", task="classification", labels=tuple("abcd"), sample_shape=SHAPE,
        layout="hwc", dtype="float32",
        mean=(0.5,), std=(2.0,), rows={}, counts={}, dropped=0, notes=(), fingerprint="",
    )  # fmt: skip
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("slow")
    net = deployed(Architecture(model="resnet8", width=8), data)
    fp32 = folder / "fp32.onnx"
    export(net, example(data), fp32, opset=20)
    x = np.random.default_rng(0).normal(size=(32, *SHAPE)).astype(np.float32)
    paths = {}
    for name, options in FORMATS.items():
        paths[name] = folder / f"{name}.onnx"
        quietly(quantize_static, fp32, paths[name], Batches(**{INPUT: x}), **options)
    paths["dynamic"] = folder / "dynamic.onnx"
    quietly(quantize_dynamic, fp32, paths["dynamic"])
    profiles = {name: profile(path, runs=RUNS) for name, path in paths.items()}
    return SimpleNamespace(
        folder=folder, fp32=fp32, paths=paths, x=x,
        profile=profile(fp32, runs=RUNS), profiles=profiles,
    )  # fmt: skip


# --- joining ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [*FORMATS, "dynamic"])
def test_every_layer_is_joined_whatever_form_it_was_quantized_in(net, form):
    joined = join(net.profile, net.profiles[form])
    source = net.profile.source.nodes
    wanted = [node.name for node in source if node.op in ("Conv", "Gemm")]
    layers = {layer.name: layer for layer in joined.layers if layer.multiplies}
    assert list(layers) == wanted
    assert len(wanted) == 8
    for layer in layers.values():
        # Each runs as one layer on either side: its own and no other's.
        for side, indices in ((net.profile, layer.fp32), (net.profiles[form], layer.int8)):
            ran = [side.operators[i].op for i in indices]
            assert sum("Conv" in op or "Gemm" in op or "MatMul" in op for op in ran) == 1, ran
        nodes = {net.profiles[form].source.nodes[i].name for i in layer.int8_nodes}
        assert any(name.startswith(layer.name) for name in nodes)


@pytest.mark.parametrize("form", [*FORMATS, "dynamic"])
def test_every_microsecond_is_in_a_layer_or_in_what_belongs_to_none(net, form):
    found = conclude(net.profile, net.profiles[form])
    moved = found.quantize_us + found.dequantize_us + found.reorders_us
    layers = sum(one.int8_us or 0.0 for one in found.layers)
    rest = sum(one.us for one in found.unjoined if one.file == "int8")
    assert layers + moved + rest == pytest.approx(net.profiles[form].operators_us)
    assert layers + moved + rest <= found.int8_us * 1.001 <= found.int8_p50_us * 1.001
    fp32 = sum(one.fp32_us or 0.0 for one in found.layers) + found.reorders_fp32_us
    assert fp32 == pytest.approx(net.profile.operators_us)
    assert found.unjoined == ()


def test_layers_are_joined_by_their_weights_where_every_name_is_another(net, tmp_path):
    """As of a tool that names nothing as the fp32 file does."""
    loaded = onnx.load(net.paths["u8s8"])
    ends = {one.name for one in (*loaded.graph.input, *loaded.graph.output)}
    for node in loaded.graph.node:
        node.name = ""
        for names in (node.input, node.output):
            names[:] = [one if one in ends or not one else f"q{one[::-1]}" for one in names]
    for tensor in loaded.graph.initializer:
        tensor.name = f"q{tensor.name[::-1]}"
    del loaded.graph.value_info[:]
    path = tmp_path / "renamed.onnx"
    path.write_bytes(loaded.SerializeToString())
    found = profile(path, runs=RUNS)
    layers = [one for one in join(net.profile, found).layers if one.multiplies]
    assert len(layers) == 8
    assert all(one.int8 for one in layers)
    by_names = [one for one in join(net.profile, net.profiles["u8s8"]).layers if one.multiplies]
    for one, named in zip(layers, by_names, strict=True):
        weights = [
            {p.source.nodes[i].weight.name for i in layer.int8_nodes if p.source.nodes[i].weight}
            for p, layer in ((found, one), (net.profiles["u8s8"], named))
        ]
        assert weights[0] == {f"q{name[::-1]}" for name in weights[1]}


def test_a_name_joins_no_layers_whose_weights_differ(net, tmp_path):
    loaded = onnx.load(net.fp32)
    rng = np.random.default_rng(9)
    for tensor in loaded.graph.initializer:
        if tensor.name.endswith("conv1.weight"):
            values = rng.normal(size=tuple(tensor.dims)).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    path = tmp_path / "other.onnx"
    path.write_bytes(loaded.SerializeToString())
    joined = join(profile(path, runs=RUNS), net.profiles["u8s8"])
    found = [len(one.int8) > 0 for one in joined.layers if one.multiplies]
    assert found == [False, False, True, False, True, False, True, True]


# --- findings -----------------------------------------------------------------------------------

QUANTIZED = [("s", np.float32(0.05)), ("z", np.uint8(128)), ("ws", np.float32(0.01))]
QUANTIZED += [("wz", np.int8(0))]


def pair(name):
    """Q and DQ of a tensor."""
    return [
        helper.make_node("QuantizeLinear", [name, "s", "z"], [f"{name}_q"], name=f"{name}_Q"),
        helper.make_node("DequantizeLinear", [f"{name}_q", "s", "z"], [f"{name}_d"]),
    ]


def weight(name):
    return helper.make_node("DequantizeLinear", [name, "ws", "wz"], [f"{name}_d"])


def planted(folder):
    """Two convolutions and a Softplus between Q and DQ; the second is read in float as well."""
    rng = np.random.default_rng(0)
    w = [rng.integers(-100, 100, (8, 8, 3, 3)).astype(np.int8) for _ in range(2)]
    ends = [("x", FLOAT, [1, 8, 10, 10])], [("y", FLOAT, None), ("c2", FLOAT, None)]
    convolve = {"pads": [1, 1, 1, 1]}
    int8 = save(
        folder / "int8.onnx",
        [
            *pair("x"), weight("w1"),
            helper.make_node("Conv", ["x_d", "w1_d"], ["c1"], name="first", **convolve),
            *pair("c1"),
            helper.make_node("Softplus", ["c1_d"], ["t"], name="curve"),
            *pair("t"), weight("w2"),
            helper.make_node("Conv", ["t_d", "w2_d"], ["c2"], name="second", **convolve),
            *pair("c2"),
            helper.make_node("MaxPool", ["c2_d"], ["y"], name="pool", kernel_shape=[2, 2]),
        ],
        *ends,
        [("w1", w[0]), ("w2", w[1]), *QUANTIZED],
    )  # fmt: skip
    fp32 = save(
        folder / "fp32.onnx",
        [
            helper.make_node("Conv", ["x", "v1"], ["c1"], name="first", **convolve),
            helper.make_node("Softplus", ["c1"], ["t"], name="curve"),
            helper.make_node("Conv", ["t", "v2"], ["c2"], name="second", **convolve),
            helper.make_node("MaxPool", ["c2"], ["y"], name="pool", kernel_shape=[2, 2]),
        ],
        *ends,
        [(f"v{i + 1}", one.astype(np.float32) * 0.01) for i, one in enumerate(w)],
    )
    return fp32, int8


@pytest.mark.parametrize(("opset", "ir_version"), [(11, 6), (23, 11)])
def test_a_pair_that_does_not_fuse_is_found_with_its_reason_and_so_is_a_float_island(
    opset, ir_version, tmp_path
):
    paths = planted(tmp_path)
    for path in paths:
        loaded = onnx.load(path)
        loaded.opset_import[0].version, loaded.ir_version = opset, ir_version
        path.write_bytes(loaded.SerializeToString())
    found = diagnose(*paths, processes=1, runs=RUNS)
    (unfused,) = found.unfused
    assert (unfused.name, unfused.op) == ("second", "Conv")
    assert "in float" in unfused.why
    assert unfused.us > 0
    assert "curve" in [one.name for one in found.islands]
    layers = {one.name: one for one in found.layers}
    assert layers["first"].computes == "integers"
    assert layers["first"].kernels == ("QLinearConv",)
    assert layers["second"].computes == "float"
    assert any(
        "1 of 2 layers with weights are computed in float in the int8 file" in sentence
        for sentence in found.why
    )


def test_mixed_activation_types_are_named_as_the_reason(net):
    """onnxruntime's defaults on x86; where all is fused, as on ARM, there is nothing to name."""
    found = conclude(net.profile, net.profiles["s8s8"])
    nodes = net.profiles["s8s8"].optimized.nodes
    floats = [one for one in nodes if one.op == "Conv"]
    assert len(found.unfused) == len(floats)
    assert sum(one.computes == "float" for one in found.layers if one.op == "Conv") == len(floats)
    for one in found.unfused:
        assert "int8" in one.why
        assert "QUInt8" in one.fix


def test_nothing_is_unfused_where_all_layers_fused(net):
    found = conclude(net.profile, net.profiles["u8s8"])
    assert found.unfused == ()
    assert all(one.computes == "integers" for one in found.layers if one.op in ("Conv", "Gemm"))


# --- applying -----------------------------------------------------------------------------------


def test_layers_left_in_float_are_in_float_and_answers_stay_close(net, tmp_path):
    for form in ("s8s8", "u8s8"):
        layers = [one.name for one in onnx.load(net.fp32).graph.node if one.op_type == "Conv"]
        target = tmp_path / f"{form}.onnx"
        chosen = layers[1:6:2]
        assert leave_in_float(net.paths[form], net.fp32, chosen, target) == 3
        onnx.checker.check_model(onnx.load(target))
        found = conclude(net.profile, profile(target, runs=RUNS))
        computes = {one.name: one.computes for one in found.layers}
        assert {computes[name] for name in chosen} == {"float"}
        if form == "u8s8":
            assert {computes[name] for name in set(layers) - set(chosen)} == {"integers"}
        # Not quantized again by the runtime: their weights are float, stored, and read as such.
        assert not {one.name for one in found.unfused} & set(chosen)
        true, was, now = (
            answers(path, **{INPUT: net.x}) for path in (net.fp32, net.paths[form], target)
        )
        assert signal_to_noise_db(true, now) > signal_to_noise_db(true, was) - 3
        assert signal_to_noise_db(true, now) > 20


def test_with_every_operator_in_float_the_fp32_answers_come_back(net, tmp_path):
    """And with them each Relu that the quantizer had dropped."""
    for form in ("s8s8", "u8s8"):
        graph = onnx.load(net.paths[form]).graph
        made = {name: node for node in graph.node for name in node.output}
        names = [
            node.name
            for node in graph.node
            if not node.op_type.endswith("eLinear")
            and any(n in made and made[n].op_type == "DequantizeLinear" for n in node.input)
        ]
        target = tmp_path / f"{form}.onnx"
        leave_in_float(net.paths[form], net.fp32, names, target)
        left = [node.op_type for node in onnx.load(target).graph.node]
        assert left.count("QuantizeLinear") == left.count("DequantizeLinear") == 0
        true, now = (answers(path, **{INPUT: net.x}) for path in (net.fp32, target))
        assert np.allclose(true, now, atol=1e-4 * np.abs(true).max())


def test_leaving_in_float_drops_what_nothing_reads_and_keeps_inputs_and_outputs(tmp_path):
    fp32, int8 = planted(tmp_path)
    target = tmp_path / "mixed.onnx"
    leave_in_float(int8, fp32, ["second"], target)
    loaded, before = onnx.load(target), onnx.load(int8)
    stored = {one.name for one in loaded.graph.initializer}
    read = {name for node in loaded.graph.node for name in node.input}
    assert stored <= read
    assert "w2" not in stored
    assert {"w1", "v2"} <= stored
    assert [one.name for one in loaded.graph.output] == [one.name for one in before.graph.output]
    x = np.random.default_rng(1).normal(size=(1, 8, 10, 10)).astype(np.float32)
    assert np.abs(answers(target, x=x) - answers(int8, x=x)).max() < 0.2


# --- refusals -----------------------------------------------------------------------------------


def test_two_files_that_are_not_the_same_model_are_refused(net, tmp_path):
    fp32, int8 = planted(tmp_path)
    with pytest.raises(ModelError, match="inputs 'x'") as refusal:
        conclude(net.profile, profile(int8, runs=RUNS))
    assert INPUT in refusal.value.expected
    loaded = onnx.load(fp32)
    for index in (0, 1):
        values = np.random.default_rng(index + 5).normal(size=(8, 8, 3, 3)).astype(np.float32)
        loaded.graph.initializer[index].CopyFrom(
            onnx.numpy_helper.from_array(values, f"v{index + 1}")
        )
    fp32.write_bytes(loaded.SerializeToString())
    with pytest.raises(ModelError, match="2 layers of which none has the weights") as refusal:
        diagnose(fp32, int8, processes=1, runs=RUNS)
    assert refusal.value.exit_code == 3
    assert refusal.value.where == str(int8)


def test_a_file_that_is_not_quantized_and_one_that_should_not_be_are_refused(tmp_path):
    fp32, int8 = planted(tmp_path)
    with pytest.raises(ModelError, match="expected a quantized model; give the fp32 file first"):
        diagnose(fp32, fp32, processes=1, runs=RUNS)
    with pytest.raises(ModelError, match="expected a model in float") as refusal:
        diagnose(int8, fp32, processes=1, runs=RUNS)
    assert refusal.value.where == str(int8)


def test_names_and_forms_that_cannot_be_left_in_float_are_refused(net, tmp_path):
    target = tmp_path / "out.onnx"
    (conv, *_) = [one.name for one in onnx.load(net.fp32).graph.node if one.op_type == "Conv"]
    with pytest.raises(UsageError, match="0 operators named 'nothing'"):
        leave_in_float(net.paths["u8s8"], net.fp32, ["nothing"], target)
    with pytest.raises(NoEffectError, match="no layer named"):
        leave_in_float(net.paths["u8s8"], net.fp32, [], target)
    with pytest.raises(ModelError, match="a QLinearConv that reads no DequantizeLinear"):
        leave_in_float(net.paths["qlinear"], net.fp32, [f"{conv}_quant"], target)
    fp32, _ = planted(tmp_path)
    with pytest.raises(ModelError, match=f"no weights for '{conv}'"):
        leave_in_float(net.paths["u8s8"], fp32, [conv], target)
    with pytest.raises(ModelError, match=r"none\.onnx: no such file"):
        leave_in_float(tmp_path / "none.onnx", fp32, [conv], target)
    assert not target.exists()


# --- the command --------------------------------------------------------------------------------


def edgestill(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "edgestill", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_command_explains_applies_and_measures_again(tmp_path):
    fp32, int8 = planted(tmp_path)
    target = tmp_path / "mixed.onnx"
    measure = ("--apply", target, "--leave", "second", "--processes", 1, "--seconds", 0.01)
    done = edgestill("explain", fp32, int8, *measure, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["int8_us"] > 0
    assert told["applied"]["nodes"] == ["second"]
    assert told["applied"]["over_int8"]["value"] > 0
    assert told["applied"]["int8_over_fp32"]["value"] > 0
    assert "was shown" in told["applied"]["verdict"]  # one process gives no interval
    assert target.is_file()


@pytest.mark.parametrize(
    ("arguments", "refusal", "says"),
    [
        (("fp32.onnx", "none.onnx"), ModelError, "none.onnx: no such file"),
        (("fp32.onnx", "fp32.onnx", "--leave", "a"), UsageError, "--apply OUT.onnx"),
        (("fp32.onnx", "fp32.onnx", "--shape", "x"), UsageError, "--shape"),
        (("fp32.onnx", "int8.onnx", "--apply", "int8.onnx"), UsageError, "one of the two models"),
        (
            ("fp32.onnx", "int8.onnx", "--apply", "no/o.onnx"),
            StorageError,
            "no: the folder cannot",
        ),
    ],
)
def test_the_command_refuses(arguments, refusal, says, tmp_path, monkeypatch):
    planted(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(refusal) as refused:
        cli.main(["explain", *arguments], standalone_mode=False, obj=Invocation())
    assert says in str(refused.value)


def test_names_in_models_reach_no_terminal_as_they_are_and_the_summary_says_what_was_found(net):
    found = conclude(net.profile, net.profiles["u8s8"])
    layers = (replace(found.layers[0], name="a\x1b[31mb\nc"), *found.layers[1:])
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(summary(replace(found, layers=layers), verbose=True))
    text = console.export_text(styles=False)
    assert "\x1b" not in text
    for sentence in found.why:
        assert sentence in text
    assert Explained("a", "b", found, None).to_dict()["applied"] is None
    assert asdict(found)["layers"][0]["name"] == found.layers[0].name


def test_a_verdict_claims_no_more_than_the_intervals_do():
    def ratio(low, high):
        return Estimate((low + high) / 2, low, high, "", 9)

    faster, slower, open_ = ratio(0.7, 0.9), ratio(1.1, 1.3), ratio(0.9, 1.1)
    assert "model is faster; it is slower than" in verdict(faster, slower)
    assert "model is slower; it is faster than" in verdict(slower, faster)
    assert verdict(open_, open_).count("was shown") == 2
    assert verdict(Estimate.unknown("one process"), open_).count("was shown") == 2
