from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.cells import cell_len
from rich.console import Console

from zfed.facts import Evaluated, Fact, NodeJoined
from zfed.telemetry.board import Board
from zfed.telemetry.evaluation_table import evaluation_table
from zfed.telemetry.groups import parse_groups
from zfed.telemetry.view import draw_board

from .conftest import evaluated

GROUPS = parse_groups(["0-3", "4-6", "7-9"])


EVALUATIONS = [evaluated(1, "alice", 4100, 5.2), evaluated(1, "federated", 9592, 0.1301)]


def shown(
    facts: list[Fact], *, width: int, height: int = 40, evaluations: Sequence[Evaluated] = EVALUATIONS
) -> list[str]:
    board = Board()
    for second, fact in enumerate(facts):
        board.take(fact, float(second))
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(draw_board(board, evaluations, GROUPS, width=width, height=height, now=40.0))
    return [line.rstrip() for line in console.export_text().splitlines()]


def joined(node: str) -> NodeJoined:
    return NodeJoined(
        node=node, kind="worker", examples=5, partition="all", label_counts=None, rejoined=False
    )


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_a_board_fits_any_terminal(width: int, run_facts: list[Fact]) -> None:
    lines = shown(run_facts, width=width)
    assert max(map(cell_len, lines)) <= width
    assert len(lines) == 15  # nothing wrapped


def test_sixty_columns_show_all_that_matters(run_facts: list[Fact]) -> None:
    assert shown(run_facts, width=60) == [
        "run mnist-1   tcp://0.0.0.0:8777",
        "INSECURE: traffic is neither encrypted nor authenticated",
        "round 2/2 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 31 s, 0 s left",
        "",
        "node       stage  progress      loss   time  examples",
        "alice      done               0.3100  0.8 s    24,754",
        "bob        done               0.3300  0.8 s    17,181",
        "charlie    late               0.5000  0.8 s    18,065",
        "evaluator  ready                               10,000",
        "",
        "round 2: 1.2 s, 5.2 MB down, 3.4 MB up, loss 0.3200",
        "",
        "round 1    0-3 %  4-6 %  7-9 %    loss       correct  acc. %",
        "alice      100.0    0.0    0.0  5.2000  4,100/10,000   41.00",
        "federated   40.0   30.0   30.0  0.1301  9,592/10,000   95.92",
    ]


def test_more_nodes_than_lines_are_counted_and_those_in_trouble_shown(run_facts: list[Fact]) -> None:
    crowd = [joined(f"w{number}") for number in range(500)]
    trouble = [fact for fact in run_facts if type(fact).__name__ == "NodeLeft"]
    lines = shown([*crowd, *trouble], width=80, height=20)
    assert len(lines) <= 20
    assert any(line.startswith("charlie") for line in lines)
    assert any(line.startswith("and 4") and line.endswith("more") for line in lines)


def test_only_the_newest_of_many_pending_evaluations_are_live(run_facts: list[Fact]) -> None:
    many = [evaluated(1, f"w{number}", 1000, 2.0) for number in range(100)]
    lines = shown(run_facts, width=80, height=24, evaluations=many)
    assert len(lines) <= 24
    assert lines[-1].startswith("w99")


def test_names_cannot_use_markup_or_control_characters() -> None:
    lines = shown([joined("[red]x[/]"), joined("\x1b[2J")], width=80)
    assert any(line.startswith("[red]x[/]") for line in lines)
    assert any(line.startswith(r"\x1b[2J") for line in lines)


def test_an_evaluation_without_classes_shows_the_numbers_there_are() -> None:
    regression = type(evaluated(1, "federated", 1, 0.5))(
        round=1, subject="federated", evaluator="e", examples=9, metrics={"loss": 0.25, "mae": 0.4, "h": {}}
    )
    console = Console(width=60, file=io.StringIO(), record=True)
    console.print(evaluation_table([regression], GROUPS, width=60, title="round 1"))
    assert console.export_text().splitlines()[0].split() == ["round", "1", "loss", "mae"]


def test_a_row_says_why_a_node_is_not_ready_and_what_it_is_called() -> None:
    alice = NodeJoined(
        node="alice",
        kind="worker",
        examples=5,
        partition="all",
        label_counts=None,
        rejoined=False,
        tags=["gpu", "site=a"],
        unready="on battery, and the battery is nearly empty",
    )
    row = next(line for line in shown([alice, joined("bob")], width=120) if "alice" in line)
    assert "not ready: on battery, and th…" in row
    assert row.endswith("gpu,site=a")
    assert "tags" not in "".join(shown([joined("bob")], width=120))
