import re

from zfed.nodes.held_updates import HeldUpdates
from zfed.simulation import fuzz


def test_fuzz_says_what_it_did_and_that_no_promise_was_broken(capsys):
    assert fuzz.main(["--seconds", "1", "--from", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("from seed 1, for 1 s\n")
    assert re.search(r"no promise was broken in \d+ schedules, seeds 1 to \d+\n\d+ rounds, \d+ a CPU", said)
    assert "slowest recovery: " in said


def test_fuzz_says_how_to_see_a_broken_promise_again_with_as_few_faults_as_it_takes(capsys, monkeypatch):
    monkeypatch.setattr(HeldUpdates, "find", lambda self, order: None)
    assert fuzz.main(["--seconds", "60", "--from", "1"]) == 1
    said = capsys.readouterr().out
    assert "BrokenPromise: " in said
    command = re.search(r"fuzz --seed (\d+)(?: --without ([\d,]+))?$", said.strip())
    arguments = ["--seed", command[1], *(["--without", command[2]] if command[2] else [])]
    assert fuzz.main(arguments) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("BrokenPromise: ")


def test_fuzz_replays_a_seed_in_words(capsys):
    assert fuzz.main(["--seed", "1"]) == 0
    said = capsys.readouterr().out
    for words in ("coordinator   -> TRAIN", "coordinator   disk: sync", "no promise was broken in"):
        assert words in said
