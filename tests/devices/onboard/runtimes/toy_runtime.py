"""A runtime in one module: a file of JSON holds a matrix, numpy multiplies by it."""

import json

import numpy as np
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.runtimes import RUNTIMES, Row
from edgestill.errors import ModelError

NAME = "toy"


def register():
    RUNTIMES["toy"] = Row(
        module=__name__,
        package="numpy",
        suffixes=(".json",),
        options=frozenset(),
        files_beside=lambda path: (),
    )


def version():
    return "0.1"


def providers():
    return ("numpy",)


class Matrix:
    def __init__(self, weights):
        self.weights = np.asarray(weights, np.float32)
        self.inputs = (Input("x", "tensor(float)", ("n", len(self.weights))),)
        self.outputs = (Input("y", "tensor(float)", ("n", self.weights.shape[1])),)
        self.providers = providers()

    def query(self, feed):
        return [feed["x"] @ self.weights]

    answer = query


def load(path, session):
    try:
        return Matrix(json.loads(path.read_text())["weights"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"no matrix ({error})", where=str(path)) from None
