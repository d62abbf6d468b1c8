from pathlib import Path

import numpy as np
import pytest

from zfed.errors import CheckpointError, LayoutError, StateInUseError, UsageError
from zfed.nodes.state_book import StateBook, StateEntry
from zfed.nodes.state_folder import MOST_RUNS, StateFolder, state_folder
from zfed.nodes.task_state import Lost, TaskState
from zfed.params import ParameterBuffer, TensorKind

RUN = "a" * 32


def local(value, size=3):
    return ParameterBuffer.from_arrays(
        {"mine": np.full(size, value, np.float32)}, kinds={"mine": TensorKind.LOCAL}
    )


FULL = TaskState(
    {
        "rounds": np.array(7),
        "momentum": np.arange(6, dtype=np.float64).reshape(2, 3),
        "none": np.zeros((0, 2)),
    },
    local(1.5),
    Lost("topk:0.1", np.arange(5, dtype=np.float32)),
)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "deep" / "alice"


@pytest.fixture
def folder(place):
    made = StateFolder(place)
    yield made
    made.close()


def stored(folder, state, number=1, version=0):
    """Keep a state as the only one of its run."""
    file = folder.save(state)
    folder.store(StateBook(counted=(StateEntry(number=(1, number), version=version, file=file),)))
    return file


def test_state_comes_back_as_it_was(folder):
    folder.enter(RUN)
    stored(folder, FULL)
    book = folder.enter(RUN)
    back = folder.load(book.current.file, FULL)
    assert {name: array.tolist() for name, array in back.arrays.items()} == {
        name: array.tolist() for name, array in FULL.arrays.items()
    }
    assert back.arrays["momentum"].dtype == np.float64
    assert back.local == FULL.local
    assert back.lost.level == "topk:0.1"
    np.testing.assert_array_equal(back.lost.residual, FULL.lost.residual)
    back.arrays["rounds"][...] = 8  # the task may change what it gets


def test_nothing_is_made_before_there_is_something_to_keep(folder, place):
    assert folder.enter(RUN) == StateBook()
    assert not place.parent.exists()
    folder.save(FULL)
    assert place.is_dir()


def test_file_that_no_book_names_is_removed(folder, place):
    folder.enter(RUN)
    stored(folder, FULL)
    stored(folder, FULL, number=2)
    assert [path.suffix for path in sorted(place.iterdir())] == [".safetensors", ".json", ".lock"]
    folder.save(FULL)  # and its process dies
    folder.enter(RUN)
    stored(folder, FULL, number=3)
    assert len(list(place.glob("*.safetensors"))) == 1


def test_what_was_never_finished_is_removed(folder, place):
    folder.enter(RUN)
    stored(folder, FULL)
    torn = place / f".000001-{RUN}.1.safetensors.0123abcd.tmp"
    torn.write_bytes(b"half")
    folder.enter(RUN)
    assert not torn.exists()


def test_one_process_at_a_time_holds_a_run(folder, place):
    folder.enter(RUN)
    stored(folder, FULL)
    other = StateFolder(place)
    with pytest.raises(StateInUseError, match=r"in use by process \d+: choose another --name or --state"):
        other.enter(RUN)
    assert other.enter("b" * 32) == StateBook()


def test_two_that_begin_one_run_at_the_same_time_do_not_share_it(folder, place):
    folder.enter(RUN)
    other = StateFolder(place)
    other.enter(RUN)
    stored(folder, FULL)
    with pytest.raises(StateInUseError):
        other.save(FULL)
    other.close()


def test_states_of_the_last_runs_stay_and_older_ones_go(folder, place):
    runs = [f"{number:032x}" for number in range(MOST_RUNS + 2)]
    for run in runs:
        folder.enter(run)
        stored(folder, FULL)
    folder.close()
    kept = {path.name.partition("-")[2].partition(".")[0] for path in place.iterdir()}
    assert kept == set(runs[-MOST_RUNS:])


def test_run_that_a_process_takes_part_in_stays_however_old(folder, place):
    old = StateFolder(place)
    old.enter(RUN)
    stored(old, FULL)
    for number in range(MOST_RUNS + 1):
        folder.enter(f"{number:032x}")
        stored(folder, FULL)
    old.close()
    assert old.enter(RUN).current is not None
    old.close()


@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_damaged_state_is_refused_by_name(folder, place, damage):
    folder.enter(RUN)
    file = stored(folder, FULL)
    path = place / file.name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "bit" else content[:-1])
    with pytest.raises(CheckpointError, match=file.name):
        folder.load(file, FULL)


def test_damaged_book_is_refused_by_name_and_the_run_begins_afresh(folder, place):
    folder.enter(RUN)
    stored(folder, FULL)
    book = place / f"000001-{RUN}.json"
    book.write_bytes(book.read_bytes().replace(b'"version":0', b'"version":1'))
    with pytest.raises(CheckpointError, match=f"{book} is damaged"):
        folder.enter(RUN)
    stored(folder, FULL, number=9)
    assert folder.enter(RUN).current.number == (1, 9)


def test_state_of_a_task_with_other_local_tensors_is_refused(folder):
    folder.enter(RUN)
    file = stored(folder, FULL)
    with pytest.raises(CheckpointError, match="other local tensors"):
        folder.load(file, TaskState({}, local(0.0, size=4)))


def test_array_that_is_no_numbers_is_refused_by_name(folder):
    folder.enter(RUN)
    with pytest.raises(LayoutError, match="state 'words' cannot be kept on disk: dtype <U1"):
        folder.save(TaskState({"words": np.array(["a"])}, local(0.0)))


def test_default_is_where_this_users_programs_keep_what_outlives_them(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/there")
    assert state_folder("", "alice") == Path("/there/zfed/alice")
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert state_folder("", "alice") == Path("/home/somebody/.local/state/zfed/alice")
    assert state_folder("/else", "alice") == Path("/else/alice")


def test_no_home_is_said_with_the_remedy(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UsageError, match="choose one with --state"):
        state_folder("", "alice")


def test_what_a_task_keeps_is_for_no_other_user_of_the_machine(folder, place):
    folder.enter(RUN)
    stored(folder, FULL)
    assert place.stat().st_mode & 0o777 == 0o700
    kept = [path for path in place.iterdir() if path.suffix != ".lock"]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert len(kept) == 2
