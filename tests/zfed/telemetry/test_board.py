from __future__ import annotations

import msgspec
import pytest

from zfed.facts import Connected, Connecting, Fact, NodeStarted, Progress, ReadinessChanged, Waiting
from zfed.telemetry.board import Board

from .conftest import WORKERS, accepted, committed, opened, progress

LOSSES = dict.fromkeys(WORKERS, 0.5)


def board_after(*facts: Fact) -> Board:
    board = Board()
    for second, fact in enumerate(facts):
        board.take(fact, float(second))
    return board


def stages(board: Board) -> dict[str, str]:
    return {row.node: row.stage for row in board.nodes.values()}


def test_a_run_in_trouble_shows_who_is_in_trouble(run_facts: list[Fact]) -> None:
    retried = next(place for place, fact in enumerate(run_facts) if type(fact).__name__ == "RoundRetried")
    board = board_after(*run_facts[:retried])
    assert stages(board) == {"alice": "asked", "evaluator": "ready", "bob": "refused", "charlie": "gone"}


def test_a_missing_worker_is_late_unless_its_trouble_is_known() -> None:
    board = board_after(opened(1), accepted("alice", 1, 0.5), committed(1, {"alice": 0.5}))
    assert stages(board) == {"alice": "done", "bob": "late", "charlie": "late"}


def test_progress_and_loss_of_training_are_kept_until_the_update_counts() -> None:
    board = board_after(opened(1), progress("alice", 1, 5))
    assert (board.nodes["alice"].progress, board.nodes["alice"].loss) == (0.5, 2.1)
    board.take(accepted("alice", 1, 0.4), 3.0)
    row = board.nodes["alice"]
    assert (row.progress, row.loss, row.seconds, row.sent_bytes) == (None, 0.4, 0.84, 1_724_320)


def test_remaining_time_comes_from_the_mean_of_the_rounds_so_far() -> None:
    board = Board()
    board.take(opened(3, rounds=10), 100.0)
    assert board.remaining_s(101.0) is None
    board.take(committed(3, LOSSES, rounds=10), 102.0)
    board.take(committed(4, LOSSES, rounds=10), 104.0)
    assert board.elapsed_s(105.0) == pytest.approx(5.0)
    assert board.remaining_s(105.0) == pytest.approx(2.0 * 6 - 1.0)
    assert board.remaining_s(1000.0) == 0.0


def test_a_nodes_wait_shows_until_its_own_work_goes_on() -> None:
    alice = NodeStarted(
        node="alice",
        kind="worker",
        coordinator="tcp://h:1",
        examples=1,
        partition="all",
        label_counts=None,
        leaving=[],
        notes=[],
        protected=True,
    )
    board = board_after(alice, Waiting(missing="the model", remaining_s=None))
    assert board.status == "waiting for the model"
    board.take(Progress(node="bob", round=1, stage="train", done=1, total=1, metrics={}), 1.0)
    assert board.status
    board.take(Progress(node="alice", round=1, stage="train", done=1, total=1, metrics={}), 1.0)
    assert board.status == ""


def test_a_search_shows_until_the_coordinator_answers() -> None:
    search = Connecting(address="tcp://h:1", elapsed_s=5.0, remaining_s=None)
    board = board_after(search)
    assert board.status.startswith("no coordinator answers at tcp://h:1")
    board.take(Connected(run="m", address="tcp://h:1", announcements=[]), 1.0)
    assert (board.status, board.run) == ("", "m")


def test_who_is_not_ready_is_shown_so_once_its_work_is_done() -> None:
    unready = ReadinessChanged(node="alice", kind="worker", unready="on battery")
    board = board_after(opened(1), progress("alice", 1, 5), unready)
    assert board.nodes["alice"].shown_stage == "train"
    board.take(accepted("alice", 1, 0.4), 3.0)
    assert board.nodes["alice"].shown_stage == "not ready: on battery"
    board.take(ReadinessChanged(node="alice", kind="worker", unready=""), 4.0)
    assert board.nodes["alice"].shown_stage == "done"


def test_who_is_missing_is_known_by_its_name_whatever_the_reason() -> None:
    fact = msgspec.structs.replace(committed(1, {"alice": 0.5}), missing=["bob (lost, and not back in time)"])
    assert stages(board_after(opened(1), fact))["bob"] == "late"
    assert set(board_after(opened(1), fact).nodes) == {"alice", "bob", "charlie"}
