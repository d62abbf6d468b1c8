from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.chronicle.journals import RUN
from zfed.chronicle.storyteller import Storyteller


def story(*records) -> list[str]:
    teller = Storyteller()
    told = [sentence for record in records for sentence in teller.take(record)]
    return [sentence.text for sentence in (*told, *teller.end())]


def opened(round, attempt, *cohort):
    return {"event": "opened", "round": round, "attempt": attempt, "cohort": list(cohort)}


def accepted(round, node):
    return {"event": "accepted", "round": round, "node": node}


def committed(version, *workers):
    return {"event": "committed", "version": version, "round": version, "workers": list(workers)}


def started(incarnation, version, at=""):
    return {"event": "started", "incarnation": incarnation, "version": version, "at": at}


def test_a_run_is_told_in_one_sentence_for_what_belongs_together():
    assert story(*RUN) == [
        "the run was created",
        "the coordinator started",
        "2 workers joined (30 examples): alice, bob",
        "first model from alice: version 0",
        "round 1: version 1 of alice, bob; 1.5 s, 2.0 MB down, 1.0 MB up, loss 0.2500",
        "round 1: federated model: accuracy 50.00 %",
        "round 2: asked alice, bob; answered: bob",
    ]


def test_a_sentence_has_the_time_of_the_last_thing_it_tells():
    teller = Storyteller()
    list(teller.take({"event": "joined", "node": "a", "kind": "worker", "at": "1"}))
    list(teller.take({"event": "joined", "node": "b", "kind": "worker", "at": "2"}))
    assert [sentence.at for sentence in teller.take({**started(1, -1), "at": "3"})] == ["2", "3"]


def test_a_round_that_a_start_found_under_way_has_the_time_of_its_own_last_sign():
    teller = Storyteller()
    list(teller.take({**opened(1, 1, "a"), "at": "1"}))
    assert [sentence.at for sentence in teller.take(started(2, 0, "2"))] == ["1", "2"]


def test_who_was_asked_and_did_not_count_is_named_over_all_attempts():
    told = story(
        opened(1, 1, "a", "b", "c"),
        accepted(1, "a"),
        {"event": "refused", "node": "b", "code": "not_finite"},
        opened(1, 2, "b", "c"),
        accepted(1, "b"),
        committed(1, "a", "b"),
    )
    assert told == [
        "round 1: asked a, b, c; answered: a; refused: b (not_finite); tried again",
        "round 1: version 1 of a, b; without c; refused: b (not_finite)",
    ]


def test_another_start_says_from_where_and_after_how_long_it_goes_on():
    told = story(
        started(1, -1),
        {**committed(1, "a"), "at": "2025-01-02T03:00:00Z"},
        opened(2, 1, "a", "b"),
        accepted(2, "a"),
        started(2, 1, "2025-01-02T03:01:05Z"),
        opened(2, 1, "a", "b"),
        accepted(2, "a"),
        accepted(2, "b"),
        committed(2, "a", "b"),
    )
    assert told[2:] == [
        "round 2: asked a, b; answered: a",
        "the coordinator started again (start 2), 1 min 05 s after the last line before,"
        " and goes on from version 1",
        "round 2: version 2 of a, b",
    ]


@pytest.mark.parametrize("at", ["", "2025-01-02T02:00:00Z", "long ago"])
def test_a_pause_that_no_clock_tells_is_not_told(at):
    told = story(started(1, -1), {**committed(1, "a"), "at": "2025-01-02T03:00:00Z"}, started(2, 1, at))
    assert told[-1] == "the coordinator started again (start 2) and goes on from version 1"


def test_versions_whose_files_were_damaged_are_said_to_be_gone_once():
    told = story(
        started(1, -1), committed(1, "a"), committed(2, "a"), committed(3, "a"), started(2, 1), started(3, 1)
    )
    assert told[4:] == [
        "the coordinator started again (start 2) and goes on from version 1",
        "version 2, version 3: committed before, and damaged since",
        "the coordinator started again (start 3) and goes on from version 1",
    ]


def test_how_many_rounds_a_start_is_for_is_told_if_the_journal_does():
    first, again = {**started(1, -1), "rounds": 1}, {**started(2, 1), "rounds": 20}
    assert story(first, again) == [
        "the coordinator started, for 1 round",
        "the coordinator started again (start 2) and goes on from version 1, to round 20",
    ]


def test_a_start_without_a_version_begins_with_the_first_model():
    assert story(started(1, -1), started(2, -1))[1].endswith("(start 2) and begins with the first model")


def test_the_end_comes_with_its_reason_and_what_was_under_way():
    told = story(opened(4, 1, "a"), {"event": "ended", "status": "failed", "reason": "too few", "version": 3})
    assert told == ["round 4: asked a; answered: nobody", "the run ended, failed: too few"]


def test_an_update_that_is_refused_between_rounds_is_told_at_once():
    assert story({"event": "refused", "node": "a", "code": "stale"}) == [
        "an update from a was refused (stale)"
    ]


def test_a_device_that_enrolled_itself_is_told_with_its_key():
    record = {"event": "enrolled", "node": "alice", "key": "abc", "fingerprint": "SHA256:x"}
    assert story(record) == ["alice enrolled itself with its invitation, key SHA256:x"]


def test_a_worker_that_is_benched_is_told_of():
    assert story({"event": "benched", "node": "a", "round": 4, "strikes": 3}) == [
        "a was benched after 3 refused updates"
    ]


def test_names_from_other_machines_cannot_steer_a_terminal():
    told = story({"event": "joined", "node": "a\x1b[2J\n", "kind": "worker", "examples": 1})
    assert told == [r"worker a\x1b[2J\n joined (1 example)"]


RECORDS = st.sampled_from(
    [
        *RUN,
        started(2, 1),
        {"event": "left", "node": "a", "kind": "worker", "left": True, "reason": "x"},
        {"event": "skipped", "round": 1, "subject": "a", "reason": "x"},
        {"event": "refused", "node": "a", "code": "stale"},
        {"event": "benched", "node": "a", "round": 1, "strikes": 3},
        {"event": "ended", "status": "completed", "reason": "", "version": 1},
        {"event": "released", "epsilon": 1.0},
    ]
)


@given(st.lists(st.tuples(RECORDS, st.sets(st.integers(0, 9)))))
def test_whatever_lines_lack_and_however_they_follow_there_is_a_story(lines):
    """Journals of other versions say less, or more; no order and no gap is an error."""
    records = [
        {key: value for place, (key, value) in enumerate(record.items()) if place not in dropped}
        for record, dropped in lines
    ]
    assert all(isinstance(sentence, str) and sentence for sentence in story(*records))
