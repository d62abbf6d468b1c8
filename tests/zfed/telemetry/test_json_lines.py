from __future__ import annotations

import io

import orjson

from zfed.facts import Fact, from_builtins
from zfed.telemetry.json_lines import JsonObserver
from zfed.telemetry.output import LastingStream


def test_facts_come_back_from_json_as_they_were(run_facts: list[Fact]) -> None:
    stream = io.StringIO()
    observer = JsonObserver(LastingStream(stream))
    for fact in run_facts:
        observer(fact)
    lines = stream.getvalue().splitlines()
    assert [from_builtins(orjson.loads(line)) for line in lines] == run_facts
