"""What bytes from somebody else are given to, one target at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Target:
    """A reader of bytes.

    Attributes:
        name: Of its module in `tests.fuzz.targets`, and of its folder in `corpus`.
        read: Reads any bytes. What it raises is a finding, but for what is declared.
        declared: The errors that bytes may end in.
        seeds: Bytes as a zfed node writes them, from which an engine sets out.
    """

    name: str
    read: Callable[[bytes], None]
    declared: tuple[type[Exception], ...]
    seeds: Callable[[], Sequence[bytes]]

    def take(self, data: bytes) -> bool:
        """Give bytes to the reader; True if it could use them.

        Raises:
            Exception: Anything that is not declared: a finding.
        """
        try:
            self.read(data)
        except self.declared:
            return False
        return True

    @property
    def findings(self) -> Iterator[Path]:
        """Files of bytes that once were too much for the reader."""
        folder = CORPUS / self.name
        return iter(sorted(folder.iterdir()) if folder.is_dir() else [])
