from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zfed.chronicle.journals import RUN, write_run
from tests.zfed.simulation.simulated import configured, sized
from zfed.checkpoint import RunDirectory
from zfed.chronicle import tell_story
from zfed.config import coordinator_toml
from zfed.simulation import Simulation


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that the library itself has written, from its first model to its end."""
    simulation = Simulation(seed=1)
    for examples, name in enumerate(("alice", "bob", "carol"), start=1):
        simulation.add(name, sized(examples))
    simulation.add("eve", sized(1), kind="evaluator")
    config = configured(wait_for="3", rounds=2)
    root = tmp_path_factory.mktemp("runs")
    with RunDirectory.create(root, "whole", coordinator_toml(config)) as directory:
        simulation.run(config, directory)
    return directory.path


def test_a_run_that_the_library_wrote_is_told_to_its_end(whole):
    story = tell_story(whole)
    told = [sentence.text for sentence in story.sentences]
    assert story.heading == "run whole: completed, 2 of 2 rounds done"
    assert story.remarks == []
    assert story.participation == ["everybody took part in each of 2 versions: 3 workers"]
    for beginning in (
        "the coordinator started",
        "first model from ",
        "round 1: version 1 of alice, bob, carol",
        "round 2: version 2 of alice, bob, carol",
        "the run ended, completed",
    ):
        assert any(text.startswith(beginning) for text in told), beginning
    assert story.advice[-1] == f"for more rounds: zfed coordinator --run {whole} --rounds N, with N above 2"


def test_who_took_part_is_told_of_the_versions_that_still_count(tmp_path):
    both = {"event": "committed", "version": 1, "model": "m", "state": "", "round": 1}
    again = {"event": "started", "incarnation": 2, "version": 0}  # version 1 is damaged
    lines = [
        {**both, "workers": ["alice", "bob"]},
        again,
        {**both, "workers": ["bob"], "missing": ["alice (left)"]},
    ]
    told = tell_story(write_run(tmp_path / "a", [*RUN[:8], *lines])).participation
    assert told[0] == "2 workers took part in 1 version: 0 at least, 1 in the middle, 1 at most"
    assert [line.split()[:3] for line in told[2:]] == [["alice", "0", "1"], ["bob", "1", "1"]]


@given(st.data())
def test_whatever_happened_to_the_journal_there_is_a_story_and_no_error(tmp_path_factory, data):
    path = write_run(tmp_path_factory.mktemp("runs") / "a")
    journal = path / "journal.jsonl"
    content = bytearray(journal.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    journal.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    story = tell_story(path)
    assert story.advice
    told = [sentence.text for sentence in story.sentences]
    undisturbed = [sentence.text for sentence in tell_story(write_run(path / "b")).sentences]
    assert told[:-1] == undisturbed[: max(0, len(told) - 1)], "up to the damage it is the same story"


def test_a_torn_last_line_is_said_and_the_run_can_go_on(tmp_path):
    path = write_run(tmp_path / "a")
    with open(path / "journal.jsonl", "ab") as file:
        file.write(b'{"crc":"0')
    story = tell_story(path)
    assert story.remarks == [
        "the last 9 bytes of the journal were never finished: nobody relied on them, and a start drops them"
    ]
    assert story.advice == [f"to go on: zfed coordinator --run {path}"]


def test_what_a_power_cut_left_of_lines_that_were_not_synced_is_torn_too(tmp_path):
    """Zeros to the end of a sector, and after them a line that did reach the disk."""
    path = write_run(tmp_path / "a")
    journal = path / "journal.jsonl"
    *_, late = journal.read_bytes().splitlines(keepends=True)
    with open(journal, "ab") as file:
        file.write(bytes(-journal.stat().st_size % 512) + late)
    story = tell_story(path)
    assert story.overview.state == "interrupted"
    assert story.remarks[0].endswith("were never finished: nobody relied on them, and a start drops them")
    assert story.sentences == tell_story(write_run(tmp_path / "b")).sentences


def test_damage_in_the_middle_ends_the_story_and_advises_to_verify(tmp_path):
    path = write_run(tmp_path / "a")
    journal = path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"examples":20', b'"examples":21'))
    story = tell_story(path)
    assert story.heading == "run a: damaged, 1 of 3 rounds done"
    (remark,) = story.remarks
    assert remark.startswith(f"line 4 of {journal} is damaged")
    assert remark.endswith("; the story ends before it")
    assert story.advice == [f"what is damaged, and what to do: zfed runs verify {path}"]


def test_a_journal_that_cannot_be_read_is_said(tmp_path):
    path = write_run(tmp_path / "a")
    (path / "journal.jsonl").unlink()
    (path / "journal.jsonl").mkdir()
    story = tell_story(path)
    assert story.remarks == [f"cannot read {path / 'journal.jsonl'}: Is a directory"]
    assert story.overview.state == "damaged"


def test_a_run_that_was_only_laid_out_has_an_empty_story(tmp_path):
    story = tell_story(write_run(tmp_path / "a", []))
    assert (story.sentences, story.remarks) == ([], ["nothing has happened yet"])


def test_a_path_that_a_shell_would_part_is_quoted_in_the_advice(tmp_path):
    path = write_run(tmp_path / "my runs" / "a")
    assert story_command(path) == f"to go on: zfed coordinator --run '{path}'"


def story_command(path):
    return tell_story(path).advice[0]


def test_a_run_of_a_demo_can_go_on_with_all_its_nodes(tmp_path):
    path = write_run(tmp_path / "a")
    (path / "logs").mkdir()
    assert "`zfed demo`" in tell_story(path).advice[1]


def test_a_running_run_names_its_process(tmp_path):
    with RunDirectory.create(tmp_path, "a", "") as run:
        for record in RUN:
            run.journal.append(record, sync=False)
        assert tell_story(run.path).advice == [f"it is running, as process {os.getpid()}"]
