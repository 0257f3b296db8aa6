"""Which extra brings a library that not every command needs.

>>> str(missing("torchao"))                                     # doctest: +SKIP
"torchao is not installed; pip install 'edgestill[qat]'"

`pip install edgestill` is enough to measure, judge, quantize and hand over; `edgestill[train]`
brings what trains and exports.
"""

from importlib.util import find_spec

from ...errors import HostError

EXTRAS = {
    "torch": ("train", "torch"),
    "onnxscript": ("train", "onnxscript"),
    "safetensors": ("train", "safetensors"),
    "scipy": ("train", "scipy"),
    "sklearn": ("train", "scikit-learn"),
    "torchao": ("qat", "torchao"),
    "optuna": ("search", "optuna"),
    "obstore": ("store", "obstore"),
    "ray": ("ray", "ray"),
    "mlflow": ("mlflow", "mlflow-skinny"),
    "sqlalchemy": ("mlflow", "sqlalchemy"),
    "tensorboardX": ("tensorboard", "tensorboardX"),
}
"""By a library's name for import: its extra, and its name for pip."""
BY_PIP = {pip: name for name, (_, pip) in EXTRAS.items()}
"""The name for import by that for pip."""


def is_known(library: str) -> bool:
    """Whether an extra brings a library of this name, for import or for pip."""
    return library in EXTRAS or library in BY_PIP


def missing(library: str) -> HostError:
    """The error where a library is not installed; it names all that the same extra would bring.

    Args:
        library: its name for import or for pip.
    """
    extra, own = EXTRAS[BY_PIP.get(library, library)]
    gone = {own: None} | {
        pip: None for name, (its, pip) in EXTRAS.items() if its == extra and find_spec(name) is None
    }
    *most, last = gone
    names = f"{', '.join(most)} and {last} are" if most else f"{last} is"
    return HostError(f"{names} not installed", fix=f"pip install 'edgestill[{extra}]'")
