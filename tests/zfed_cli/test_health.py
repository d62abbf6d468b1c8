import json
import time

import msgspec
import pytest

from tests.zfed.checkpoint.test_health_file import HEALTH
from zfed.checkpoint import RunDirectory, write_health
from zfed_cli.main import main


@pytest.fixture
def run(tmp_path):
    with RunDirectory.create(tmp_path, "digits", "", key="0" * 32) as directory:
        yield directory.path


def left(run, **changes):
    write_health(run, msgspec.structs.replace(HEALTH, **{"at": time.time(), "troubles": [], **changes}))


def test_a_coordinator_that_is_well_is_exit_code_zero(run, capsys):
    left(run)
    assert main(["health", "--run", str(run)]) == 0
    assert "round 4, version 3, 1 node here (alice)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"troubles": ["the door is shut"]}, "the door is shut"), ({"at": 0.0}, "no sign of life for")],
)
def test_one_that_is_not_is_exit_code_one_and_says_why(run, capsys, changes, said):
    left(run, **changes)
    assert main(["health", "--run", run.name, "--root", str(run.parent)]) == 1
    assert said in capsys.readouterr().out


def test_programs_get_json(run, capsys):
    left(run, troubles=["the door is shut"])
    assert main(["health", "--run", str(run), "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert (record["version"], record["ailments"]) == (3, ["the door is shut"])


def test_a_run_at_which_nobody_works_is_exit_code_one(run, capsys):
    assert main(["health", "--run", str(run)]) == 1
    assert "no coordinator is at work here" in capsys.readouterr().err


def test_a_run_that_is_not_there_is_bad_usage(tmp_path):
    assert main(["health", "--run", "nothing", "--root", str(tmp_path)]) == 2
