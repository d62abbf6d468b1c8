from typing import Any

import pytest

from tests.zfed.checkpoint.runs import events
from zfed.checkpoint import History
from zfed.errors import CheckpointError

CREATED = {"event": "created", "key": "00ff", "config": "xxh3-128:1"}


def started(incarnation: int, version: int) -> dict[str, Any]:
    return {"event": "started", "incarnation": incarnation, "version": version}


def opened(round: int) -> dict[str, Any]:
    return {"event": "opened", "round": round, "version": round - 1}


def committed(version: int, *workers: str) -> dict[str, Any]:
    owed = [
        {"subject": name, "assignment": [1, number], "model": name} for number, name in enumerate(workers)
    ]
    line = {"event": "committed", "version": version, "model": f"m{version}", "state": "", "round": version}
    return line | {"evaluations": owed}


def evaluated(round: int, subject: str, event: str = "evaluated") -> dict[str, Any]:
    return {"event": event, "round": round, "subject": subject}


def history(*records: dict[str, Any]) -> History:
    return History([CREATED, *records], where="journal.jsonl")


def test_a_run_that_went_on_from_its_newest_version_keeps_all_its_lines() -> None:
    records = [started(1, -1), committed(0), opened(1), committed(1), opened(2), started(2, 1), opened(2)]
    past = history(*records)
    assert list(past.lines) == [CREATED, *records]
    assert (past.key, past.config, past.incarnation) == ("00ff", "xxh3-128:1", 2)
    assert list(past.committed) == [0, 1]


def test_what_came_of_newer_versions_is_void_and_who_came_and_went_is_not() -> None:
    past = history(
        started(1, -1),
        committed(0),
        opened(1),
        committed(1),
        opened(2),
        {"event": "accepted", "round": 2, "node": "alice"},
        {"event": "joined", "node": "bob"},
        {"event": "refused", "node": "bob", "round": 2, "code": "norm"},
        committed(2),
        evaluated(1, "federated"),
        evaluated(2, "federated"),
        evaluated(2, "alice", "skipped"),
        {"event": "ended", "status": "completed", "version": 2},
        started(2, 1),
        opened(2),
        committed(2),
    )
    assert events(past.lines) == [
        "created",
        "started -1",
        "committed 0",
        "opened 1",
        "committed 1",
        "joined",
        "refused 2",
        "evaluated 1",
        "started 1",
        "opened 2",
        "committed 2",
    ]


def test_a_version_that_is_committed_again_counts_with_its_later_line() -> None:
    again = committed(1) | {"model": "other"}
    past = history(started(1, -1), committed(0), committed(1), started(2, 0), again)
    assert past.committed[1]["model"] == "other"


def test_all_versions_can_be_void() -> None:
    past = history(started(1, -1), opened(0), committed(0), started(2, -1))
    assert past.committed == {}
    assert events(past.lines) == ["created", "started -1", "started -1"]


def test_owed_is_what_was_promised_and_neither_made_nor_skipped() -> None:
    past = history(
        started(1, -1),
        committed(1, "federated", "alice"),
        committed(2, "federated", "bob"),
        evaluated(1, "federated"),
        evaluated(2, "bob", "skipped"),
    )
    assert [(owed.round, owed.version, owed.evaluation.subject) for owed in past.owed] == [
        (1, 1, "alice"),
        (2, 2, "federated"),
    ]
    assert past.owed[0].evaluation.assignment == (1, 1)


def test_evaluations_of_void_versions_are_not_owed() -> None:
    past = history(started(1, -1), committed(1, "alice"), committed(2, "alice"), started(2, 1))
    assert [owed.round for owed in past.owed] == [1]


def test_a_run_that_was_started_again_has_not_ended() -> None:
    ended = {"event": "ended", "status": "stopped", "version": 0}
    assert history(started(1, -1), committed(0), ended, {"event": "left", "node": "a"}).ended == ended
    assert history(started(1, -1), committed(0), ended, started(2, 0)).ended is None
    assert history(started(1, -1)).ended is None


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"event": "committed", "version": "one", "model": "", "state": ""}, "Expected `int`, got `str`"),
        ({"event": "started", "incarnation": 1}, "missing required field `version`"),
        ({"node": "alice"}, "Expected `str`, got `null`"),
        ({"event": ["joined"]}, "Expected `str`, got `array`"),
    ],
)
def test_a_line_of_another_shape_is_named(record: dict[str, Any], what: str) -> None:
    with pytest.raises(CheckpointError, match=f"^a line of journal.jsonl, event .*, is not as .*{what}"):
        history(record)


@pytest.mark.parametrize(
    ("records", "found"), [([], "is empty"), ([started(1, -1)], "begins with 'started'")]
)
def test_a_journal_begins_with_the_runs_creation(records: list[dict[str, Any]], found: str) -> None:
    with pytest.raises(CheckpointError, match=f"^journal.jsonl {found}, expected 'created'"):
        History(records, where="journal.jsonl")
