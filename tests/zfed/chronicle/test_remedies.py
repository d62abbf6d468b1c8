from __future__ import annotations

from pathlib import Path

import pytest

from zfed.checkpoint import Finding
from zfed.chronicle import remedies

RUN = Path("runs/my run")


def told(*paths, damaged=()) -> list[str]:
    return remedies(RUN, [Finding(path, path not in damaged, "") for path in paths])


MODELS = ("journal.jsonl", "run.toml", "models/v00002.safetensors", "models/v00003.safetensors")


def test_nothing_damaged_is_nothing_to_do():
    assert told(*MODELS) == []


@pytest.mark.parametrize("damaged", ["models/v00003.safetensors", "state/v00003.safetensors"])
def test_a_damaged_newest_version_leaves_the_one_before(damaged):
    assert told(*MODELS, "state/v00003.safetensors", damaged=[damaged]) == [
        "a start refuses what is damaged and goes on from version 2: zfed coordinator --run 'runs/my run'"
    ]


def test_without_a_whole_version_there_is_nothing_to_go_on_from():
    (sentence,) = told(*MODELS, damaged=MODELS[2:])
    assert sentence.startswith("no version is whole: put copies of these files back")


def test_each_kind_of_file_has_its_remedy():
    paths = ("models/v00001.safetensors", "updates/r00001-a.safetensors", "model.safetensors")
    updates, final = told(*paths, damaged=paths[1:])
    assert updates.startswith("a worker's own model that is damaged is not evaluated")
    assert final.startswith("model.safetensors is a copy of the last version")


def test_a_damaged_journal_or_configuration_has_said_itself_what_to_do():
    assert told(*MODELS, damaged=MODELS[:2]) == []
