"""The options of programs that keep their runs."""

from __future__ import annotations

import argparse
import json
import os
import warnings
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import salamandre as sal
from salamandre.program import WrongUsage
from salamandre.runs import earlier_names, find_run, find_runs, open_run, parse_options


def options_of(*given, more=(), may_change=("rounds",), program="p.py"):
    parser = argparse.ArgumentParser(program)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--kind", choices=("a", "b"), default="a")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--names", nargs="+", default=("x", "y"))
    for name in more:
        parser.add_argument(name, type=int, default=5)
    return parse_options(parser, [str(one) for one in given], may_change)


@pytest.fixture
def run(tmp_path):
    return open_run(options_of("--output", tmp_path, "--rate", 0.5, "--plain"), "name")


@pytest.fixture(autouse=True)
def released(monkeypatch):
    """Locks that would be held until the end of the process end with the test."""
    held = []
    monkeypatch.setattr("atexit.register", held.append)
    yield held
    for release in held:
        release()


def test_a_run_keeps_its_options(run, released):
    settings = json.loads((run.folder / "settings.json").read_text())
    assert settings["program"] == "p.py"
    assert settings["options"] == {
        **{"rounds": 10, "rate": 0.5, "kind": "a", "plain": True, "names": ["x", "y"]},
    }
    assert run.state() == "playing"
    released.pop()()
    assert run.state() == "stopped"


def test_processes_that_each_train_by_themselves_are_told(tmp_path, monkeypatch):
    alone, shared = (SimpleNamespace(group=SimpleNamespace(size=n)) for n in (1, 2))
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    options = options_of("--output", tmp_path)
    with pytest.warns(UserWarning, match=r"has started 2 processes, and each has a run of p.py"):
        open_run(options, "name", loops={".": alone})
    open_run(options, "name", loops={".": shared})
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")  # where rank 0 has told it
    open_run(options, "name", loops={".": alone})


def test_a_file_as_output_and_unknown_backends_are_wrong_usage(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WrongUsage, match=r"\(--output\) cannot be .*file/a: .*file is a file"):
        options_of("--output", tmp_path / "file" / "a")
    parser = argparse.ArgumentParser("p.py")
    parser.add_argument("--backend")
    with pytest.raises(WrongUsage, match="unknown backend 'nump', did you mean 'numpy'"):
        parse_options(parser, ["--backend", "nump"])


def test_a_run_goes_on_with_its_options_and_other_rounds(run, released):
    released.pop()()
    options = options_of("--resume", run.folder, "--rounds", 20)
    assert (options.rounds, options.rate, options.plain, options.kind) == (20, 0.5, True, "a")
    again = open_run(options, "name")
    assert again.folder == run.folder and again.options["rounds"] == 20
    assert options_of("--resume", run.folder).rounds == 20


def test_a_refused_resume_writes_nothing(run, released):
    """The checkpoint is of another engine than the options now make."""
    released.pop()()

    def engine(rate):
        network = sal.Network([sal.NeuronLayer(1)], 2, sal.MeanSquaredError(), sal.SGD(rate))
        return sal.Engine(network, (np.eye(2), np.eye(2)[:, :1]), batch_size=2)

    engine(0.5).save(run.folder / "checkpoint.safetensors")
    before = (run.folder / "settings.json").read_bytes()
    given = options_of("--resume", run.folder, "--rounds", 20)
    with pytest.raises(ValueError, match=r"belongs to another run: its network\.optim"):
        open_run(given, "name", loops={".": engine(0.1)})
    assert (run.folder / "settings.json").read_bytes() == before
    assert run.state() == "stopped"
    assert open_run(given, "name", loops={".": engine(0.5)}).options["rounds"] == 20


def test_an_option_that_the_run_had_not_yet_has_its_default(run):
    options = options_of("--resume", run.folder, more=("--new",))
    assert (options.new, options.rate) == (5, 0.5)


def test_what_stays_or_does_not_fit_is_refused(run):
    given = ("--resume", run.folder)
    with pytest.raises(ValueError, match=r"--rate is 0.5 in name/.* and stays so"):
        options_of(*given, "--rate", 0.1)
    with pytest.raises(ValueError, match=r"is one of p.py"):
        options_of(*given, program="q.py")
    with pytest.raises(ValueError, match="there is no run 'nowhere': runs holds no runs"):
        options_of("--resume", "nowhere")
    file = run.folder / "settings.json"
    settings = json.loads(file.read_text())
    for name, value, message in (
        ("rounds", "many", "damaged at options.rounds: expected `int | null`, got `str`"),
        ("kind", "c", "damaged at options.kind: invalid enum value 'c'"),
        ("fog", 1, "has an option 'fog' that this version does not know"),
    ):
        options = {**settings["options"], name: value}
        file.write_text(json.dumps({**settings, "options": options}))
        with pytest.raises(ValueError) as caught:
            options_of(*given)
        assert message in str(caught.value) and str(file) in str(caught.value)


def test_a_program_may_have_nothing_to_resume(tmp_path):
    with pytest.raises(SystemExit):
        options_of("--resume", "x", may_change=None)
    assert (
        open_run(options_of("--output", tmp_path, may_change=None), "name").options["rounds"] == 10
    )


EVERY_KIND = {
    "type=sal.runs.AtLeast(1), default=3": ("--x 5", 5),
    "type=int, default=3": ("--x 5", 5),
    "type=float": ("--x 0.5", 0.5),
    "type=Path": ("--x a/b", Path("a/b")),
    "type=Path, nargs='+', default=[Path('.')]": ("--x a b", [Path("a"), Path("b")]),
    "type=lambda text: int(text, 0)": ("--x 0xff", 255),
    "type=lambda text: [int(n) for n in text.split('-')]": ("--x 1-2", [1, 2]),
    "type=str.upper, choices=('A', 'B')": ("--x a", "A"),
    "type=Decimal": ("--x 0.1", Decimal("0.1")),
    "choices=(1, 2), type=int": ("--x 2", 2),
    "action='count', default=0": ("--x --x", 2),
    "action='append'": ("--x a --x b", ["a", "b"]),
    "action='append', nargs=2, type=int": ("--x 1 2 --x 3 4", [[1, 2], [3, 4]]),
    "action='store_const', const='c'": ("--x", "c"),
    "action='append_const', const=7": ("--x --x", [7, 7]),
    "action=argparse.BooleanOptionalAction": ("--no-x", False),
    "nargs='?', const='c', default='d'": ("--x", "c"),
    "nargs='*', type=int": ("--x 1 2", [1, 2]),
    "nargs=2": ("--x a b", ["a", "b"]),
    "required=True": ("--x a", "a"),
}


def parsed(kind, words, place=None):
    parser = argparse.ArgumentParser("p.py")
    eval(f"parser.add_argument({'--x'!r}, {kind})", {**globals(), "parser": parser})
    if place is not None:
        parser.add_argument("place", **place)
    return parse_options(parser, [str(word) for word in words], ())


@pytest.mark.parametrize("held", [0, 1.5, "5", [5], True])
def test_a_number_that_is_too_small_or_none_is_refused_in_both_places(
    held, tmp_path, released, capsys
):
    kind = "type=sal.runs.AtLeast(1), default=3"
    folder = open_run(parsed(kind, ["--x", 5, "--output", tmp_path]), "name").folder
    released.pop()()
    file = folder / "settings.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({**settings, "options": {**settings["options"], "x": held}}))
    with pytest.raises(ValueError, match=r"settings.json is damaged at options.x"):
        parsed(kind, ["--resume", folder])
    with pytest.raises(SystemExit):
        parsed(kind, ["--x", "0"])
    wanted = "argument --x: must be a whole number of at least 1, got '0'"
    assert wanted in capsys.readouterr().err


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_of_option_comes_back(kind, tmp_path, released):
    words, value = EVERY_KIND[kind]
    options = parsed(kind, [*words.split(), "--output", tmp_path])
    assert options.x == value and type(options.x) is type(value)
    folder = open_run(options, "name").folder
    released.pop()()
    again = parsed(kind, ["--resume", folder])
    assert again.x == value and type(again.x) is type(value)
    assert parsed(kind, [*words.split(), "--resume", folder]).x == value  # the same once more


@pytest.mark.parametrize(
    "place, words, value",
    [
        ({}, ["here"], "here"),
        ({"type": int}, ["3"], 3),
        ({"nargs": "+"}, ["a", "b"], ["a", "b"]),
        ({"nargs": "?", "default": "d"}, [], "d"),
        ({"nargs": "*", "type": Path}, ["a"], [Path("a")]),
    ],
)
def test_arguments_without_names_come_back(place, words, value, tmp_path, released):
    options = parsed("type=int", [*words, "--output", tmp_path], place)
    folder = open_run(options, "name").folder
    released.pop()()
    assert options.place == value == parsed("type=int", ["--resume", folder], place).place
    if place.get("nargs") not in ("?", "*"):
        with pytest.raises(SystemExit):
            parsed("type=int", ["--output", tmp_path], place)  # still required in a new run


@pytest.mark.parametrize(
    "kind, words",
    [
        ("type=lambda text: {text}", "--x a"),
        ("type=lambda text: (int(text), object())", "--x 1"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_the_start(kind, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=r"--x .* cannot be kept in settings\.json: give it a type"
    ):
        parsed(kind, words.split())


@pytest.mark.parametrize("words", ["--x nan", "--x 1 inf"])
def test_numbers_that_are_not_finite_are_wrong_usage(words):
    with pytest.raises(WrongUsage, match=r"^--x must be finite, got (nan|inf)$"):
        parsed("type=float, nargs='+'", words.split())


def test_a_parser_with_other_duties_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        with pytest.raises(ValueError, match="--x opens a file: let it take a path"):
            parsed("type=argparse.FileType('w')", ["--x", "made"])
    assert not Path("made").exists()
    parser = argparse.ArgumentParser()
    parser.add_subparsers().add_parser("a")
    with pytest.raises(ValueError, match="cannot have sub-commands"):
        parse_options(parser, ["a"])


def test_options_have_earlier_names(tmp_path, released):
    def options_now(*given):
        parser = argparse.ArgumentParser("p.py")
        parser.add_argument("--latent", type=int, default=100)
        parser.add_argument("--dataset")
        earlier_names(parser, nz="latent", images="dataset")
        assert "--nz" not in parser.format_help()
        return parse_options(parser, [str(one) for one in given], ())

    assert options_now("--nz", 5).latent == 5
    folder = open_run(options_now("--output", tmp_path), "name").folder
    released.pop()()
    settings = json.loads((folder / "settings.json").read_text())
    settings["options"] = {"nz": 7, "images": "pictures", "dataset": None}
    (folder / "settings.json").write_text(json.dumps(settings))
    options = options_now("--resume", folder)
    assert (options.latent, options.dataset) == (7, "pictures")
    assert open_run(options, "name").options == {"latent": 7, "dataset": "pictures"}


def test_runs_are_resumed_by_name(tmp_path, released):
    folders = [open_run(options_of("--output", tmp_path), "name").folder for _ in range(2)]
    open_run(options_of("--output", tmp_path, program="q.py"), "other")
    for release in released:
        release()
    assert options_of("--output", tmp_path, "--resume", "latest").resume == str(folders[1])
    given = ("--output", tmp_path, "--resume", f"name/{folders[0].name}")
    assert options_of(*given).resume == str(folders[0])
    with pytest.raises(ValueError, match="2 runs have 'name' in their names"):
        options_of("--output", tmp_path, "--resume", "name")


def test_a_run_of_a_study_is_shown_but_not_resumed(run):
    part = run.part("ring-0", rate=7.0)
    assert find_run("ring-0", run.folder.parents[1]).options["rate"] == 7.0
    assert [found.folder for found in find_runs(run.folder.parents[1])] == [run.folder]
    with pytest.raises(ValueError, match="is a single run of a study: resume"):
        options_of("--resume", part.folder)
    assert run.part("ring-0").settings.started == part.settings.started


def test_the_latest_run_is_the_one_that_was_started_last(tmp_path):
    for day, changed in ((3, 100), (5, 50), (4, 200)):
        folder = tmp_path / "name" / f"2026010{day}-000000"
        folder.mkdir(parents=True)
        started = f"2026-01-0{day}T00:00:00+00:00" if day != 4 else "unknown"
        (folder / "settings.json").write_text(json.dumps({"format": 2, "started": started}))
        os.utime(folder / "settings.json", (changed, changed))
    assert [run.folder.name[7] for run in find_runs(tmp_path)] == list("543")
