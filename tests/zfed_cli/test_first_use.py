import io

import pytest

from zfed.config import NodeConfig
from zfed.errors import UsageError
from zfed.identity import KeysFolder, NodeKey
from zfed_cli.first_use import ask_for_coordinator

A, B = "tcp://10.0.0.5:8777", "tcp://10.0.0.6:8777"
KEY = NodeKey.generate().public


def ask(folder, connect, **settings):
    ask_for_coordinator(NodeConfig(keys=str(folder.path), connect=connect, **settings))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def folder(tmp_path):
    return KeysFolder(tmp_path / "keys")


@pytest.fixture
def typed(monkeypatch):
    """What a person types, line by line; returns what the terminal shows."""

    def type_(*lines):
        shown = Terminal()
        monkeypatch.setattr("sys.stdin", Terminal("".join(f"{line}\n" for line in lines)))
        monkeypatch.setattr("sys.stderr", shown)
        return shown

    return type_


def test_a_known_coordinator_is_not_asked_for(folder, typed):
    folder.known_coordinators.pin(A, KEY)
    shown = typed()
    ask(folder, A)
    assert shown.getvalue() == ""


def test_a_pasted_key_is_kept_after_a_yes_to_its_fingerprint(folder, typed):
    shown = typed(KEY.text, "yes")
    ask(folder, f"{A}, {B}")
    assert folder.known_coordinators.find(A) == folder.known_coordinators.find(B) == KEY
    assert f"The coordinator at {A} or {B} is not known here." in shown.getvalue()
    assert KEY.fingerprint in shown.getvalue()


def test_a_damaged_key_may_be_pasted_again(folder, typed):
    shown = typed(KEY.text[:-1], KEY.text, "y")
    ask(folder, A)
    assert "is no public key" in shown.getvalue()
    assert folder.known_coordinators.find(A) == KEY


@pytest.mark.parametrize(
    "lines",
    [[KEY.text, "no"], [KEY.text, ""], [KEY.text], [], ["a", "b", "c", KEY.text, "yes"]],
    ids=["no", "an empty answer", "the end of the input", "nothing at all", "three bad keys"],
)
def test_without_a_key_and_a_yes_nothing_is_kept(folder, typed, lines):
    typed(*lines)
    with pytest.raises(UsageError):
        ask(folder, A)
    assert folder.known_coordinators.find(A) is None


@pytest.mark.parametrize("settings", [{"insecure": True}, {"coordinator_key": KEY.text}])
def test_who_needs_no_pinned_key_is_not_asked(folder, typed, settings):
    shown = typed()
    ask(folder, A, **settings)
    assert shown.getvalue() == ""


def test_a_pipe_is_no_person(folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY.text}\nyes\n"))
    ask(folder, A)
    assert folder.known_coordinators.find(A) is None


def test_what_is_no_address_is_said_before_anything_is_asked(folder, typed):
    shown = typed(KEY.text, "yes")
    with pytest.raises(UsageError, match="'nonsense' is no address"):
        ask(folder, f"{A},nonsense")
    assert shown.getvalue() == ""
