"""What the models ask of the data, seen before the first of them is trained."""

from ...errors import DataError
from ..recipe import IMAGE_FAMILIES, Recipe, family_and_depth
from ..records import DataRecord


def fits(recipe: Recipe, data: DataRecord) -> None:
    """Refuse data that a model of the recipe cannot be trained on.

    Raises:
        DataError: a train set smaller than a batch, or rows where a model takes images.
    """
    for part, schedule, model in (
        ("teacher", recipe.teacher, recipe.teacher.model),
        ("distill", recipe.distill, recipe.student.model),
    ):
        if data.samples("train") < schedule.batch_size:
            raise DataError(
                found=f"{data.samples('train')} samples in train",
                expected=f"at least one batch of {schedule.batch_size}",
                where=f"{part}.batch_size",
                fix="lower batch_size or bring more samples",
            )
        if data.layout == "table" and family_and_depth(model)[0] in IMAGE_FAMILIES:
            raise DataError(
                found=f"rows of {data.sample_shape[0]} columns for {model!r}",
                expected="images, or the family mlp",
                where=data.source,
                fix="reshape x to [n, height, width] or use a model such as 'mlp2'",
            )
