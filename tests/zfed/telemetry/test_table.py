from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from zfed.facts import Fact
from zfed.telemetry import open_observer
from zfed.telemetry.groups import parse_groups
from zfed.telemetry.table import TableObserver

from .conftest import surveyed

GROUPS = ("0-3", "4-6", "7-9")


def printed(facts: list[Fact], *, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    observer = TableObserver(console, groups=parse_groups(GROUPS), clock=lambda: 0.0)
    for fact in facts:
        observer(fact)
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize("width", [60, 100])
def test_what_lasts_is_printed_within_the_width(width: int, run_facts: list[Fact]) -> None:
    lines = printed(run_facts, width=width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for told in (
        "worker alice joined",
        "refused alice (name_taken)",
        "update from bob refused",
        "RuntimeError: out of memory",
        "round 2    0-3 %",
        "run completed: 2 of 2 rounds",
    ):
        assert told in text


def test_what_the_live_area_shows_is_not_printed_too(run_facts: list[Fact]) -> None:
    text = "\n".join(printed(run_facts, width=100))
    assert "waiting for" not in text
    assert "asking alice" not in text
    assert "update from alice:" not in text


def test_the_live_table_draws_and_cleans_up(run_facts: list[Fact], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = io.StringIO()
    with open_observer("table", groups=GROUPS, stream=stream) as observer:
        for fact in run_facts:
            observer(fact)
    assert "run completed: 2 of 2 rounds" in stream.getvalue()
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h") == 1  # the cursor


def test_no_color_is_respected(run_facts: list[Fact], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    with open_observer("table", stream=stream) as observer:
        for fact in run_facts:
            observer(fact)
    assert "\x1b[31m" not in stream.getvalue()
    assert "\x1b[1;31m" not in stream.getvalue()


def test_facts_from_many_threads_do_not_deadlock_the_drawing(run_facts: list[Fact]) -> None:
    stream = io.StringIO()
    with open_observer("table", stream=stream) as observer:
        threads = [
            threading.Thread(target=lambda: [observer(fact) for fact in run_facts], daemon=True)
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert not any(thread.is_alive() for thread in threads)


def test_what_workers_found_is_a_table_with_the_best_the_median_and_the_worst() -> None:
    lines = printed([surveyed(3, validation=True)], width=80)
    assert lines[0].startswith("round 3, held-out data, validation")
    rows = {line.split("  ")[0].strip(): line.split()[-1] for line in lines[1:] if line}
    assert rows == {"2 workers": "87.50", "best: alice": "100.00", "median": "87.50", "worst: bob": "75.00"}
