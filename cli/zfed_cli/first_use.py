"""Asks a person whom to trust, where a node is to connect to a coordinator that it does not know yet.

CURVE gives nothing to who does not have the other's key, so the key has to come from a person; see
docs/adr/0027-a-coordinators-key-is-pasted.md.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from zfed.errors import UsageError

if TYPE_CHECKING:
    from zfed.config import NodeConfig
    from zfed.identity import PublicKey

_ATTEMPTS = 3
_PROMPT = "its key: "


def ask_for_coordinator(config: NodeConfig) -> None:
    """Ask for the key of a coordinator that is not known yet, if this is a terminal, and keep it.

    Elsewhere nobody can be asked, and the node ends with what to do.

    Raises:
        UsageError: If no key is given, or its fingerprint is not confirmed.
        CheckpointError: If the key cannot be kept.
    """
    if config.insecure or config.coordinator_key or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return

    from zfed.identity import KeysFolder

    known = KeysFolder.at(config.keys).known_coordinators
    addresses = [part.strip() for part in config.connect.split(",") if part.strip()]
    unknown = [address for address in addresses if known.find(address) is None]
    if not unknown:
        return
    where = " or ".join(unknown)
    key = _asked(where)
    for address in unknown:
        known.pin(address, key)
    print(f"kept in {known.path}", file=sys.stderr)


def _asked(where: str) -> PublicKey:
    print(f"The coordinator at {where} is not known here.", file=sys.stderr)
    print("Paste the public key that `zfed keys show coordinator` prints on its machine.", file=sys.stderr)
    key = _pasted()
    question = f"Its fingerprint is {key.fingerprint}\nIs that the coordinator's? (yes or no) "
    if _answer(question).lower() not in ("y", "yes"):
        raise UsageError(f"the coordinator at {where} stays unknown; nothing was sent to it")
    return key


def _pasted() -> PublicKey:
    from zfed.identity import PublicKey

    for _ in range(_ATTEMPTS - 1):
        try:
            return PublicKey.parse(_answer(_PROMPT))
        except UsageError as error:
            print(error, file=sys.stderr)
    return PublicKey.parse(_answer(_PROMPT))


def _answer(question: str) -> str:
    """One line of the terminal. Not by `input`, whose prompt would be on stdout."""
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise UsageError("no answer: nothing was sent to the coordinator")
    return line.strip()
