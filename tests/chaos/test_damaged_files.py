"""What a killed run has left is torn or damaged: said in a sentence, with the remedy; no traceback."""

import subprocess

import pytest

from tests.chaos.runs import Run
from zfed.facts import NodeJoined, RunResumed

FLAGS = ("--rounds", 5, "--restart-grace", 5)


@pytest.fixture
def killed(fleet):
    """A run that was killed after its third version."""
    run = Run(fleet, *FLAGS, pause_s=0.5, remember=True)
    run.await_event("committed", version=3)
    run.kill()
    return run


def flip_a_bit(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def assert_refused(run, *words):
    """The same command ends with 1 and a sentence that holds these words."""
    run.restart()
    assert run.coordinator.exit_code() == 1
    said = run.coordinator.errors
    assert "Traceback" not in said
    assert [word for word in words if word not in said] == [], said
    return said


def test_torn_tail_of_the_journal_is_dropped_and_said_and_the_run_goes_on(killed):
    with (killed.path / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"crc":"0123abcd","event":"commi')
    killed.restart()
    assert killed.coordinator.awaited(RunResumed).torn_bytes == 32
    killed.await_workers()
    killed.finish()
    assert set(killed.trainings().values()) == {1}


def test_flipped_bit_in_the_journal_is_refused_with_the_command_that_repairs_it(killed):
    journal = killed.path / "journal.jsonl"
    last = len(journal.read_bytes().splitlines())
    flip_a_bit(journal, -10)
    said = assert_refused(killed, f"line {last} of {journal} is damaged", "checksum")
    command = said.partition("follows: ")[2].strip().splitlines()[0]
    assert "mv " in command
    assert str(journal) in command
    subprocess.run(["sh", "-c", command], check=True)
    killed.restart()
    for name in killed.workers:
        killed.coordinator.awaited(NodeJoined, node=name)
    killed.finish()


@pytest.mark.parametrize("place", [-3, 20], ids=["in-its-numbers", "in-its-header"])
def test_flipped_bit_in_a_model_is_refused_by_name_and_the_version_before_it_is_used(killed, place):
    newest = max(line["version"] for line in killed.events("committed"))
    flip_a_bit(killed.path / "models" / f"v{newest:05d}.safetensors", place)
    killed.restart()
    resumed = killed.coordinator.awaited(RunResumed)
    assert resumed.version == newest - 1
    [sentence] = resumed.damaged
    assert f"v{newest:05d}.safetensors" in sentence
    killed.finish()


def test_flipped_bit_in_the_configuration_is_refused_by_name(killed):
    flip_a_bit(killed.path / "run.toml", 40)
    assert_refused(killed, "run.toml")


def test_run_whose_models_are_all_damaged_is_refused_with_each_of_them_named(killed):
    models = sorted((killed.path / "models").glob("v*.safetensors"))
    assert models
    for model in models:
        model.write_bytes(b"")
    assert_refused(killed, *(model.name for model in models))
