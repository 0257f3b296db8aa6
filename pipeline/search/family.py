"""The candidates for a student: families, depths and widths that suit the samples.

>>> [one.width for one in architectures(Search(models=("mlp1",), widths=(16, 32)), data)]
[16, 32]
"""

from collections.abc import Iterator

from ...errors import RecipeError
from ..recipe.architecture import Architecture
from ..recipe.model_names import FAMILIES, family_and_depth
from ..recipe.search import Search
from ..records import DataRecord, Layout

_WIDTHS: dict[str, tuple[int, ...]] = {
    "mlp": (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512),
    "resnet": (4, 6, 8, 12, 16, 24, 32, 48, 64),
    "mobilenet": (4, 6, 8, 12, 16, 24, 32, 48),
    "dscnn": (8, 12, 16, 24, 32, 48, 64, 96, 128, 172),
    "conv1d": (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128),
    "transformer": (32, 64, 96, 128, 192, 256),
    "dan": (8, 12, 16, 24, 32, 48, 64, 96, 128),
}
"""Widths of a family; the next one has at most 2.3 times the weights of a convolution, but for
transformers, whose heads have 32 units."""
_IMAGES = ("resnet8", "resnet14", "mobilenet3", "mobilenet6")
_MODELS: dict[Layout, tuple[str, ...]] = {
    "table": ("mlp1", "mlp2", "mlp3"),
    "hw": _IMAGES,
    "hwc": _IMAGES,
    "chw": _IMAGES,
    "tc": ("conv1d2", "conv1d3", "conv1d4"),
    "tokens": ("dan1", "dan2", "transformer1", "transformer2", "transformer4"),
}
"""Models to choose from, by the layout of the samples."""
_SMALL = 16 * 16 * 3
"""Numbers in an image up to which a perceptron is worth a look."""
_AROUND = (0.5, 2 / 3, 1.5, 2.0)
"""Widths of a student's neighbours, as multiples of its own."""


def architectures(search: Search, data: DataRecord) -> tuple[Architecture, ...]:
    """All candidates.

    Args:
        search: the recipe's part; it may name models and widths.
        data: whose samples a candidate takes.

    Raises:
        RecipeError: a model that the recipe names takes other samples.
    """
    found: dict[tuple[str, int], None] = {}
    for model in search.models or _suited(data):
        family, _ = family_and_depth(model)
        if data.layout not in (takes := FAMILIES[family].takes).layouts:
            raise RecipeError(
                found=f"{model!r} for samples of layout {data.layout!r}",
                expected=f"models that take them, such as {_suited(data)[0]!r}; "
                f"{family} takes {takes.words}",
                where="search.models",
            )
        found |= dict.fromkeys((model, width) for width in search.widths or _WIDTHS[family])
    return tuple(Architecture(model=model, width=width) for model, width in found)


def _suited(data: DataRecord) -> tuple[str, ...]:
    models = _MODELS[data.layout]
    numbers = 1
    for size in data.sample_shape:
        numbers *= size
    if data.layout in ("hw", "hwc", "chw", "tc") and numbers <= _SMALL:
        models += ("mlp1", "mlp2")
    return models


def around(student: Architecture) -> tuple[Architecture, ...]:
    """A student of a family and its neighbours: other widths, and one depth more and one less."""
    return tuple(
        Architecture(model=model, width=width)
        for model, width in dict.fromkeys(_neighbours(student))
    )


def _neighbours(student: Architecture) -> Iterator[tuple[str, int]]:
    family, depth = family_and_depth(student.model)
    yield student.model, student.width
    # Transformers split a token's vector over heads.
    multiple = 32 if family == "transformer" else 4
    for factor in _AROUND:
        width = max(multiple, multiple * round(student.width * factor / multiple))
        yield student.model, width
    step = FAMILIES[family].step
    for other in (depth - step, depth + step):
        if other >= FAMILIES[family].least:
            yield f"{family}{other}", student.width
