from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from zfed.data import download
from zfed.data.download import download_files
from zfed.data.progress import ignore_progress
from zfed.errors import DataError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Endless(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


class Silent(Endless):
    def do_GET(self) -> None:
        self.server.released.wait(10)


@pytest.fixture
def serve() -> Iterator[object]:
    """Start an HTTP server on a free port and return its address."""
    servers = []

    def start(handler) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.released = threading.Event()
        servers.append((server, threading.Thread(target=partial(server.serve_forever, 0.01), daemon=True)))
        servers[-1][1].start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server, thread in servers:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def mirror(tiny, tmp_path, serve) -> str:
    return serve(partial(Quiet, directory=str(tiny.write(tmp_path / "mirror", packed=True))))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "got").mkdir()
    return tmp_path / "got"


def test_files_come_whole_from_the_first_mirror_that_has_them(tiny, tmp_path, serve, mirror, folder):
    (tmp_path / "empty").mkdir()
    empty = serve(partial(Quiet, directory=str(tmp_path / "empty")))
    seen = []
    download_files(tiny.dataset.all_files, [empty, mirror], folder, lambda *told: seen.append(told))
    assert {path.name for path in folder.iterdir()} == {f"{name}.gz" for name in tiny.contents}
    packed = (folder / "train-images-idx3-ubyte.gz").stat().st_size
    assert (packed, packed, "train-images-idx3-ubyte.gz") in seen


def test_what_one_mirror_gave_is_not_asked_of_the_next(tiny, tmp_path, serve, mirror, folder):
    (tmp_path / "mirror" / "t10k-images-idx3-ubyte.gz").unlink()
    rest = tiny.write(tmp_path / "rest", packed=True)
    (rest / "train-images-idx3-ubyte.gz").unlink()
    download_files(
        tiny.dataset.all_files, [mirror, serve(partial(Quiet, directory=str(rest)))], folder, ignore_progress
    )
    assert len(list(folder.glob("*.gz"))) == 4


def test_each_mirror_is_named_with_its_reason(tiny, tmp_path, mirror, folder):
    (tmp_path / "mirror" / "train-images-idx3-ubyte.gz").write_bytes(b"<html>please log in</html>")
    with pytest.raises(DataError, match=r"nowhere\.invalid: .*; 127\.0\.0\.1:\d+: .* its md5 is") as caught:
        download_files(tiny.dataset.all_files, ["http://nowhere.invalid/", mirror], folder, ignore_progress)
    assert "expected" in str(caught.value)
    assert not list(folder.glob("*.gz"))


def test_a_mirror_that_sends_without_end_is_given_up(tiny, serve, folder):
    with pytest.raises(DataError, match=r"does not end after 3136016 bytes"):
        download_files(tiny.dataset.all_files, [serve(Endless)], folder, ignore_progress)


def test_a_mirror_that_drips_is_given_up(tiny, monkeypatch, serve, folder):
    monkeypatch.setattr(download, "FILE_DEADLINE_S", -1.0)
    with pytest.raises(DataError, match=r"only \d+ bytes in"):
        download_files(tiny.dataset.all_files, [serve(Endless)], folder, ignore_progress)


def test_a_silent_mirror_is_given_up(tiny, monkeypatch, serve, folder):
    monkeypatch.setattr(download, "SILENCE_S", 0.1)
    with pytest.raises(DataError, match="timed out"):
        download_files(tiny.dataset.all_files, [serve(Silent)], folder, ignore_progress)


def test_no_mirror_at_all_is_said(tiny, folder):
    with pytest.raises(DataError, match="no mirrors"):
        download_files(tiny.dataset.all_files, [], folder, ignore_progress)
