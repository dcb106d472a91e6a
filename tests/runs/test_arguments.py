"""The options of programs that keep their runs."""

from __future__ import annotations

import argparse
import json

import pytest

from salamandre.runs import open_run, parse_options


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


def test_a_run_goes_on_with_its_options_and_other_rounds(run, released):
    released.pop()()
    options = options_of("--resume", run.folder, "--rounds", 20)
    assert (options.rounds, options.rate, options.plain, options.kind) == (20, 0.5, True, "a")
    again = open_run(options, "name")
    assert again.folder == run.folder and again.options["rounds"] == 20
    assert options_of("--resume", run.folder).rounds == 20


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
