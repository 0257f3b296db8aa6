"""The raw figures of a measurement in its folder, complete after every process."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import MeasureError, StorageError
from ..onboard.measure.answer import Answer


def slugs(names: Sequence[str]) -> dict[str, str]:
    """A file name for each subject; a subject's name is data and may contain any character."""
    unique: dict[str, str] = {}
    for index, name in enumerate(names):
        slug = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".-")[:60] or "model"
        unique[name] = f"{slug}-{index}" if slug in unique.values() else slug
    return unique


def flat(answer: Answer) -> dict[str, Any]:
    """An answer as one object of a record: with the facts of the process, without its modules."""
    record = asdict(answer)
    process = record.pop("process")
    del process["modules"]
    return record | {key: value for key, value in process.items() if value is not None}


def begin(out: Path, records: list[dict[str, Any]]) -> None:
    """Make the folder and its first record: fail in the first second, not after the tenth process.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        (out / "samples").mkdir(parents=True, exist_ok=True)
        write(out / "processes.json", records)
    except OSError as error:
        raise StorageError(
            f"a folder that cannot be written ({error.strerror or error})", where=str(out)
        ) from None


def write(path: Path, records: list[dict[str, Any]]) -> None:
    """Replace the records in one step."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(records, indent=1, allow_nan=False), encoding="utf-8")
    temporary.replace(path)


def runtimes_of(answers: Mapping[str, Iterable[Answer]]) -> str:
    """The runtimes that models ran in, each of them in one: `litert 2.3.0, onnxruntime 1.32.0`.

    Args:
        answers: of all processes, by the model's name.

    Raises:
        MeasureError: the processes of one model had several.
    """
    found: set[str] = set()
    for name, of_model in answers.items():
        versions = sorted({answer.runtime for answer in of_model})
        if len(versions) != 1:
            raise MeasureError(
                f"processes with {' and '.join(versions)}",
                expected="one runtime",
                where=name,
                fix="do not install packages while measuring",
            )
        found.update(versions)
    return ", ".join(sorted(found))
