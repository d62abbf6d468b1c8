"""Making an invitation: the secret goes into the token, its public half into the file."""

from __future__ import annotations

from zfed.errors import UsageError
from zfed.identity.invitation import Invitation
from zfed.identity.invited_node import InvitedNode
from zfed.identity.keys import key_id
from zfed.identity.keys_folder import KeysFolder
from zfed.identity.names import COORDINATOR


def invite(
    keys: KeysFolder,
    node: str,
    *,
    address: str,
    until: int,
    max_examples: int = 0,
    tags: tuple[str, ...] = (),
) -> Invitation:
    """Let the device that gets the token enrol itself as `node`, once.

    Args:
        keys: The coordinator's keys folder.
        node: The name that it will have.
        address: Where it finds the coordinator, as `--connect`.
        until: Second, since 1970, from which it is too late.
        max_examples: As in `AuthorizedKey`.
        tags: Likewise.

    Raises:
        UsageError: If the coordinator has no key yet, or something given is not what it should be.
        CheckpointError: If the invitation cannot be written.
    """
    if node == COORDINATOR:
        raise UsageError(
            f"{COORDINATOR} is the name of the coordinator's own key: choose another for the node"
        )
    coordinator = keys.key(COORDINATOR).public
    invitation = Invitation.new(node=node, address=address, coordinator=coordinator.curve, expires=until)
    invited = InvitedNode(
        name=node, key=key_id(invitation.public), until=until, max_examples=max_examples, tags=tags
    )
    keys.invitations.edit(lambda table: table.invite(invited))
    return invitation
