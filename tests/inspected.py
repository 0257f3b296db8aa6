"""What inspecting a model would have found, without the process that inspects it.

request = Request([Subject("m", path)], Settings(), out, inspections={path: inspected(path)})
"""

from edgestill.devices.bench.inspection import Inspection
from edgestill.devices.onboard.model.modelfile import Input

PORT = Input("x", "tensor(float)", ("n", 8))


def inspected(path, inputs=(PORT,), **fields):
    return Inspection(
        **{
            "path": path,
            "format": "onnx",
            "inputs": tuple(inputs),
            "outputs": (Input("y", "tensor(float)", ("n", 8)),),
            "cost": None,
            "cost_missing": "not counted",
            "external_files": (),
            "file_bytes": 1,
            "runtime": "fake 1.0",
            **fields,
        }
    )
