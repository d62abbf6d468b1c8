"""Who a worker or an evaluator is, and whom it trusts."""

from __future__ import annotations

from collections.abc import Sequence

from zfed.config import NodeConfig
from zfed.errors import UsageError
from zfed.identity import KeysFolder, PublicKey
from zfed.transport import ClientSecurity, CurveKeys


class MemberKeys:
    """The keys with which one node connects.

    Args:
        config: Says where keys are, and may say the coordinator's.
        name: Of the node.
        addresses: Where the coordinator may listen.

    Raises:
        UsageError: If the node has no key, knows none of its coordinator, or a file is not as it must be.
        CheckpointError: If one cannot be read.
    """

    def __init__(self, config: NodeConfig, name: str, addresses: Sequence[str]) -> None:
        folder = KeysFolder.at(config.keys)
        key = folder.key(name)
        self._curve = CurveKeys(key.public.curve, key.curve_secret)
        self.public = key.public
        self.pinned = {address: _pinned(folder, config, address) for address in addresses}

    @property
    def security(self) -> ClientSecurity:
        """What a connector needs."""
        return ClientSecurity(self._curve, lambda address: self.pinned[address].curve)


def _pinned(folder: KeysFolder, config: NodeConfig, address: str) -> PublicKey:
    if config.coordinator_key:
        return PublicKey.parse(config.coordinator_key)
    known = folder.known_coordinators
    found = known.find(address)
    if found is None:
        raise UsageError(
            f"the key of the coordinator at {address} is not known, so nobody could tell it from another: "
            "on its machine `zfed keys show coordinator` prints it; give it with --coordinator-key KEY, "
            f"write a line `{address} KEY` into {known.path}, or start once on a terminal, which asks for it"
        )
    return found
