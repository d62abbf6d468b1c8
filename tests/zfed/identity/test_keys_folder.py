import os
import stat
from pathlib import Path

import pytest

from zfed.errors import UsageError
from zfed.identity import KeysFolder, PublicKey


@pytest.fixture
def folder(tmp_path):
    return KeysFolder(tmp_path / "etc" / "zfed")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_secrets_are_their_owners_alone_whatever_the_umask(folder, umask):
    folder.path.parent.mkdir()
    before = os.umask(umask)
    try:
        folder.new_key("w1")
    finally:
        os.umask(before)
    assert mode(folder.path) == 0o700
    assert mode(folder.secret_path("w1")) == 0o600
    assert mode(folder.public_path("w1")) == 0o644


def test_a_key_is_there_again_at_the_next_start(folder):
    made = folder.new_key("w1")
    assert KeysFolder(folder.path).key("w1") == made
    assert PublicKey.parse(folder.public_path("w1").read_text().strip()) == made.public


def test_a_missing_key_is_an_error_with_the_remedy(folder):
    with pytest.raises(UsageError, match=r"w1 has no key in .*: `zfed keys new w1`"):
        folder.key("w1")


def test_a_key_that_is_there_is_never_replaced_by_a_new_one(folder):
    made = folder.new_key("w1")
    with pytest.raises(UsageError, match="--rotate"):
        folder.new_key("w1")
    assert folder.key("w1") == made


def test_a_rotation_keeps_the_identity(folder):
    made = folder.new_key("w1")
    new = folder.rotated_key("w1")
    assert folder.key("w1") == new
    assert new.public.signing == made.public.signing
    assert new.public.curve != made.public.curve
    assert PublicKey.parse(folder.public_path("w1").read_text().strip()) == new.public


def test_there_is_nothing_to_rotate_without_a_key(folder):
    with pytest.raises(UsageError, match="w1 has no key"):
        folder.rotated_key("w1")


@pytest.mark.parametrize("bits", [0o040, 0o004])
def test_a_secret_that_others_may_read_is_refused_with_the_remedy(folder, bits):
    folder.new_key("w1")
    path = folder.secret_path("w1")
    path.chmod(0o600 | bits)
    with pytest.raises(UsageError) as caught:
        folder.key("w1")
    assert f"others may read the secret in {path}" in str(caught.value)
    assert f"`chmod 600 {path}`" in str(caught.value)


def test_a_folder_that_others_may_write_is_refused_for_reading_and_writing(folder):
    folder.new_key("w1")
    folder.path.chmod(0o770)
    for use in (lambda: folder.key("w1"), lambda: folder.new_key("w2")):
        with pytest.raises(UsageError, match=r"others may write .*: `chmod go-w "):
            use()
    assert not folder.secret_path("w2").exists()


@pytest.mark.parametrize("name", ["../w1", "a/b", "", ".hidden", "w1\n", "x" * 65])
def test_a_name_that_is_none_never_becomes_a_path(folder, name):
    for use in (folder.key, folder.new_key, folder.rotated_key):
        with pytest.raises(UsageError, match="node name"):
            use(name)
    assert not folder.path.exists()


def test_a_link_that_waits_at_a_keys_path_is_not_written_through(folder, tmp_path):
    folder.path.mkdir(parents=True, mode=0o700)
    elsewhere = tmp_path / "elsewhere"
    folder.secret_path("w1").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="w1 has a key"):
        folder.new_key("w1")
    assert not elsewhere.exists()


def test_the_place_is_the_setting_or_this_users_configuration(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert KeysFolder.at("").path == tmp_path / "zfed"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/alice")
    assert KeysFolder.at("").path == Path("/home/alice/.config/zfed")
    assert KeysFolder.at("/etc/zfed").path == Path("/etc/zfed")
