"""Draws a board: header, progress of the run, one row per node, the last round, the newest evaluations."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from zfed.facts import Evaluated
from zfed.telemetry.board import Board, NodeRow
from zfed.telemetry.columns import Column, draw
from zfed.telemetry.evaluation_table import evaluation_table
from zfed.telemetry.groups import LabelGroup
from zfed.telemetry.sentences import INSECURE, round_words
from zfed.telemetry.wording import count, duration, megabytes, printable

BAR_WIDTH = 10
MAX_RUN_BAR_WIDTH = 60
STAGE_WIDTH = 30
"""Of a reason why a node is not ready there is so much in its row; all of it is said above the table."""
MAX_LIVE_EVALUATIONS = 8
"""The newest of a round still being evaluated; all of them are printed once it is complete."""

_STAGE_STYLES = {
    "failed": "red",
    "refused": "red",
    "benched": "red",
    "gone": "yellow",
    "late": "yellow",
    "done": "green",
}


def draw_board(
    board: Board,
    evaluated: Sequence[Evaluated],
    groups: Sequence[LabelGroup],
    *,
    width: int,
    height: int,
    now: float,
) -> RenderableType:
    """Everything that changes, in at most `width` columns and about `height` lines."""
    head = [_line(_header(board), "bold"), *_warning(board), *_run_progress(board, width, now)]
    tail: list[RenderableType] = []
    if board.status:
        tail.append(Text(printable(board.status), "yellow"))  # may wrap: its end says how long to wait
    if board.last_round is not None:
        tail.append(_line(f"round {board.last_round.round}: {round_words(board.last_round)}"))
    newest = evaluated[-MAX_LIVE_EVALUATIONS:]
    if newest:
        title = f"round {newest[0].round}"
        tail += ["", evaluation_table(newest, groups, width=width, title=title)]
    taken = len(head) + len(tail) + len(newest) + 3
    return Group(*head, *_node_table(board, width, rows=max(1, height - taken)), *tail)


def _header(board: Board) -> str:
    return "   ".join(part for part in (board.run and f"run {board.run}", board.address) if part) or "zfed"


def _warning(board: Board) -> list[RenderableType]:
    return [] if board.protected else [_line(INSECURE, "bold red")]


def _run_progress(board: Board, width: int, now: float) -> list[RenderableType]:
    if not board.rounds:
        return [_line(f"round {board.round}")] if board.round else []
    words = f"round {board.round}/{board.rounds}"
    elapsed, remaining = board.elapsed_s(now), board.remaining_s(now)
    times = "" if elapsed is None else duration(elapsed, digits=0)
    if remaining is not None:
        times += f", {duration(remaining, digits=0)} left"
    done = board.last_round.round if board.last_round else 0
    room = width - len(words) - len(times) - 2
    bar = ProgressBar(total=board.rounds, completed=done, width=max(4, min(room, MAX_RUN_BAR_WIDTH)))
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_row(_line(words), bar, _line(times))
    return [line]


def _node_table(board: Board, width: int, *, rows: int) -> list[RenderableType]:
    if not board.nodes:
        return []
    urgent = {row.node for row in sorted(board.nodes.values(), key=_urgency)[:rows]}
    shown = sorted((row for row in board.nodes.values() if row.node in urgent), key=_is_no_worker)
    columns = [
        Column(title="stage", cells=[_stage(row) for row in shown], need=0, left=True),
        Column(title="progress", cells=[_bar(row) for row in shown], need=2, width=BAR_WIDTH, left=True),
        Column(title="loss", cells=[_loss(row) for row in shown], need=3),
        Column(title="time", cells=[_time(row) for row in shown], need=1),
        Column(title="examples", cells=[count(row.examples) for row in shown], need=4),
        Column(title="sent", cells=[_sent(row) for row in shown], need=5),
    ]
    if any(row.tags for row in shown):
        tags = [printable(",".join(row.tags)) for row in shown]
        columns.append(Column(title="tags", cells=tags, need=6, left=True))
    name_cells = [Text(printable(row.node)) for row in shown]
    lines: list[RenderableType] = ["", draw(Column(title="node", cells=name_cells, need=0), columns, width)]
    hidden = len(board.nodes) - len(shown)
    return [*lines, _line(f"and {count(hidden)} more", "dim")] if hidden else [*lines, ""]


def _urgency(row: NodeRow) -> int:
    """With more nodes than lines, those in trouble are shown first, then those at work."""
    if row.stage in ("failed", "refused", "benched", "gone", "late"):
        return 0
    return 2 if row.progress is None else 1


def _is_no_worker(row: NodeRow) -> bool:
    return row.kind != "worker"


def _stage(row: NodeRow) -> Text:
    stage = row.shown_stage
    style = _STAGE_STYLES.get(row.stage, "") if stage == row.stage else "yellow"
    text = Text(printable(stage), style)
    text.truncate(STAGE_WIDTH, overflow="ellipsis")
    return text


def _bar(row: NodeRow) -> RenderableType:
    return "" if row.progress is None else ProgressBar(total=1.0, completed=row.progress, width=BAR_WIDTH)


def _loss(row: NodeRow) -> str:
    return "" if row.loss is None else f"{row.loss:.4f}"


def _time(row: NodeRow) -> str:
    return "" if row.seconds is None else duration(row.seconds)


def _sent(row: NodeRow) -> str:
    return megabytes(row.sent_bytes) if row.sent_bytes else ""


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text), style, no_wrap=True, overflow="ellipsis")
