import random
import re
from importlib.util import find_spec

import pytest

from tests.fuzz import wire
from tests.fuzz.plain_engine import changed
from tests.fuzz.target import CORPUS
from tests.fuzz.targets import NAMES


@pytest.fixture
def short(tmp_path, monkeypatch):
    monkeypatch.setattr(wire, "KEPT", tmp_path / "kept")
    return ["--seconds", "1", "--target", "layout"]


def row(text):
    [numbers] = re.findall(r"^layout +([\d,]+) +[\d,]+ +(\d+) +(\d+)$", text, re.MULTILINE)
    return [int(number.replace(",", "")) for number in numbers]


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed")
def test_a_target_is_fuzzed_by_coverage_and_what_is_new_is_kept(short, capsys):
    assert wire.main(short) == 0
    executions, added, crashes = row(capsys.readouterr().out)
    assert executions > 100
    assert len(list((wire.KEPT / "layout").iterdir())) == added > 0
    assert crashes == 0


def test_without_atheris_a_target_is_fuzzed_blindly_and_that_is_said(short, capsys, monkeypatch):
    monkeypatch.setattr(wire, "find_spec", lambda name: None)
    assert wire.main(short) == 0
    said = capsys.readouterr().out
    assert "fuzzing blindly" in said
    executions, added, crashes = row(said)
    assert executions > 100
    assert (added, crashes) == (0, 0)


def test_a_finding_can_be_seen_again(capsys):
    assert wire.main(["--replay", str(CORPUS / "journal" / "two-commits-of-one-version")]) == 0
    assert capsys.readouterr().out in ("understood\n", "refused with a declared error\n")


def test_every_folder_of_findings_has_a_target():
    assert {folder.name for folder in CORPUS.iterdir()} <= set(NAMES)


def test_the_blind_engine_changes_what_it_sets_out_from():
    draw, seeds = random.Random(1), [b"", b'{"kind":"BYE"}']
    assert len({changed(draw, seeds) for _ in range(100)}) > 50
