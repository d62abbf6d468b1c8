from __future__ import annotations

from zfed.facts import Participation, WorkerPart
from zfed.telemetry.participation_table import MOST_PARTS
from zfed.telemetry.sentences import describe


def part(node: str, counted: int, asked: int = 10) -> WorkerPart:
    return WorkerPart(node=node, asked=asked, counted=counted, late=0, refused=0, share=0.5)


def test_where_everybody_took_part_one_line_says_so() -> None:
    fact = Participation(versions=10, workers=[part("a", 10), part("b", 10)])
    assert describe(fact) == ["everybody took part in each of 10 versions: 2 workers"]


def test_who_took_part_least_is_listed_first() -> None:
    fact = Participation(versions=10, workers=[part("alice", 9), part("bob", 4, 8), part("c", 10)])
    assert describe(fact) == [
        "3 workers took part in 10 versions: 4 at least, 9 in the middle, 10 at most",
        "         took part      asked       late    refused  of the model",
        "  bob            4          8          0          0        50.0 %",
        "  alice          9         10          0          0        50.0 %",
        "  c             10         10          0          0        50.0 %",
    ]


def test_of_many_workers_those_that_took_part_least_are_listed() -> None:
    fact = Participation(versions=50, workers=[part(f"w{place:02}", place) for place in range(50)])
    lines = describe(fact)
    assert len(lines) == 2 + MOST_PARTS + 1
    assert lines[2].startswith("  w00 ")
    assert lines[-1] == "  and 30 more, who took part more often"
