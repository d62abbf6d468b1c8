"""The story of a run, told from its journal: a sentence for what belongs together, oldest first.

A journal that is damaged is told up to the damage.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from zfed.checkpoint import checked_record
from zfed.checkpoint.run_files import RunFiles
from zfed.chronicle.holder import holder
from zfed.chronicle.overview import Overview, overview
from zfed.chronicle.storyteller import Sentence, Storyteller
from zfed.telemetry.wording import plural, printable


@dataclass(frozen=True)
class Story:
    """What happened in a run.

    Attributes:
        overview: How it stands.
        sentences: What happened, oldest first.
        remarks: What there is to know of the journal itself, in sentences.
        advice: What to do next, in sentences.
    """

    overview: Overview
    sentences: list[Sentence]
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
        return Story(run, [], [run.note], _advice(run))
    sentences, remarks = list[Sentence](), list[str]()
    journal = RunFiles(path).journal_path
    try:
        with open(journal, "rb") as file:
            for number, line in enumerate(file, start=1):
                record = checked_record(line[:-1])
                if not line.endswith(b"\n"):
                    remarks.append(f"{_torn(len(line))}: nobody relied on it, and a start drops it")
                    break
                if record is None:
                    remarks.append(f"line {number} of the journal is damaged: the story ends before it")
                    run = replace(run, state="damaged")
                    break
                sentences += teller.take(record)
    except OSError as error:
        remarks.append(f"{journal}: {error.strerror}")
    sentences += teller.end()
    return Story(run, sentences, remarks, _advice(run))


def _torn(nbytes: int) -> str:
    return f"the last {plural(nbytes, 'byte')} of the journal are a line that was never finished"


def _advice(run: Overview) -> list[str]:
    command = f"zfed coordinator --run {shlex.quote(str(run.path))}"
    match run.state:
        case "running":
            return [f"it is running, as process {holder(run.path) or '(just ended)'}"]
        case "completed":
            model = RunFiles(run.path).final_model_path
            found = [f"its model: {model}"] if model.exists() else []
            return [*found, f"for more rounds: {command} --rounds N, with N above {run.rounds_done}"]
        case "damaged":
            return [f"what is damaged, and what to do: zfed runs verify {shlex.quote(str(run.path))}"]
        case "empty":
            return ["to begin it: the command that made it"]
    again = [f"to go on: {command}"]
    if (run.path / "logs").is_dir():
        again.append("or, as it was begun by `zfed demo`, with all nodes: that command with --run as above")
    return again
