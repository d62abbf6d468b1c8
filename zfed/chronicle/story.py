"""The story of a run, told from its journal: a sentence for what belongs together, oldest first.

A journal that is damaged is told up to the damage.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from zfed.checkpoint import examine_journal
from zfed.checkpoint.history import History
from zfed.checkpoint.run_files import RunFiles
from zfed.chronicle.alike import Record
from zfed.chronicle.holder import holder
from zfed.chronicle.overview import Overview, overview
from zfed.chronicle.storyteller import Sentence, Storyteller
from zfed.errors import CheckpointError
from zfed.rounds.participation import ParticipationTally
from zfed.telemetry.sentences import describe
from zfed.telemetry.wording import plural, printable


@dataclass(frozen=True)
class Story:
    """What happened in a run.

    Attributes:
        overview: How it stands.
        sentences: What happened, oldest first.
        participation: Who took part how often, in lines; none before the first version.
        remarks: What there is to know of the journal itself, in sentences.
        advice: What to do next, in sentences.
    """

    overview: Overview
    sentences: list[Sentence]
    participation: list[str]
    remarks: list[str]
    advice: list[str]

    @property
    def heading(self) -> str:
        """How the run stands, in a line."""
        run = self.overview
        planned = "" if run.rounds is None else f" of {run.rounds}"
        return printable(f"run {run.run_id}: {run.state}, {run.rounds_done}{planned} rounds done")


def tell_story(path: Path) -> Story:
    """Tell the story of the run in a directory for which `is_run` is true."""
    run, teller = overview(path), Storyteller()
    if run.state == "empty":
        return Story(run, [], [], [run.note], _advice(run))
    try:
        contents = examine_journal(RunFiles(path).journal_path)
    except CheckpointError as error:
        return Story(run, [], [], [str(error)], _advice(run))
    told = [sentence for record in contents.records for sentence in teller.take(record)]
    sentences = [*told, *teller.end()]
    remarks = []
    if contents.damage:
        run = replace(run, state="damaged")
        remarks.append(f"{contents.damage}; the story ends before it")
    elif contents.torn_bytes and run.state != "running":  # else it is just being written
        remarks.append(
            f"the last {plural(contents.torn_bytes, 'byte')} of the journal were never finished:"
            " nobody relied on them, and a start drops them"
        )
    return Story(run, sentences, _participation(contents.records), remarks, _advice(run))


def _participation(records: Sequence[Record]) -> list[str]:
    """What the lines that still count say of it; nothing if they are not those of a run."""
    with suppress(CheckpointError):
        tally = ParticipationTally.read(History(records, where="the journal").lines)
        return [printable(line) for line in describe(tally.report())]
    return []


def _advice(run: Overview) -> list[str]:
    command = f"zfed coordinator --run {shlex.quote(str(run.path))}"
    match run.state:
        case "running":
            return [f"it is running, as process {holder(run.path) or '(just ended)'}"]
        case "completed":
            model = RunFiles(run.path).final_model_path
            found = [f"its model: {model}"] if model.exists() else []
            best = RunFiles(run.path).best_model_path
            found += [f"the best one: {best}"] if best.exists() else []
            return [*found, f"for more rounds: {command} --rounds N, with N above {run.rounds_done}"]
        case "damaged":
            return [f"what is damaged, and what to do: zfed runs verify {shlex.quote(str(run.path))}"]
        case "empty":
            return ["to begin it: the command that made it"]
    again = [f"to go on: {command}"]
    if (run.path / "logs").is_dir():
        again.append("or, as it was begun by `zfed demo`, with all nodes: that command with --run as above")
    return again
