import json

import pytest

from tests.zfed.race.test_presentation import BUFFERED, LATE, PLAN, SYNC
from zfed.race import Course
from zfed_cli.race_show import RaceShow, print_table


@pytest.mark.parametrize("columns", [40, 60, 120])
def test_the_table_fits_the_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table([SYNC, BUFFERED, LATE], PLAN)
    shown = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in shown) <= columns
    assert any("5 min 00 s" in line for line in shown)
    assert columns < 60 or any("3.0x" in line for line in shown)


@pytest.mark.parametrize(
    ("format", "while_it_goes", "in_the_end"),
    [("lines", "sync: accuracy 0.88 after", ""), ("json", '{"label": "sync"', ""), ("table", "", "schedule")],
)
def test_each_format_shows_a_course_once_and_only_when_it_has_ended(
    capsys, format, while_it_goes, in_the_end
):
    show = RaceShow(PLAN, format)
    with show:
        show(Course("sync"))
        assert capsys.readouterr().out == ""
        show(SYNC)
    assert capsys.readouterr().out.startswith(while_it_goes)
    show.end([SYNC])
    assert in_the_end in capsys.readouterr().out


def test_on_a_terminal_stderr_says_how_far_the_race_is(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    show = RaceShow(PLAN, "json")
    with show:
        show(SYNC)
    captured = capsys.readouterr()
    assert "loading the data" in captured.err or "990 of 3,600 virtual s" in captured.err
    assert json.loads(captured.out)["ending"] == "arrived"
