import io
import re

import pytest

from zfed.errors import UsageError
from zfed.identity import KeysFolder, NodeKey
from zfed_cli.main import _run as run_words

KEY = NodeKey.generate()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFED_KEYS", str(tmp_path / "keys"))
    return KeysFolder(tmp_path / "keys")


def enroll(*words):
    return run_words(["enroll", *words])


def test_an_enrolled_node_is_in_the_file_with_all_that_was_said(folder, capsys):
    assert enroll("alice", KEY.public.text, "--max-examples", "500", "--tag", "gpu", "--tag", "site-a") == 0
    assert KEY.public.fingerprint in capsys.readouterr().out
    text = folder.authorized_nodes.path.read_text()
    assert text == f"alice {KEY.public.text} max-examples=500 tag=gpu tag=site-a\n"


def test_a_key_may_come_through_a_pipe(folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY.public.text}\n"))
    enroll("alice", "-")
    assert [each.key for each in folder.authorized_nodes.read().keys] == [KEY.public]


def test_a_rotation_says_until_when_the_key_before_is_valid(folder, capsys):
    enroll("alice", KEY.public.text)
    enroll("alice", KEY.rotated().public.text, "--overlap", "1h")
    assert re.search(
        r"its key before is valid until 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", capsys.readouterr().out
    )
    assert len(folder.authorized_nodes.read().keys) == 2


def test_an_overlap_of_nothing_ends_the_key_before_at_once(capsys):
    enroll("alice", KEY.public.text)
    enroll("alice", KEY.rotated().public.text, "--overlap", "0s")
    assert "its key before" not in capsys.readouterr().out


def test_the_list_has_a_line_for_each_key(capsys):
    enroll("--list")
    assert "nobody is enrolled in " in capsys.readouterr().err
    enroll("alice", KEY.public.text, "--max-examples", "5000")
    enroll("bob", NodeKey.generate().public.text, "--tag", "gpu")
    enroll("--revoke", "bob")
    capsys.readouterr()
    enroll("--list")
    title, alice, bob = capsys.readouterr().out.splitlines()
    assert title.split("  ")[0] == "node"
    assert re.fullmatch(r"alice  SHA256:\S{43}  valid +5,000", alice)
    assert re.fullmatch(r"bob +SHA256:\S{43}  revoked 20\S+Z  any +gpu", bob)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "expected one of: zfed enroll NAME PUBLICKEY"),
        (("--list", "--revoke", "alice"), "expected one of"),
        (("alice", "zfed-key-x", "--list"), "expected one of"),
        (("alice",), "no key for alice"),
        (("alice", "zfed-key-x"), "is no public key"),
        (("../alice", KEY.public.text), "node name '../alice'"),
        (("alice", KEY.public.text, "--max-examples", "0"), "at least 1"),
        (("alice", KEY.public.text, "--tag", "a b"), "tag 'a b'"),
        (("alice", KEY.public.text, "--overlap", "7"), "--overlap is '7'"),
        (("--revoke", "alice"), "no key of alice is enrolled"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(folder, words, reason):
    with pytest.raises(UsageError) as caught:
        enroll(*words)
    assert reason in str(caught.value)
    assert not folder.authorized_nodes.path.exists()
