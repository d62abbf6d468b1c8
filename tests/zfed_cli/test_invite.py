import io
import re
import sys

import pytest

from zfed.errors import UsageError
from zfed.identity import Invitation, KeysFolder, NodeKey, key_id
from zfed_cli.main import _run as run_words


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFED_KEYS", str(tmp_path / "keys"))
    folder = KeysFolder(tmp_path / "keys")
    folder.new_key("coordinator")
    return folder


def invite(*words):
    return run_words(["invite", *words])


def test_the_token_alone_goes_to_stdout_and_its_public_half_into_the_file(folder, capsys):
    words = ("--address", "tcp://192.0.2.7:8777", "--expires", "1h", "--max-examples", "500", "--tag", "gpu")
    assert invite("alice", *words) == 0
    shown = capsys.readouterr()
    invitation = Invitation.parse(shown.out.rstrip("\n"))
    assert (invitation.node, invitation.address) == ("alice", "tcp://192.0.2.7:8777")
    assert invitation.coordinator == folder.key("coordinator").public.curve
    assert shown.out.count("\n") == 1
    assert re.fullmatch(r"on one device, until 20\S+Z:\n", shown.err)
    [invited] = folder.invitations.read().invited
    assert (invited.name, invited.max_examples, invited.tags) == ("alice", 500, ("gpu",))
    assert (invited.key, invited.until) == (key_id(invitation.public), invitation.expires)


def test_on_a_terminal_the_line_for_the_device_is_shown(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    invite("alice")
    assert re.fullmatch(r"zfed worker --invite zfed-invite-\S+\n", capsys.readouterr().out)


def test_an_address_that_only_this_machine_can_reach_is_said(capsys):
    invite("alice")
    assert "only this machine finds a coordinator at tcp://127.0.0.1:8777" in capsys.readouterr().err


def test_a_name_that_is_enrolled_is_said(folder, capsys):
    key = NodeKey.generate().public
    folder.authorized_nodes.edit(lambda table: table.enrolled("alice", key, now=0, overlap_s=0))
    invite("alice")
    told = capsys.readouterr().err
    assert f"alice is enrolled, as {key.fingerprint}" in told
    assert "zfed enroll --revoke alice" in told


def test_the_list_tells_what_became_of_each(capsys):
    invite("--list")
    assert "nobody is invited in " in capsys.readouterr().err
    invite("alice", "--max-examples", "5000")
    invite("bob", "--tag", "gpu")
    invite("--revoke", "bob")
    capsys.readouterr()
    invite("--list")
    title, alice, bob = capsys.readouterr().out.splitlines()
    assert title.split("  ")[0] == "node"
    assert re.fullmatch(r"alice  open until 20\S+Z  5,000", alice)
    assert re.fullmatch(r"bob    revoked on 20\S+Z  any           gpu", bob)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "expected one of: zfed invite NAME"),
        (("alice", "--list"), "expected one of"),
        (("../alice",), "node name '../alice'"),
        (("coordinator",), "the name of the coordinator's own key"),
        (("alice", "--address", "192.0.2.7"), "expected tcp://HOST:PORT"),
        (("alice", "--expires", "soon"), "--expires is 'soon'"),
        (("alice", "--expires", "0m"), "--expires is '0m'"),
        (("alice", "--max-examples", "0"), "at least 1"),
        (("alice", "--tag", "a b"), "tag 'a b'"),
        (("--revoke", "alice"), "alice has no open invitation"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(folder, words, reason):
    with pytest.raises(UsageError, match=re.escape(reason)):
        invite(*words)
    assert not folder.invitations.path.exists()


def test_a_node_takes_its_invitation_as_a_flag_or_from_stdin_and_a_wrong_name_is_refused(
    folder, capsys, monkeypatch
):
    invite("alice")
    token = capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO(token))
    for given in (token.strip(), "-"):
        with pytest.raises(UsageError, match="the invitation is for alice, not for bob"):
            run_words(["worker", "--name", "bob", "--invite", given])
    with pytest.raises(UsageError, match="this is no invitation"):
        run_words(["evaluator", "--invite", "zfed-key-x"])


def test_without_a_key_of_the_coordinator_nobody_can_be_invited(folder):
    folder.secret_path("coordinator").unlink()
    with pytest.raises(UsageError, match="`zfed keys new coordinator`"):
        invite("alice")
