import logging

import pytest

from zfed.errors import UsageError
from zfed.identity import InvitedNode, KeysFolder, NodeKey, key_id
from zfed.wire.roster import Enrolled, Invited

NOW = 1_795_305_600
DEVICE, OTHER = NodeKey.generate().public, NodeKey.generate().public
KEY = key_id(bytes(32))


@pytest.fixture
def keys(tmp_path):
    return KeysFolder(tmp_path / "keys")


def invite(keys, name="alice", key=KEY):
    return keys.invitations.edit(lambda table: table.invite(InvitedNode(name=name, key=key, until=NOW)))


def enrol(keys, name, key):
    return keys.authorized_nodes.edit(lambda table: table.enrolled(name, key, now=NOW, overlap_s=0))


def test_both_files_are_one_roster_and_a_change_of_either_is_seen(keys):
    files = keys.roster_files
    assert len(files.roster(NOW)) == 0
    assert not files.changed(NOW)
    invite(keys)
    assert files.changed(NOW)
    assert isinstance(files.roster(NOW).find(KEY), Invited)
    enrol(keys, "bob", DEVICE)
    assert files.changed(NOW)
    assert isinstance(files.roster(NOW).find(DEVICE.key_id), Enrolled)
    assert not files.changed(NOW)


def test_a_bad_invitations_file_is_logged_and_keeps_no_revocation_from_taking_effect(keys, caplog):
    files = keys.roster_files
    invite(keys)
    enrol(keys, "bob", DEVICE)
    files.roster(NOW)
    keys.invitations.path.write_text("alice\n")
    keys.authorized_nodes.edit(lambda table: table.revoked("bob", now=NOW))
    with caplog.at_level(logging.ERROR):
        roster = files.roster(NOW)
    assert "was revoked" in roster.find(DEVICE.key_id).objection
    assert isinstance(roster.find(KEY), Invited)
    assert "invitations, line 1" in caplog.text
    assert not files.changed(NOW)


def test_an_invitation_is_not_lost_while_the_other_file_is_bad(keys):
    files = keys.roster_files
    files.roster(NOW)
    enrol(keys, "bob", DEVICE)
    good = keys.authorized_nodes.path.read_text()
    keys.authorized_nodes.path.write_text("bob\n")
    invite(keys)
    with pytest.raises(UsageError, match="line 1"):
        files.roster(NOW)
    keys.authorized_nodes.path.unlink()
    keys.authorized_nodes.path.write_text(good)
    assert files.changed(NOW)
    assert isinstance(files.roster(NOW).find(KEY), Invited)


def test_an_edit_that_changes_nothing_does_not_touch_the_invitations_file(keys):
    invite(keys)
    before = keys.invitations.path.stat().st_mtime_ns
    keys.invitations.edit(lambda table: table)
    assert keys.invitations.path.stat().st_mtime_ns == before


def test_the_invitations_file_holds_no_secret(keys):
    invite(keys)
    assert keys.invitations.path.read_text() == f"alice {KEY} until=2026-11-22T00:00:00Z\n"
