import pytest

from zfed.errors import UsageError
from zfed.identity import KeysFolder, PublicKey
from zfed_cli.main import _run as run_words


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFED_KEYS", str(tmp_path / "keys"))
    return KeysFolder(tmp_path / "keys")


def test_a_new_key_is_alone_on_stdout_and_explained_on_stderr(folder, capsys):
    assert run_words(["keys", "new", "alice"]) == 0
    out, err = capsys.readouterr()
    key = PublicKey.parse(out.strip())
    assert key == folder.key("alice").public
    assert key.fingerprint in err
    assert str(folder.secret_path("alice")) in err
    assert "at the coordinator: zfed enroll alice zfed-key-..." in err


def test_no_secret_is_ever_printed(folder, capsys):
    for words in (["new", "alice"], ["show", "alice"], ["new", "alice", "--rotate"]):
        run_words(["keys", *words])
        printed = "".join(capsys.readouterr())
        assert "zfed-secret-" not in printed
        assert folder.key("alice").to_text().strip().removeprefix("zfed-secret-") not in printed


def test_show_tells_the_same_key_again(capsys):
    run_words(["keys", "new", "alice"])
    made = capsys.readouterr().out
    run_words(["keys", "show", "alice"])
    assert capsys.readouterr().out == made


def test_a_name_is_by_default_the_hosts(folder, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "board-7")
    run_words(["keys", "new"])
    assert folder.key("board-7")


def test_keys_names_another_folder(tmp_path):
    run_words(["keys", "new", "alice", "--keys", str(tmp_path / "other")])
    assert KeysFolder(tmp_path / "other").key("alice")


def test_a_rotation_says_what_it_needs(capsys):
    with pytest.raises(UsageError, match="alice has no key"):
        run_words(["keys", "new", "alice", "--rotate"])
    run_words(["keys", "new", "alice"])
    before = PublicKey.parse(capsys.readouterr().out.strip())
    run_words(["keys", "new", "alice", "--rotate"])
    out, err = capsys.readouterr()
    assert PublicKey.parse(out.strip()).fingerprint == before.fingerprint
    assert "until then do not start alice again" in err


def test_the_coordinators_key_is_for_all_nodes(capsys):
    run_words(["keys", "new", "coordinator"])
    assert "--coordinator-key" in capsys.readouterr().err
