import errno
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zfed.checkpoint import RunDirectory
from zfed.simulation.fake_disk import SECTOR_BYTES, FakeDisk, ProcessDied

HOME = Path("/home")
NAMES = ("a", "b", "c")


def furnished():
    disk = FakeDisk()
    disk.make_folder(HOME)
    disk.sync_folder(Path("/"))
    return disk


def written(disk, name, data, *, sync=False):
    file = disk.append(HOME / name)
    file.write(data)
    if sync:
        file.sync()
    file.close()


def after_power_cuts(disk, n=40):
    return [disk.after_power_cut(random.Random(seed)) for seed in range(n)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.binary(min_size=1, max_size=1500)),
        st.tuples(st.just("sync"), st.sampled_from(NAMES), st.just(b"")),
        st.tuples(st.just("sync folder"), st.just(""), st.just(b"")),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.just(b"")),
    ),
    max_size=20,
)


def perform(disk, step, synced):
    """Do a step; `synced` follows what is durable: bytes of a file whose name is, too."""
    what, name, data = step
    if what == "sync folder":
        disk.sync_folder(HOME)
        synced["named"] = set(disk.entries(HOME))
    elif what == "write":
        written(disk, name, data)
    elif disk.exists(HOME / name):
        if what == "sync":
            disk.append(HOME / name).sync()
            synced["bytes"][name] = disk.read(HOME / name)
        else:
            disk.remove(HOME / name)
            synced["bytes"].pop(name, None)
            synced["named"].discard(name)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 1000))
def test_what_was_synced_is_there_after_a_power_cut_and_what_never_was_is_not(steps, seed):
    disk, synced = furnished(), {"named": set(), "bytes": {}}
    ever = {name: b"" for name in NAMES}
    for step in steps:
        perform(disk, step, synced)
        if step[0] == "write":
            ever[step[1]] += step[2]
    left = disk.after_power_cut(random.Random(seed))
    for name, durable in synced["bytes"].items():
        if name in synced["named"]:
            assert left.read(HOME / name).startswith(durable)
    for name in left.entries(HOME):
        assert ever[name]
        assert len(left.read(HOME / name)) <= len(ever[name])


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_a_process_and_the_one_after_its_kill_read_all_that_was_written(steps):
    disk, contents = furnished(), {}
    for step in steps:
        perform(disk, step, {"named": set(), "bytes": {}})
        if step[0] == "write":
            contents[step[1]] = contents.get(step[1], b"") + step[2]
        elif step[0] == "remove":
            contents.pop(step[1], None)
    assert {name: disk.read(HOME / name) for name in disk.entries(HOME)} == contents
    after = disk.after_kill()
    assert {name: after.read(HOME / name) for name in after.entries(HOME)} == contents


def test_a_power_cut_loses_keeps_and_tears_what_was_not_synced():
    disk = furnished()
    written(disk, "a", b"safe", sync=True)
    disk.sync_folder(HOME)
    unsynced = bytes(range(1, 256)) * 8
    written(disk, "a", unsynced)
    left = {after.read(HOME / "a") for after in after_power_cuts(disk)}
    assert {b"safe", b"safe" + unsynced} < left
    assert any(b"\0" in each for each in left), "no sector was left unwritten"
    assert any(4 < len(each) < len(unsynced) for each in left), "nothing was cut"
    for each in left:  # a sector is written wholly or not at all
        for start in range(SECTOR_BYTES, len(each), SECTOR_BYTES):
            sector = each[start : start + SECTOR_BYTES]
            assert sector.count(0) in (0, len(sector))


def test_a_power_cut_may_take_back_a_rename_and_never_leaves_half_of_one():
    disk = furnished()
    written(disk, "a", b"old", sync=True)
    disk.sync_folder(HOME)
    written(disk, "b", b"new", sync=True)
    disk.replace(HOME / "b", HOME / "a")
    found = {after.read(HOME / "a") for after in after_power_cuts(disk)}
    assert found == {b"old", b"new"}


def test_names_that_were_not_synced_come_in_any_combination():
    disk = furnished()
    for name in NAMES:
        written(disk, name, b"x", sync=True)
    found = {tuple(after.entries(HOME)) for after in after_power_cuts(disk)}
    assert {(), NAMES, ("b",), ("a", "c")} <= found


def test_a_file_under_two_names_stays_one_file():
    disk = furnished()
    written(disk, "a", b"12", sync=True)
    disk.link(HOME / "a", HOME / "b")
    disk.sync_folder(HOME)
    for after in (disk.after_kill(), *after_power_cuts(disk, 3)):
        written(after, "a", b"3")
        assert after.read(HOME / "b")[:3] == b"123"
        after.append(HOME / "a").truncate(2)


def test_a_folder_that_was_not_synced_goes_with_all_that_is_in_it():
    disk = furnished()
    disk.make_folder(HOME / "deep")
    written(disk, "deep/a", b"x", sync=True)
    disk.sync_folder(HOME / "deep")
    assert {after.exists(HOME / "deep" / "a") for after in after_power_cuts(disk)} == {False, True}
    synced = disk.after_kill()
    synced.sync_folder(HOME)
    assert all(after.exists(HOME / "deep" / "a") for after in after_power_cuts(synced))


def test_a_full_disk_takes_a_part_of_a_write():
    disk = furnished()
    disk.capacity = 10
    with pytest.raises(OSError, match="No space left") as caught:
        written(disk, "a", b"0123456789ab")
    assert caught.value.errno == errno.ENOSPC
    assert disk.read(HOME / "a") == b"0123456789"
    assert disk.free(HOME) == 0
    disk.capacity = 20
    with pytest.raises(OSError, match="No space left"):
        disk.scratch(HOME, 11)
    scratch = disk.scratch(HOME, 10)
    assert disk.free(HOME) == 0
    scratch.write_at(8, b"xy")
    assert scratch.read_at(7, 9) == b"\0xy"
    del scratch
    disk.remove(HOME / "a")
    assert disk.free(HOME) == 20


def test_a_lock_ends_with_its_process():
    disk = furnished()
    held = disk.lock(HOME / "lock")
    with pytest.raises(BlockingIOError):
        disk.lock(HOME / "lock")
    held.close()
    disk.lock(HOME / "lock")
    disk.after_kill().lock(HOME / "lock")


def test_a_dead_process_changes_nothing_any_more():
    disk = furnished()
    file = disk.append(HOME / "a")
    after = disk.after_kill()
    for call in (
        lambda: file.write(b"x"),
        lambda: disk.remove(HOME / "a"),
        lambda: disk.exists(HOME / "a"),
        file.sync,
    ):
        with pytest.raises(ProcessDied):
            call()
    file.close()
    assert after.read(HOME / "a") == b""


def test_a_process_can_die_before_in_and_after_every_call():
    sizes = []
    for point in range(1, 6):
        disk = furnished()
        file = disk.append(HOME / "a")
        disk.dies_in = point
        with pytest.raises(ProcessDied):
            [file.write(b"1234") for _ in range(2)]
        sizes.append(len(disk.after_kill().read(HOME / "a")))
    assert sizes == [0, 2, 4, 4, 6]


def test_a_run_directory_lives_on_it():
    disk = FakeDisk()
    RunDirectory.create(Path("/runs"), "one", "rounds = 1\n", disk=disk).close()
    for after in after_power_cuts(disk):
        assert after.read(Path("/runs/one/run.toml")) == b"rounds = 1\n"
