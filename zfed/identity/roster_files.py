"""All that says who may come in, watched by a coordinator while it runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from zfed.errors import ZfedError
from zfed.identity.authorized_nodes import AuthorizedNodes
from zfed.identity.invitations import Invitations
from zfed.wire.roster import Invited, Roster

log = logging.getLogger(__name__)


class RosterFiles:
    """The authorized-nodes file and the invitations file of a keys folder."""

    def __init__(self, nodes: AuthorizedNodes, invitations: Invitations) -> None:
        self._nodes = nodes
        self._invitations = invitations
        self._invited: Sequence[Invited] = ()

    def roster(self, wall_now: float) -> Roster:
        """Whose keys are known now, in seconds since 1970; from here on `changed` looks for what differs.

        An invitations file that cannot be used is logged, and those who were invited stay so: it must not
        keep a revocation from taking effect.

        Raises:
            ZfedError: As `AuthorizedNodes.entries`.
        """
        try:
            self._invited = self._invitations.entries(wall_now)
        except ZfedError as error:
            log.error("%s; the invitations that were known before stay so", error)
        return Roster([*self._invited, *self._nodes.entries(wall_now)])

    def changed(self, wall_now: float) -> bool:
        """True if the last `roster` does not hold any more; may be asked between any two messages."""
        return self._nodes.changed(wall_now) or self._invitations.changed(wall_now)
