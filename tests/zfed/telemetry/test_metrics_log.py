from __future__ import annotations

import json

import msgspec
import orjson

from zfed.facts import DoorCounts, Evaluated, Fact, from_builtins, to_builtins
from zfed.telemetry import metrics_record

from .conftest import committed, evaluated, surveyed


def carried(fact: Fact) -> Fact:
    """The fact after a trip as JSON, which makes every metric a float."""
    return from_builtins(orjson.loads(orjson.dumps(to_builtins(fact))))


def test_an_evaluation_is_logged_in_the_documented_order() -> None:
    record = metrics_record(carried(evaluated(40, "federated", 9592, 0.13)))
    expected = (
        '{"event":"evaluated","round":40,"subject":"federated","examples":10000,"correct":9592,'
        '"accuracy":0.9592,"loss":0.13,"predicted":{"0":1000,"1":1000,"2":1000,"3":1000,"4":1000,'
        '"5":1000,"6":1000,"7":1000,"8":1000,"9":1000}}'
    )
    assert json.dumps(record, separators=(",", ":")) == expected


def test_a_round_is_logged_in_the_documented_order() -> None:
    record = metrics_record(committed(2, {"alice": 0.25, "bob": 0.75}))
    assert json.dumps(record, separators=(",", ":")) == (
        '{"event":"round","round":2,"seconds":1.24,"bytes_down":5172960,"bytes_up":3448640,'
        '"workers":["alice","bob"],"weights":[0.5,0.5],"train":{"loss":0.5},"refused":{"norm":1},'
        '"per_worker":{"alice":{"examples":320,"steps":10,"seconds":0.84,"norm":0.5,"loss":0.25},'
        '"bob":{"examples":320,"steps":10,"seconds":0.84,"norm":0.5,"loss":0.75}}}'
    )


def test_a_round_is_logged_with_what_was_kept_out_until_then_if_anything_was() -> None:
    fact = committed(2, {"alice": 1.0})
    record = metrics_record(fact, DoorCounts(keys={"refused": 2}, messages={"malformed": 1}))
    assert record is not None
    assert record["door"] == {"keys": {"refused": 2}, "messages": {"malformed": 1}}
    assert metrics_record(fact, DoorCounts()) == metrics_record(fact)


def test_a_task_cannot_overwrite_the_key_of_a_record() -> None:
    fact = Evaluated(
        round=3, subject="bob", evaluator="e", examples=7, metrics={"round": 99.0, "event": 1.0, "mae": 0.5}
    )
    assert metrics_record(fact) == {
        "event": "evaluated",
        "round": 3,
        "subject": "bob",
        "examples": 7,
        "mae": 0.5,
    }


def test_other_facts_are_not_logged(run_facts: list[Fact]) -> None:
    events = [record["event"] for fact in run_facts if (record := metrics_record(fact))]
    assert events.count("round") == 2
    assert events.count("evaluated") == 6
    assert len(events) == 8


def test_what_workers_found_is_logged_with_its_spread_and_who_is_missing() -> None:
    record = metrics_record(surveyed(3))
    assert record is not None
    assert {key: record[key] for key in ("event", "round", "subject", "examples", "workers", "missing")} == {
        "event": "evaluated",
        "round": 3,
        "subject": "workers",
        "examples": 400,
        "workers": 2,
        "missing": ["charlie (left)"],
    }
    assert record["correct"] == 350
    assert record["spread"]["loss"]["worst_worker"] == "bob"
    assert "validation" not in record


def test_a_set_that_decides_is_logged_as_such() -> None:
    central = msgspec.structs.replace(evaluated(1, "federated", 9000, 0.5), validation=True)
    for fact in (surveyed(3, validation=True), central):
        record = metrics_record(fact)
        assert record is not None
        assert record["validation"] is True
