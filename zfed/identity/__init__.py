"""Who a node is, and whom it trusts: keys and the files of a keys folder."""

from zfed.identity.authorized_key import AuthorizedKey, checked_max_examples
from zfed.identity.authorized_nodes import AuthorizedNodes
from zfed.identity.authorized_table import AuthorizedTable
from zfed.identity.invitation import Invitation
from zfed.identity.invitation_table import InvitationTable
from zfed.identity.invitations import Invitations
from zfed.identity.invited_node import InvitedNode
from zfed.identity.inviting import invite
from zfed.identity.key_files import edited, make_folder, read_file, write_file
from zfed.identity.keys import NodeKey, PublicKey, key_id
from zfed.identity.keys_folder import KeysFolder
from zfed.identity.known_coordinators import KnownCoordinators
from zfed.identity.names import COORDINATOR, checked_name
from zfed.identity.roster_files import RosterFiles
from zfed.identity.utc import parse_utc, utc_text

__all__ = [
    "COORDINATOR",
    "AuthorizedKey",
    "AuthorizedNodes",
    "AuthorizedTable",
    "Invitation",
    "InvitationTable",
    "Invitations",
    "InvitedNode",
    "KeysFolder",
    "KnownCoordinators",
    "NodeKey",
    "PublicKey",
    "RosterFiles",
    "checked_max_examples",
    "checked_name",
    "edited",
    "invite",
    "key_id",
    "make_folder",
    "parse_utc",
    "read_file",
    "utc_text",
    "write_file",
]
