"""Texts on disk: one file of UTF-8 and the offset of each text, so that memory stays constant.

>>> texts = Texts.write(Path("folder/train"), ["good", "bad"])
>>> texts[np.array([1, 0])]
['bad', 'good']
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError

BLOCK = 4096
"""Texts that are in memory as Python strings at a time."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts on disk, by row.

    Attributes:
        blob: all texts in UTF-8, one after the other, uint8 [bytes], memory-mapped.
        offsets: text i is ``blob[offsets[i] : offsets[i + 1]]``, int64 [n + 1], memory-mapped.
    """

    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def shape(self) -> tuple[int]:
        """``(n,)``, as of an array."""
        return (len(self),)

    def __getitem__(self, rows: slice | Sequence[int] | NDArray[Any]) -> list[str]:
        """The texts of some rows, in their order. Rows are a slice, numbers or a mask bool [n]."""
        wanted = self._numbers(rows)
        starts, ends = self.offsets[wanted], self.offsets[wanted + 1]
        return [
            self.blob[start:end].tobytes().decode()
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]

    def _numbers(self, rows: slice | Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)), dtype=np.int64)
        wanted = np.asarray(rows)
        if wanted.dtype == np.bool_:
            if wanted.shape != self.shape:
                raise IndexError(f"a mask of shape {wanted.shape} for {len(self)} texts")
            return np.flatnonzero(wanted)
        wanted = wanted.astype(np.int64)
        if wanted.ndim != 1:
            raise IndexError("texts are indexed by a slice, a list of rows or a mask")
        wanted = np.where(wanted < 0, wanted + len(self), wanted)
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < len(self)):
            raise IndexError(f"row {int(wanted.max())} of {len(self)} texts")
        return wanted

    def blocks(self, rows: NDArray[Any] | None = None) -> Iterator[list[str]]:
        """The texts of some rows (None: all), block by block."""
        wanted = np.arange(len(self)) if rows is None else self._numbers(rows)
        for start in range(0, len(wanted), BLOCK):
            yield self[wanted[start : start + BLOCK]]

    @classmethod
    def write(cls, prefix: Path, texts: Iterable[str]) -> "Texts":
        """Write ``prefix.utf8`` and ``prefix.offsets.npy`` text by text, and map them.

        Raises:
            DataError: a text that is not valid Unicode (a lone surrogate).
            OSError: no space left.
        """
        offsets = array("q", [0])
        with _blob(prefix).open("wb") as stream:
            for row, text in enumerate(texts):
                try:
                    plain = text.encode()
                except UnicodeEncodeError as error:
                    raise DataError(
                        f"row {row} has a text that is not valid Unicode ({error.reason})",
                        fix="save the file as UTF-8",
                    ) from None
                stream.write(plain)
                offsets.append(offsets[-1] + len(plain))
        np.save(_offsets(prefix), np.frombuffer(offsets, dtype=np.int64), allow_pickle=False)
        return cls.open(prefix)

    @classmethod
    def open(cls, prefix: Path) -> "Texts":
        """Map the files that ``write`` wrote."""
        blob = _blob(prefix)
        # An empty file cannot be mapped.
        empty = blob.stat().st_size == 0
        mapped = np.empty(0, np.uint8) if empty else np.memmap(blob, dtype=np.uint8, mode="r")
        return cls(mapped, np.load(_offsets(prefix), mmap_mode="r"))


def _blob(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.utf8")


def _offsets(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.offsets.npy")
