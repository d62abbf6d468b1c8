"""The known-coordinators file of a node: which key its coordinator has, by address.

tcp://10.0.0.5:8777 zfed-key-...
"""

from __future__ import annotations

import re
from pathlib import Path

from zfed.errors import ConfigError, UsageError
from zfed.identity.key_files import edited, read_file, write_file
from zfed.identity.keys import PublicKey

_ADDRESS = re.compile(r"tcp://\S+:[0-9]{1,5}")


class KnownCoordinators:
    """The file `path`; if there is none, no coordinator is known."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, address: str) -> PublicKey | None:
        """The key that the coordinator at an address must have; None if that was never said.

        Raises:
            UsageError: If it is no address, the file has a line that is none (ConfigError), or others may
                write it.
            CheckpointError: If it cannot be read.
        """
        return self._entries(self._text()).get(_checked_address(address))

    def pin(self, address: str, key: PublicKey) -> None:
        """Know a coordinator from now on. A new key of the same identity replaces the one before.

        Raises:
            UsageError: If the coordinator at this address is known by another identity, or as `find`.
            CheckpointError: If it cannot be written.
        """
        line = f"{_checked_address(address)} {key.text}"
        with edited(self.path):
            text = self._text()
            known = self._entries(text).get(address)
            if known is not None and known.signing != key.signing:
                raise UsageError(
                    f"the coordinator at {address} is known by another key, {known.fingerprint}, not "
                    f"{key.fingerprint}: if it has really been given another, delete its line in {self.path}"
                )
            lines = [each for each in text.split("\n") if each.split()[:1] != [address]]
            kept = "\n".join(lines).rstrip("\n")
            write_file(self.path, f"{kept}\n{line}\n" if kept else f"{line}\n")

    def _text(self) -> str:
        found = read_file(self.path)
        return "" if found is None else found[0]

    def _entries(self, text: str) -> dict[str, PublicKey]:
        entries: dict[str, PublicKey] = {}
        for number, line in enumerate(text.split("\n"), start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                if len(words) != 2:
                    raise UsageError("expected ADDRESS zfed-key-...")
                if words[0] in entries:
                    raise UsageError(f"{words[0]} is there twice: delete the line that is wrong")
                entries[_checked_address(words[0])] = PublicKey.parse(words[1])
            except UsageError as error:
                raise ConfigError(f"{self.path}, line {number}: {error}") from None
        return entries


def _checked_address(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"{address[:80]!r} is no address: expected tcp://HOST:PORT")
    return address
