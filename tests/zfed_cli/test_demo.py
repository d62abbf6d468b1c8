from __future__ import annotations

import pytest

from zfed.recipes import DEFAULT_RECIPE, recipe_names, recipe_text
from zfed_cli.main import main


@pytest.mark.parametrize("name", recipe_names())
def test_print_recipe_prints_the_file(capsys, name):
    assert main(["demo", "--recipe", name, "--print-recipe"]) == 0
    assert capsys.readouterr().out == recipe_text(name)


def test_the_default_recipe_is_best(capsys):
    main(["demo", "--print-recipe"])
    assert DEFAULT_RECIPE == "best"
    assert capsys.readouterr().out == recipe_text("best")


def test_print_config_shows_overrides_with_their_flag(capsys):
    assert main(["demo", "--rounds", "2", "--seed", "9", "--print-config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("rounds = 2 ") and line.endswith("# --rounds") for line in lines)
    assert any(line.startswith("seed = 9 ") and line.endswith("# --seed") for line in lines)
    assert lines.count("[[node]]") == 4


def test_a_printed_configuration_is_a_file_that_a_demo_accepts(capsys, tmp_path):
    main(["demo", "--print-config"])
    file = tmp_path / "own.toml"
    file.write_text(capsys.readouterr().out)
    assert main(["demo", "--config", str(file), "--print-config"]) == 0


def test_a_file_without_nodes_is_refused(capsys, tmp_path):
    file = tmp_path / "zfed.toml"
    file.write_text("[run]\n")
    assert main(["demo", "--config", str(file)]) == 2
    assert "no [[node]] tables" in capsys.readouterr().err


def test_a_recipe_and_a_file_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--recipe", "best", "--config", "x"])
    assert ended.value.code == 2


def test_an_unknown_recipe_names_the_nearest(capsys):
    assert main(["demo", "--recipe", "bset", "--print-recipe"]) == 2
    assert 'unknown recipe "bset"; did you mean "best"?' in capsys.readouterr().err


def test_a_trace_that_cannot_be_written_is_said_before_anything_starts(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--trace", "gone/trace.json"]) == 2
    assert "--trace gone/trace.json: cannot be written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_levels_of_compression_are_flags_here_too(capsys):
    words = ["demo", "--compress", "int8", "--compress-model", "bf16", "--print-config"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith('compress = "int8" ') and line.endswith("# --compress") for line in lines)
    assert any(line.startswith('compress_model = "bf16"') for line in lines)
