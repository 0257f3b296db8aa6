"""A module of the user's in a plan: it is made and answers two samples, as the trial begins.

>>> tried(inputs, record)                                               # doctest: +SKIP
ModelError: model net:student: failed with TypeError: …
"""

from importlib.util import find_spec

from ..records import DataRecord
from .inputs import TrialInputs

WITHOUT_TORCH = "not tried in this plan, which lacks torch: pip install 'edgestill[train]'"
TOO_LARGE = "not tried in this plan: the data are too large to be read for it"


def tried(inputs: TrialInputs, data: DataRecord | None) -> str | None:
    """Make the module and let it answer; nothing is trained or exported.

    Args:
        inputs: of the trial stage.
        data: what is known of the data; None: they are too large to be read.

    Returns:
        Why it was left out; None: it was not.

    Raises:
        ModelError: as the trial stage.
    """
    if find_spec("torch") is None:
        return WITHOUT_TORCH
    if data is None:
        return TOO_LARGE
    from ..models import build
    from ..models.signature import signature

    build(inputs.architecture, signature(data))
    return None
