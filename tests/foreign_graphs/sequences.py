"""Transformers and recurrent nets as exporters write them."""

import numpy as np
from onnx import TensorProto

from .building import SAMPLES, drawn, foreign, ints, node, normal, weights

INT64 = TensorProto.INT64
SLOTS, WIDTH, HEADS = 8, 32, 2


def _spelled_norm(taken, name):
    """LayerNormalization in primitives, as opsets before 17 have it; writes `name`."""
    p = f"{name}/"
    return [
        node("ReduceMean", [taken], [f"{p}mean"], axes=[-1]),
        node("Sub", [taken, f"{p}mean"], [f"{p}apart"]),
        node("Pow", [f"{p}apart", "two"], [f"{p}squares"]),
        node("ReduceMean", [f"{p}squares"], [f"{p}variance"], axes=[-1]),
        node("Add", [f"{p}variance", "epsilon"], [f"{p}kept"]),
        node("Sqrt", [f"{p}kept"], [f"{p}deviation"]),
        node("Div", [f"{p}apart", f"{p}deviation"], [f"{p}normal"]),
        node("Mul", [f"{p}normal", "scale"], [f"{p}scaled"]),
        node("Add", [f"{p}scaled", "shift"], [name]),
    ]


def _erf_gelu(taken, name):
    """GELU as torch exports it; writes `name`."""
    p = f"{name}/"
    return [
        node("Div", [taken, "root"], [f"{p}d"]),
        node("Erf", [f"{p}d"], [f"{p}e"]),
        node("Add", [f"{p}e", "one"], [f"{p}a"]),
        node("Mul", [taken, f"{p}a"], [f"{p}m"]),
        node("Mul", [f"{p}m", "half"], [name]),
    ]


def _tanh_gelu(taken, name):
    """GELU as GPT-2 and Keras write it; writes `name`."""
    p = f"{name}/"
    return [
        node("Pow", [taken, "three"], [f"{p}cube"]),
        node("Mul", [f"{p}cube", "c"], [f"{p}small"]),
        node("Add", [taken, f"{p}small"], [f"{p}sum"]),
        node("Mul", [f"{p}sum", "s"], [f"{p}inner"]),
        node("Tanh", [f"{p}inner"], [f"{p}t"]),
        node("Add", [f"{p}t", "one"], [f"{p}a"]),
        node("Mul", [taken, f"{p}a"], [f"{p}m"]),
        node("Mul", [f"{p}m", "half"], [name]),
    ]


def _numbers():
    return {
        "two": np.float32(2), "epsilon": np.float32(1e-5), "root": np.float32(np.sqrt(2)),
        "one": np.float32(1), "half": np.float32(0.5), "three": np.float32(3),
        "c": np.float32(0.044715), "s": np.float32(np.sqrt(2 / np.pi)),
        "scale": np.full(WIDTH, 1.5, np.float32), "shift": np.full(WIDTH, 0.1, np.float32),
        "rows": ints(0, 0, HEADS, WIDTH // HEADS), "back": ints(0, 0, WIDTH),
        "by": np.float32(np.sqrt(WIDTH / HEADS)),
    }  # fmt: skip


def _attention(taken, name, mask):
    """Attention in primitives with a mask to add; writes `name`."""
    nodes = []
    for part, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        nodes += [
            node("MatMul", [taken, part], [f"{part}0"]),
            node("Add", [f"{part}0", f"{part}b"], [f"{part}1"]),
            node("Reshape", [f"{part}1", "rows"], [f"{part}2"]),
            node("Transpose", [f"{part}2"], [f"{part}3"], perm=perm),
        ]
    return [
        *nodes,
        node("MatMul", ["q3", "k3"], ["products"]),
        node("Div", ["products", "by"], ["scores"]),
        node("Add", ["scores", mask], ["masked"]),
        node("Softmax", ["masked"], ["shares"], axis=-1),
        node("MatMul", ["shares", "v3"], ["mixed"]),
        node("Transpose", ["mixed"], ["turned"], perm=[0, 2, 1, 3]),
        node("Reshape", ["turned", "back"], ["joined"]),
        node("MatMul", ["joined", "o"], ["out"]),
        node("Add", ["out", "ob"], [name]),
    ]


def _projections(random):
    stored = {part: weights(random, WIDTH, WIDTH) for part in "qkvo"}
    return stored | {f"{part}b": normal(random, WIDTH) * np.float32(0.1) for part in "qkvo"}


def _ids(random):
    return random.integers(1, 50, (SAMPLES, SLOTS))


def encoder_with_a_mask(lowest=-np.inf):
    """BERT of opset 13: ids and a mask of int64, -inf for padding, all spelled out."""
    random = drawn()
    stored = _numbers() | _projections(random) | {
        "table": normal(random, 50, WIDTH), "axes": ints(1, 2), "lowest": np.float32(lowest),
        "zero": np.float32(0), "none": np.int64(0), "f1": weights(random, WIDTH, 64),
        "f2": weights(random, 64, WIDTH), "last": weights(random, WIDTH, 4), "first": np.int64(0),
    }  # fmt: skip
    nodes = [
        node("Gather", ["table", "input_ids"], ["e"]),
        *_spelled_norm("e", "x0"),
        node("Unsqueeze", ["attention_mask", "axes"], ["spread"]),
        node("Equal", ["spread", "none"], ["padding"]),
        node("Where", ["padding", "lowest", "zero"], ["bias"]),
        *_attention("x0", "attended", "bias"),
        node("Add", ["attended", "x0"], ["x1"]),
        *_spelled_norm("x1", "x2"),
        node("MatMul", ["x2", "f1"], ["inner"]),
        *_erf_gelu("inner", "active"),
        node("MatMul", ["active", "f2"], ["outer"]),
        node("Add", ["outer", "x2"], ["x3"]),
        *_spelled_norm("x3", "x4"),
        node("Gather", ["x4", "first"], ["cls"], axis=1),
        node("MatMul", ["cls", "last"], ["logits"]),
    ]
    ends = dict.fromkeys(("input_ids", "attention_mask"), (INT64, ["N", "T"]))
    mask = (np.arange(SLOTS) < random.integers(2, SLOTS + 1, (SAMPLES, 1))).astype(np.int64)
    feeds = {"input_ids": _ids(random), "attention_mask": mask}
    return foreign(nodes, ends, {"logits": ["N", 4]}, stored, feeds=feeds, opset=13, ir_version=7)


def encoder_with_a_large_mask():
    """The same with the smallest float32 for padding, as Hugging Face writes it."""
    return encoder_with_a_mask(float(np.finfo(np.float32).min))


def causal_decoder():
    """GPT: a stored triangle of -inf, positions by Range, tanh GELU, logits of each token."""
    random = drawn()
    triangle = np.triu(np.full((SLOTS, SLOTS), -np.inf, np.float32), 1)[None, None]
    stored = _numbers() | _projections(random) | {
        "table": normal(random, 50, WIDTH),
        "places": normal(random, SLOTS, WIDTH) * np.float32(0.1),
        "triangle": triangle, "f1": weights(random, WIDTH, 64), "f2": weights(random, 64, WIDTH),
        "start": np.int64(0), "step": np.int64(1), "axis": np.int64(1),
        "wte": weights(random, WIDTH, 50),
    }  # fmt: skip
    nodes = [
        node("Gather", ["table", "input_ids"], ["e"]),
        node("Shape", ["input_ids"], ["shape"]),
        node("Gather", ["shape", "axis"], ["length"]),
        node("Range", ["start", "length", "step"], ["slots"]),
        node("Gather", ["places", "slots"], ["p"]),
        node("Add", ["e", "p"], ["x0"]),
        *_spelled_norm("x0", "n0"),
        *_attention("n0", "attended", "triangle"),
        node("Add", ["attended", "x0"], ["x1"]),
        *_spelled_norm("x1", "n1"),
        node("MatMul", ["n1", "f1"], ["inner"]),
        *_tanh_gelu("inner", "active"),
        node("MatMul", ["active", "f2"], ["outer"]),
        node("Add", ["outer", "x1"], ["x2"]),
        node("MatMul", ["x2", "wte"], ["logits"]),
    ]
    return foreign(
        nodes, {"input_ids": (INT64, ["N", SLOTS])}, {"logits": ["N", SLOTS, 50]}, stored,
        feeds={"input_ids": _ids(random)},
    )  # fmt: skip


def root_mean_square_norm():
    """Llama: RMSNorm in primitives and a gate of SiLU; rows of very different size."""
    random = drawn()
    stored = _numbers() | {
        "g": weights(random, WIDTH, 64), "u": weights(random, WIDTH, 64),
        "d": weights(random, 64, WIDTH),
        "last": weights(random, WIDTH, 10),
    }  # fmt: skip
    nodes = [
        node("Pow", ["x", "two"], ["squares"]),
        node("ReduceMean", ["squares"], ["mean"], axes=[-1]),
        node("Add", ["mean", "epsilon"], ["kept"]),
        node("Sqrt", ["kept"], ["rms"]),
        node("Reciprocal", ["rms"], ["inverse"]),
        node("Mul", ["x", "inverse"], ["n"]),
        node("Mul", ["n", "scale"], ["h"]),
        node("MatMul", ["h", "g"], ["gate"]),
        node("Sigmoid", ["gate"], ["open"]),
        node("Mul", ["gate", "open"], ["silu"]),
        node("MatMul", ["h", "u"], ["up"]),
        node("Mul", ["silu", "up"], ["both"]),
        node("MatMul", ["both", "d"], ["down"]),
        node("Add", ["down", "h"], ["r"]),
        node("MatMul", ["r", "last"], ["y"]),
    ]
    x = normal(random, SAMPLES, SLOTS, WIDTH)
    x[:, 0] *= 50
    return foreign(nodes, {"x": ["N", SLOTS, WIDTH]}, {"y": None}, stored, feeds={"x": x})


def layer_norm_spelled_out(spelled=True):
    """Rows of very different size through LayerNormalization in primitives."""
    random = drawn()
    stored = _numbers() | {"w": weights(random, 16, WIDTH), "last": weights(random, WIDTH, 10)}
    norm = node("LayerNormalization", ["a", "scale", "shift"], ["n"], axis=-1)
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        *(_spelled_norm("a", "n") if spelled else [norm]),
        node("MatMul", ["n", "last"], ["o"]),
        node("ReduceMean", ["o"], ["y"], axes=[1], keepdims=0),
    ]
    if not spelled:
        stored = {name: stored[name] for name in ("w", "last", "scale", "shift")}
    x = normal(random, SAMPLES, SLOTS, 16)
    x[:, 0] *= 50
    return foreign(nodes, {"x": ["N", SLOTS, 16]}, {"y": ["N", 10]}, stored, feeds={"x": x})


def layer_norm_operator():
    """The same as one operator."""
    return layer_norm_spelled_out(spelled=False)


def mask_over_scores():
    """A stored mask of -inf between a layer and its softmax."""
    random = drawn()
    stored = {
        "w": weights(random, 64, 16), "mask": np.array([0] * 12 + [-np.inf] * 4, np.float32),
        "last": weights(random, 16, 10),
    }  # fmt: skip
    nodes = [
        node("MatMul", ["x", "w"], ["l"]),
        node("Add", ["l", "mask"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("MatMul", ["p", "last"], ["y"]),
    ]
    feeds = {"x": normal(random, SAMPLES, 64)}
    return foreign(nodes, {"x": ["N", 64]}, {"y": ["N", 10]}, stored, feeds=feeds)


def silu_chain(blocks=12):
    """Sigmoid and Mul, one block behind another: diamonds without a weight between them."""
    random = drawn()
    nodes, name = [], "x"
    for i in range(blocks):
        nodes += [node("Sigmoid", [name], [f"s{i}"]), node("Mul", [name, f"s{i}"], [f"m{i}"])]
        name = f"m{i}"
    nodes.append(node("MatMul", [name, "w"], ["y"]))
    feeds = {"x": normal(random, SAMPLES, 64) * 4}
    return foreign(
        nodes, {"x": ["N", 64]}, {"y": None}, {"w": weights(random, 64, 10)}, feeds=feeds
    )


def scattered_and_gathered():
    """GatherND, ScatterND, GatherElements, Tile, Expand and CumSum around a layer."""
    random = drawn()
    stored = {
        "w": weights(random, WIDTH, WIDTH), "last": weights(random, WIDTH, 10),
        "where": ints(0, 2)[:, None],
        "spread": ints(1, 2, WIDTH), "update": normal(random, 2, WIDTH), "turn": ints(1),
        "times": ints(1, 1, 2),
        "pick": np.tile(ints(*range(WIDTH))[::-1], (1, SLOTS, 1)), "shape": ints(1, SLOTS, WIDTH),
        "halves": ints(WIDTH, WIDTH), "axis": np.int64(1),
    }  # fmt: skip
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Transpose", ["a"], ["t"], perm=[1, 0, 2]),
        node("Reshape", ["update", "one_row"], ["u"]),
        node("ScatterND", ["t", "where", "u"], ["s"]),
        node("Transpose", ["s"], ["b"], perm=[1, 0, 2]),
        node("GatherElements", ["b", "pick"], ["g"], axis=2),
        node("Tile", ["g", "times"], ["d"]),
        node("Split", ["d", "halves"], ["l", "r"], axis=2),
        node("CumSum", ["l", "axis"], ["c"]),
        node("Add", ["c", "r"], ["e"]),
        node("ReduceMax", ["e"], ["m"], axes=[1], keepdims=0),
        node("MatMul", ["m", "last"], ["y"]),
    ]
    stored["one_row"] = ints(2, 1, WIDTH)
    for name in ("spread", "turn", "shape"):
        del stored[name]
    feeds = {"x": normal(random, SAMPLES, SLOTS, WIDTH)}
    return foreign(nodes, {"x": [1, SLOTS, WIDTH]}, {"y": [1, 10]}, stored, feeds=feeds)


def voice_detector():
    """Silero: one sample, an LSTM whose states are [2, N, H], the sampling rate as a scalar."""
    random = drawn()
    stored = {
        "w": weights(random, 16, 1, 16), "lw": weights(random, 1, 64, 16) * 0.3,
        "lr": weights(random, 1, 64, 16) * 0.3,
        "lb": normal(random, 1, 128) * np.float32(0.1), "d": weights(random, 1, 16, 1),
        "one": ints(1),
        "both": ints(1, 1), "rate": np.float32(16000), "axes0": ints(0), "tail": ints(0, -1),
    }  # fmt: skip
    nodes = [
        node("Cast", ["sr"], ["srf"], to=TensorProto.FLOAT),
        node("Div", ["srf", "rate"], ["factor"]),
        node("Mul", ["input", "factor"], ["at"]),
        node("Unsqueeze", ["at", "one"], ["wave"]),
        node("Conv", ["wave", "w"], ["c"], strides=[16]),
        node("Relu", ["c"], ["r"]),
        node("Transpose", ["r"], ["steps"], perm=[2, 0, 1]),
        node("Split", ["state", "both"], ["h0", "c0"], axis=0),
        node(
            "LSTM", ["steps", "lw", "lr", "lb", "", "h0", "c0"], ["all", "h1", "c1"], hidden_size=16
        ),
        node("Concat", ["h1", "c1"], ["state_out"], axis=0),
        node("Squeeze", ["all", "one"], ["seq"]),
        node("Transpose", ["seq"], ["maps"], perm=[1, 2, 0]),
        node("Conv", ["maps", "d"], ["s"]),
        node("ReduceMean", ["s"], ["m"], axes=[2], keepdims=0),
        node("Sigmoid", ["m"], ["output"]),
    ]
    for name in ("axes0", "tail"):
        del stored[name]
    ends = {"input": ["N", 64], "state": [2, "N", 16], "sr": (INT64, [])}
    feeds = {
        "input": normal(random, SAMPLES, 64), "state": normal(random, 2, SAMPLES, 16),
        "sr": np.array(16000, np.int64),
    }  # fmt: skip
    stored = {k: np.asarray(v, v.dtype) for k, v in stored.items()}
    stored["lw"], stored["lr"] = stored["lw"].astype(np.float32), stored["lr"].astype(np.float32)
    made = foreign(
        nodes, ends, {"output": ["N", 1], "state_out": [2, "N", 16]}, stored, feeds=feeds
    )
    return made._replace(batch_axis={"state": 1, "sr": None})


def tagger_with_lengths():
    """A bidirectional GRU over ids, with the length of each text as an input."""
    random = drawn()
    stored = {
        "table": normal(random, 50, 16), "w": weights(random, 2, 48, 16) * np.float32(0.3),
        "r": weights(random, 2, 48, 16) * np.float32(0.3),
        "b": normal(random, 2, 96) * np.float32(0.1),
        "shape": ints(0, 0, 32), "last": weights(random, 32, 6),
    }  # fmt: skip
    nodes = [
        node("Gather", ["table", "ids"], ["e"]),
        node("Transpose", ["e"], ["steps"], perm=[1, 0, 2]),
        node(
            "GRU",
            ["steps", "w", "r", "b", "lengths"],
            ["all"],
            hidden_size=16,
            direction="bidirectional",
        ),
        node("Transpose", ["all"], ["t"], perm=[2, 0, 1, 3]),
        node("Reshape", ["t", "shape"], ["flat"]),
        node("MatMul", ["flat", "last"], ["y"]),
    ]
    ends = {"ids": (INT64, ["N", "T"]), "lengths": (TensorProto.INT32, ["N"])}
    feeds = {
        "ids": _ids(random),
        "lengths": random.integers(1, SLOTS + 1, SAMPLES).astype(np.int32),
    }
    return foreign(nodes, ends, {"y": None}, stored, feeds=feeds)


def decoder_with_a_cache():
    """A decoder's step: keys of the past are an input [N, past, width], at first of length 0."""
    random = drawn()
    stored = {
        "q": weights(random, WIDTH, WIDTH), "k": weights(random, WIDTH, WIDTH),
        "last": weights(random, WIDTH, 10),
    }  # fmt: skip
    nodes = [
        node("MatMul", ["x", "q"], ["query"]),
        node("MatMul", ["x", "k"], ["key"]),
        node("Concat", ["past", "key"], ["present"], axis=1),
        node("Transpose", ["present"], ["keys"], perm=[0, 2, 1]),
        node("MatMul", ["query", "keys"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("MatMul", ["p", "present"], ["c"]),
        node("MatMul", ["c", "last"], ["y"]),
    ]
    feeds = {
        "x": normal(random, SAMPLES, 1, WIDTH), "past": np.zeros((SAMPLES, 0, WIDTH), np.float32),
    }  # fmt: skip
    ends = {"x": ["N", 1, WIDTH], "past": ["N", "P", WIDTH]}, {"y": None, "present": None}
    return foreign(nodes, *ends, stored, feeds=feeds)


GRAPHS = [
    encoder_with_a_mask,
    encoder_with_a_large_mask,
    causal_decoder,
    root_mean_square_norm,
    layer_norm_spelled_out,
    layer_norm_operator,
    mask_over_scores,
    silu_chain,
    scattered_and_gathered,
    voice_detector,
    tagger_with_lengths,
    decoder_with_a_cache,
]
