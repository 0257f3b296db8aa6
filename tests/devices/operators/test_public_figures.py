"""What Arm publishes of a Raspberry Pi 5, held against what is predicted for it.

``public_operators.json`` has operators as ``tests/bench/bench_public.py`` timed them on a busy
host, the fastest of three processes: family, type, microseconds, calls, operations and bytes of
each. The threads of the published figures are not said, so each is held against one and all four.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from edgestill.devices.operators.prediction import THREADS_EFFICIENCY, Timed, predict
from edgestill.devices.operators.roofline import Bounds, Machine, Work, machine_of
from edgestill.devices.profiles.profile import load

TIMED = json.loads(Path(__file__).with_name("public_operators.json").read_text())
BOARD = machine_of(load("raspberry-pi-5"))
HOST = Machine(**TIMED["host"], cores=1)
PUBLISHED_MS = {
    "googlenet fp32": 90.77,
    "googlenet int8": 25.33,
    "ultraface_rfb_320 fp32": 13.26,
    "ultraface_rfb_320 int8": 6.66,
}
"""huggingface.co/Arm: googlenet-int8-xnnpack-executorch-raspberrypi5 (ExecuTorch; the float figure
is its baseline) and ultraface-rfb-320-onnx-raspberry (ONNX Runtime; 1.99 times the int8 figure)."""
GMACS = {
    ("googlenet", "fp32"): (1.498, 90.77),
    ("googlenet", "int8"): (1.498, 25.33),
    ("ultraface_rfb_320", "fp32"): (0.1, 13.26),
    ("ultraface_rfb_320", "int8"): (0.1, 6.66),
    ("resnet18", "fp32"): (1.814, 31.6),
    ("resnet18", "int8"): (1.814, 8.751),
    ("resnet50", "int8"): (4.089, 20.64),
    ("wide_resnet50_2", "fp32"): (11.398, 292.05),
    ("wide_resnet50_2", "int8"): (11.398, 49.43),
    ("inception_v3", "int8"): (5.713, 113.11),
}
"""10^9 multiply-accumulates of the nets, and the milliseconds that are published of them."""
ON_SEVERAL_CORES = {
    ("resnet18", "fp32"),
    ("resnet18", "int8"),
    ("resnet50", "int8"),
    ("wide_resnet50_2", "fp32"),
    ("wide_resnet50_2", "int8"),
}
"""Faster than the peak of one core."""


def predicted(name, threads):
    """Milliseconds on the board: the prediction and the ends of its band."""
    timed = [
        Timed(family, us, calls, Work(kind, operations, moved))
        for family, kind, us, calls, operations, moved in TIMED["nets"][name]
    ]
    found = predict(timed, Bounds(HOST, HOST, HOST), BOARD, threads=threads)
    here = sum(operator.us for operator in timed) / 1e3
    return here * found.ratio, here * found.low, here * found.high


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("name", PUBLISHED_MS)
def test_what_is_published_of_the_board_lies_in_the_band(name, threads, figure):
    value, low, high = predicted(name, threads)
    figure(f"{name}, {threads} threads: {value:.3g} ms ({low:.3g} to {high:.3g})")
    assert low <= PUBLISHED_MS[name] <= high


def test_cores_that_were_not_tried_may_gain_nothing_or_all():
    one, four = (predicted("ultraface_rfb_320 fp32", threads) for threads in (1, 4))
    assert four[0] < one[0] / 1.5
    # A net of small operators is slower on four cores than 0.8 of each of them would make it.
    assert PUBLISHED_MS["ultraface_rfb_320 fp32"] > 2 * four[0]
    assert four[2] / four[0] > 1.2 * one[2] / one[0]
    assert four[0] / four[1] > one[0] / one[1]


@pytest.mark.parametrize(("net", "numbers"), GMACS)
def test_no_published_figure_is_faster_than_the_roof_of_the_board(net, numbers):
    gmacs, ms = GMACS[net, numbers]
    peak = BOARD.value.fp32_op_s if numbers == "fp32" else BOARD.value.int8_op_s
    on_one_core = 2e9 * gmacs / peak * 1e3
    assert (ms < on_one_core) == ((net, numbers) in ON_SEVERAL_CORES)
    # Nor than the part of four cores that is assumed to be used.
    assert ms > on_one_core / (4 * THREADS_EFFICIENCY)


def test_a_host_with_as_many_cores_leaves_no_doubt_about_them():
    same = replace(HOST, cores=4)
    timed = [Timed("Conv", 400.0, 0.0, Work("float32", 2e6, 1e3))]
    tried = predict(timed, Bounds(same, same, same), Bounds(same, same, same), threads=4)
    alone = predict(timed, Bounds(same, same, same), Bounds(same, same, same), threads=1)
    assert (tried.low, tried.high) == pytest.approx((alone.low, alone.high))
