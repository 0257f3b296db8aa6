"""Names of the tasks, so that a recipe's ``data.task`` is checked before any work, without numpy.

>>> known_task("regression")
'regression'
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from ...errors import did_you_mean

TASKS = [
    "classification",
    "multi-label",
    "regression",
    "embedding",
    "class-logits",
    "label-logits",
]
"""``tasks.TASKS`` says what each is; the last three have no labels."""


def known_task(name: str) -> str:
    """The name of a task, unchanged.

    Raises:
        ValueError: no such task; names all tasks, and the nearest one.
    """
    if name in TASKS:
        return name
    near = did_you_mean(name, TASKS)
    hint = f"; {near}" if near else ""
    raise ValueError(f"{', '.join(map(repr, TASKS[:-1]))} or {TASKS[-1]!r}{hint}")


TaskName = Annotated[
    str,
    AfterValidator(known_task),
    Field(json_schema_extra=lambda schema: schema.update(enum=list(TASKS))),
]
"""One of ``TASKS``."""
