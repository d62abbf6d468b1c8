import json
import os
import signal

import pytest

from tests.zfed.race import toy
from zfed_cli.main import main


def simulate(*words):
    task = ("--task", "tests.zfed.race.toy:Toy", "--workers", "3", "--profile", "uniform", "--target", "0.9")
    return main(["simulate", *task, *words])


def test_a_pipe_gets_a_line_for_each_schedule(capsys):
    assert simulate("--schedule", "sync,sync") == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("sync: accuracy 0.9 after 2.") for line in lines)
    assert captured.err == ""


def test_json_is_an_object_a_line(capsys):
    assert simulate("--schedule", "sync", "--format", "json") == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["ending"] == "arrived"


def test_a_table_and_a_plot(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "100")
    assert simulate("--schedule", "sync", "--format", "table", "--plot", str(tmp_path / "race.png")) == 0
    assert "schedule" in capsys.readouterr().out
    assert (tmp_path / "race.png").stat().st_size > 1000


def test_ctrl_c_ends_with_what_there_is(capsys, monkeypatch):
    train = toy.Toy.train

    def interrupted_in_round_3(self, parameters, context):
        if context.round == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return train(self, parameters, context)

    # One signal, not one a worker: the second one interrupts at once
    monkeypatch.setattr(toy.Toy, "train", interrupted_in_round_3)
    assert simulate("--schedule", "sync,sync", "--workers", "1") == 130
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("sync: interrupted at 1 s, ")
    assert "accuracy 0.7500; 2 versions of 2 updates from 1 worker" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--schedule", "bufered"], 'unknown schedule "bufered"; did you mean "buffered"'),
        (["--workers", "many"], "--workers is 'many', expected a whole number"),
        (["--target", "high"], "--target is 'high', expected a number"),
        (["--profile", "phone"], 'unknown profile "phone"; did you mean "phones"'),
        (["--partition", "dirichlet"], "expected for instance dirichlet:0.3:1/10"),
        (["--plot", "/nowhere/at/all.png"], "there is no folder /nowhere/at"),
        (["--taget", "0.8"], 'did you mean "--target"?'),
        (["--grace", "-1"], "--grace"),
    ],
)
def test_bad_usage_is_said_and_computes_nothing(capsys, words, said):
    assert simulate(*words) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_settings_of_a_run_come_from_a_file_too(capsys, tmp_path):
    (tmp_path / "zfed.toml").write_text(
        "[run]\nrounds = 3\n[schedule]\nkind = 'async'\n[[node]]\nname = 'a'\n"
    )
    assert simulate("--schedule", "sync", "--config", str(tmp_path / "zfed.toml")) == 0
    assert capsys.readouterr().out.startswith("sync: accuracy 0.9 after")
    (tmp_path / "zfed.toml").write_text("[run]\nmin_worker = 2\n")
    assert simulate("--config", str(tmp_path / "zfed.toml")) == 2
    assert 'did you mean "min_workers"' in capsys.readouterr().err


def test_a_sync_course_waits_longer_than_a_run_would_by_default(capsys):
    slow = ("--profile", "one-slow", "--train", "epochs=130", "--until", "100000")
    assert simulate("--schedule", "sync", *slow, "--target", "0.4") == 0
    assert "1 version of 3 updates" in capsys.readouterr().out
    assert simulate("--schedule", "sync", *slow, "--target", "0.4", "--round-timeout", "600") == 0
    assert "1 version of 2 updates" in capsys.readouterr().out


def test_help_says_the_defaults_that_count_here(capsys):
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "--round-timeout SECONDS seconds a round waits for its cohort; default: as long as it takes" in said
    )
    assert "zfed simulate --schedule sync,buffered --workers 100" in said
