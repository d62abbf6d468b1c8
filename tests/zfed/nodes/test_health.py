import time

from zfed.checkpoint import read_health
from zfed.facts import DoorCounts, NodeJoined, NodeLeft, NotWritten, RoundCommitted, RoundOpened
from zfed.nodes.health import HealthBook, SignOfLife


def book(closed_doors=()):
    return HealthBook("r", encrypted=True, closed_doors=lambda: list(closed_doors), door=DoorCounts)


def joined(node):
    return NodeJoined(node=node, kind="worker", examples=1, partition="", label_counts=None, rejoined=False)


def opened(round):
    return RoundOpened(round=round, rounds=9, version=round - 1, cohort=[], attempt=1)


def committed(round):
    return RoundCommitted(
        round=round,
        rounds=9,
        version=round,
        seconds=1.0,
        bytes_down=0,
        bytes_up=0,
        workers=[],
        weights=[],
        missing=[],
        train={},
        per_worker={},
    )


def test_a_book_knows_who_is_here_and_how_far_the_run_is():
    health = book()
    for fact in (joined("bob"), joined("alice"), opened(3), NodeLeft(node="bob", kind="worker", reason="")):
        health.observe(fact)
    record = health.record(12.0)
    assert (record.at, record.nodes, record.round, record.version) == (12.0, ["alice"], 3, 2)
    assert (record.troubles, record.admitting) == ([], True)
    health.observe(committed(3))
    assert health.record(0.0).version == 3


def test_a_closed_door_is_a_trouble_and_nobody_is_admitted():
    record = book(["the door is shut"]).record(0.0)
    assert (record.troubles, record.admitting) == (["the door is shut"], False)


def test_what_cannot_be_written_is_a_trouble_until_the_next_commit():
    health = book()
    for _ in range(2):
        health.observe(NotWritten(what="version 3", reason="no space left"))
    assert health.record(0.0).troubles == ["cannot write version 3: no space left"]
    assert health.record(0.0).admitting
    health.observe(committed(3))
    assert health.record(0.0).troubles == []


def test_signs_of_life_come_while_somebody_looks_and_end_with_the_process(tmp_path):
    sign = SignOfLife(tmp_path, book().record)
    until = time.monotonic() + 5.0
    while read_health(tmp_path) is None:
        assert time.monotonic() < until
        sign.look()
        time.sleep(0.001)
    first = read_health(tmp_path)
    sign.look()  # not due
    sign.close()
    assert read_health(tmp_path) is None
    assert abs(first.at - time.time()) < 5.0


def test_a_disk_that_takes_no_file_stops_nobody(tmp_path):
    sign = SignOfLife(tmp_path / "gone", book().record)
    sign.look()
    sign.close()
