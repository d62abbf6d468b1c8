import sys

import pytest

from tests.zfed.race.test_presentation import BUFFERED, LATE, SYNC
from zfed.errors import UsageError
from zfed.race import check_plot, draw_race

PNG = b"\x89PNG\r\n\x1a\n"


def test_courses_are_drawn_into_a_file_that_appears_as_a_whole(tmp_path):
    path = tmp_path / "race.png"
    check_plot(path)
    draw_race([SYNC, BUFFERED, LATE], 0.88, "100 workers", path)
    assert path.read_bytes().startswith(PNG)
    assert list(tmp_path.iterdir()) == [path]


def test_a_race_in_which_nothing_was_evaluated_is_drawn_too(tmp_path):
    draw_race([LATE], 0.88, "100 workers", tmp_path / "race.png")
    assert (tmp_path / "race.png").exists()


def test_a_plot_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "race.png").mkdir()
    with pytest.raises(UsageError, match=r"race\.png cannot be written: Is a directory"):
        draw_race([LATE], 0.88, "100 workers", tmp_path / "race.png")


def test_what_a_plot_lacks_is_said_before_the_race(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="there is no folder"):
        check_plot(tmp_path / "nowhere" / "race.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError, match=r"pip install 'zfed\[plot\]'"):
        check_plot(tmp_path / "race.png")
