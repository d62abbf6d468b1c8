"""What a coordinator does on disk when a device uses its invitation.

Four steps, each durable before the next: the invitation is claimed by the device's key, that key is enrolled,
the run's journal says so, the invitation is used. Whenever the process dies in between, the device, which was
not answered, asks again and the steps that are missing are done; no other device can come in between, because
the claim was the first. The answer is sent after the last.
"""

from __future__ import annotations

from collections.abc import Callable

from zfed.errors import RefusedError, UsageError, ZfedError
from zfed.identity import AuthorizedTable, InvitationTable, InvitedNode, KeysFolder, PublicKey
from zfed.identity.invitation_table import CODE
from zfed.nodes import journal_lines
from zfed.nodes.coordinator_words import EnrolmentRefused, EnrolmentUnwritten, EnrolNode, NodeEnrolled


class Enrolment:
    """Performs `EnrolNode`.

    Args:
        keys: The coordinator's keys folder.
        coordinator: The coordinator's own public key, which the device is to remember.
        journal: Adds a line to the run's journal; it is durable when this returns.
        wall_clock: Seconds since 1970.
    """

    def __init__(
        self,
        keys: KeysFolder,
        coordinator: PublicKey,
        *,
        journal: Callable[[journal_lines.Line], None],
        wall_clock: Callable[[], float],
    ) -> None:
        self._keys = keys
        self._coordinator = coordinator
        self._journal = journal
        self._wall_clock = wall_clock

    def perform(self, job: EnrolNode) -> NodeEnrolled | EnrolmentRefused | EnrolmentUnwritten:
        """Enrol a device, or find out why not."""
        try:
            key = self._enrol(job)
        except RefusedError as error:
            return EnrolmentRefused(job.route, job.node, str(error))
        except ZfedError as error:  # a file, not the device: it asks again, and somebody may have seen to it
            return EnrolmentUnwritten(job.route, job.node, str(error))
        return NodeEnrolled(job.route, job.node, key.fingerprint, self._coordinator.text)

    def _enrol(self, job: EnrolNode) -> PublicKey:
        now = self._wall_clock()
        key = _checked_key(job.key)

        def claim(table: InvitationTable) -> InvitationTable:
            return table.claim(job.invitation, job.node, key, now=now)

        table = self._keys.invitations.edit(claim)
        [invited] = [each for each in table.invited if each.key == job.invitation]
        if invited.used is not None:
            self._check_still_enrolled(job.node, key, now)
            return key
        self._keys.authorized_nodes.edit(lambda table: _with_key(table, invited, key, int(now)))
        self._journal(journal_lines.enrolled(job.node, key.key_id, key.fingerprint))
        self._keys.invitations.edit(lambda table: table.settle(job.invitation, now=int(now)))
        return key

    def _check_still_enrolled(self, node: str, key: PublicKey, now: float) -> None:
        known = self._keys.authorized_nodes.read().roster(now).find(key.key_id)
        if known is None or known.objection:
            why = known.objection if known else f"the key {key.fingerprint} is not enrolled any more"
            raise RefusedError(f"the invitation for {node} was used by this device, and {why}", code=CODE)


def _with_key(table: AuthorizedTable, invited: InvitedNode, key: PublicKey, now: int) -> AuthorizedTable:
    """The table with a key that an invitation lets in; it begins at once, so nothing overlaps."""
    try:
        return table.enrolled(
            invited.name,
            key,
            now=now,
            overlap_s=0,
            max_examples=invited.max_examples or None,
            tags=invited.tags or None,
        )
    except UsageError as error:
        raise RefusedError(str(error), code=CODE) from None


def _checked_key(text: str) -> PublicKey:
    try:
        return PublicKey.parse(text)
    except UsageError as error:
        raise RefusedError(str(error), code=CODE) from None
