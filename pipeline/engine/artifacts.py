"""Where builds write, and the store that they share with other machines.

>>> Artifacts.of("artifacts").folder.name
'artifacts'
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .address import chosen
from .store import Store


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The folder that builds write to, with the address of a shared store.

    Attributes:
        folder: of this machine; the store in it is the cache of the shared one.
        shared: as ``address.address_of`` gives it; None: nothing is shared.
    """

    folder: Path
    shared: str | None = None

    @classmethod
    def of(cls, place: "Artifacts | Path | str") -> "Artifacts":
        """A folder as such, with nothing that is shared."""
        return place if isinstance(place, cls) else cls(Path(place))  # type: ignore[arg-type]

    @classmethod
    def chosen(cls, folder: Path | str, store: str | None) -> "Artifacts":
        """A folder, and the shared store that a user or the environment names.

        Args:
            folder: of this machine.
            store: a folder or URL; empty: none; None: that of ``EDGESTILL_STORE``, if any.

        Raises:
            UsageError: no address.
        """
        return cls(Path(folder), chosen(store))

    def store(self, warn: Callable[[str], None] = lambda _: None, *, asks: bool = False) -> Store:
        """Open the store.

        Args:
            warn: as of ``Store``.
            asks: as of ``Store``.

        Raises:
            StorageError: the folder cannot be written.
        """
        return Store(self.folder, warn, asks=asks, shared=self.shared)
