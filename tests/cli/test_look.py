"""``salamandre runs``, ``show`` and ``compare``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command import call, error_of, small_run

from salamandre.cli.look import table


def test_runs_are_found_by_a_part_of_their_names(place):
    assert "holds no runs" in error_of("show", "x", code=2)
    assert "begin one with salamandre train" in call("runs")
    first, second = small_run(), small_run()
    names = [line.split()[0] for line in call("runs").splitlines()[1:]]
    assert names == [second.name, first.name]
    second.folder.rename(place / "runs" / "digits" / "20200101-000000")
    assert call("show", "2020").splitlines()[0].split() == ["run", "digits/20200101-000000"]
    assert "2 runs have 'digits'" in error_of("show", "digits", code=2)
    message = error_of("show", "20200101-000001", code=2)
    assert "the nearest: digits/20200101-000000" in message


def test_runs_are_compared_in_one_picture(place):
    first, second = small_run(), small_run("--architecture", "cwgan")
    output = call("compare", first.folder, second.folder, "--to", "two.png")
    assert output.splitlines()[-1] == "two.png" and Path("two.png").stat().st_size > 10_000
    assert "two runs or more" in error_of("compare", first.folder, code=2)
    assert len(output.split("g_loss")) == 3 and "distance" not in output  # as in the list of runs
    (second.folder / "curves.csv").unlink()
    assert "has not played" in error_of("compare", first.folder, second.folder, code=1)
    settings = json.loads((second.folder / "settings.json").read_text())
    (second.folder / "settings.json").write_text(json.dumps({**settings, "program": ""}))
    message = error_of("train", "--resume", second.folder, code=2)
    assert "is a run of an example: continue it there" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "cgn"}, "settings.json is damaged: unknown architecture 'cgn'"),
        ({"dataset": "digit"}, "settings.json is damaged: unknown data set 'digit'"),
    ],
)
def test_a_damaged_run_is_left_out_and_refused(place, options, message):
    damaged, whole = small_run(), small_run()
    file = damaged.folder / "settings.json"
    settings = json.loads(file.read_text())
    settings["options"] |= options
    file.write_text(json.dumps(settings))
    listed = call("runs")
    assert f"{damaged.name} is left out: " in listed and message in listed
    assert f"\n{whole.name} " in listed
    for command in (("show",), ("generate",), ("train", "--resume")):
        assert message in error_of(*command, damaged.folder, code=1)
    shutil.rmtree(whole.folder)
    assert len(call("runs").splitlines()) == 1


def table_on(columns, monkeypatch, rows):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    return table(rows)


def test_tables_fit_narrow_terminals(place, monkeypatch):
    run = "digits/20261126-114530"
    lines = table_on(39, monkeypatch, [("run", "state", "losses"), (run, "complete", "d 1.5")])
    assert lines.splitlines() == ["run     " + run, "state   complete", "losses  d 1.5"]
    rows = [("classes", "one two three four five six seven"), ("files", "x" * 60)]
    lines = table_on(35, monkeypatch, rows).splitlines()
    assert lines == [
        "classes  one two three four five",
        "         six seven",
        f"files    {'x' * 60}",
    ]
    assert table_on(100, monkeypatch, rows).splitlines()[0].endswith("seven")


def test_the_folder_of_runs_has_an_earlier_option(place):
    run = small_run()
    run.folder.parents[1].rename("elsewhere")
    for option in ("--runs", "--output"):
        assert run.name in call("runs", option, "elsewhere")
    assert "--runs" not in call("runs", "--help")


def test_values_of_options_are_shown_as_people_write_them(place):
    run = small_run()
    (run.folder / "generated").mkdir()
    (run.folder / "generated" / "word.png").write_bytes(b"x")
    settings = json.loads((run.folder / "settings.json").read_text())
    settings |= {"program": "xor.py", "options": {"structure": ["2-2-1", "2-4-1"], "rate": None}}
    (run.folder / "settings.json").write_text(json.dumps(settings))
    lines = [line.split(maxsplit=1) for line in call("show", run.folder).splitlines()]
    assert ["structure", "2-2-1, 2-4-1"] in lines and ["rate", "default"] in lines
    assert any(rest[0].startswith("1 file, ") for name, *rest in lines if "generated/" in name)


def test_files_that_come_and_go_while_a_run_is_played_are_no_trouble(place):
    run = small_run()
    (run.folder / "checkpoint.safetensors.1.part").symlink_to(run.folder / "nowhere")
    assert "checkpoint.safetensors" in call("show", run.folder)
