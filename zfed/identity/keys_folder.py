"""The folder that holds a user's keys, and who may use what with them.

NAME.key            the secret keys of the node NAME; "coordinator" is the coordinator of this user
NAME.pub            what others may know of it, one word
authorized-nodes    who may come in (coordinator)
known-coordinators  whom to trust (worker, evaluator)
invitations         who may enrol itself once (coordinator)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zfed.errors import UsageError
from zfed.identity.authorized_nodes import AuthorizedNodes
from zfed.identity.invitations import Invitations
from zfed.identity.key_files import edited, read_file, write_file
from zfed.identity.keys import NodeKey
from zfed.identity.known_coordinators import KnownCoordinators
from zfed.identity.names import checked_name
from zfed.identity.roster_files import RosterFiles


class KeysFolder:
    """A keys folder; it and its files are made when there is something to put in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def at(cls, setting: str) -> KeysFolder:
        """The folder of the setting `keys`; if that is empty, the place for this user's configuration.

        Raises:
            UsageError: If there is no such place.
        """
        if setting:
            return cls(Path(setting).absolute())
        given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
        try:
            place = given if given.is_absolute() else Path.home() / ".config"
        except RuntimeError as error:
            raise UsageError(f"no place for keys: {error}; choose one with --keys") from None
        return cls(place / "zfed")

    @property
    def authorized_nodes(self) -> AuthorizedNodes:
        """Who may come in; a new view of the file each time."""
        return AuthorizedNodes(self.path / "authorized-nodes")

    @property
    def known_coordinators(self) -> KnownCoordinators:
        """Whom to trust."""
        return KnownCoordinators(self.path / "known-coordinators")

    @property
    def invitations(self) -> Invitations:
        """Who may enrol itself once; a new view of the file each time."""
        return Invitations(self.path / "invitations")

    @property
    def roster_files(self) -> RosterFiles:
        """Both of these, to be watched; a new view each time."""
        return RosterFiles(self.authorized_nodes, self.invitations)

    def secret_path(self, name: str) -> Path:
        """Where the secret keys of a node are.

        Raises:
            UsageError: If the name is none.
        """
        return self.path / f"{checked_name(name)}.key"

    def public_path(self, name: str) -> Path:
        """Where its public key is.

        Raises:
            UsageError: If the name is none.
        """
        return self.path / f"{checked_name(name)}.pub"

    def key(self, name: str) -> NodeKey:
        """The keys of a node.

        Raises:
            UsageError: If there are none, the file is damaged, or others may read it.
            CheckpointError: If it cannot be read.
        """
        key = self.find(name)
        if key is None:
            raise UsageError(
                f"{name} has no key in {self.path}: `zfed keys new {name}`, or choose --keys DIR"
            )
        return key

    def new_key(self, name: str) -> NodeKey:
        """Make a node's keys.

        Raises:
            UsageError: If it has some, which stay.
            CheckpointError: If they cannot be written.
        """
        with self._edited(name):
            path = self.secret_path(name)
            if os.path.lexists(path):
                raise UsageError(
                    f"{name} has a key: {path}; renew it with `zfed keys new {name} --rotate`, or move it "
                    "away if it shall be another node"
                )
            return self._written(name, NodeKey.generate())

    def rotated_key(self, name: str) -> NodeKey:
        """Give a node a new CURVE key; its identity stays.

        Raises:
            UsageError: As `key`.
            CheckpointError: If it cannot be written.
        """
        with self._edited(name):
            return self._written(name, self.key(name).rotated())

    def find(self, name: str) -> NodeKey | None:
        """The keys of a node; None if it has none. Raises as `key` in any other case."""
        path = self.secret_path(name)
        found = read_file(path, secret=True)
        if found is None:
            return None
        try:
            return NodeKey.parse(found[0])
        except UsageError as error:
            raise UsageError(f"{path} {error}") from None

    def _written(self, name: str, key: NodeKey) -> NodeKey:
        write_file(self.secret_path(name), key.to_text(), secret=True)
        write_file(self.public_path(name), f"{key.public.text}\n")
        return key

    @contextmanager
    def _edited(self, name: str) -> Iterator[None]:
        self.secret_path(name)  # a name that is none makes no lock file
        with edited(self.path / "keys"):
            yield
