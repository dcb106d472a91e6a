"""The study of the exclusive or, on small settings."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys

import numpy as np
import pytest
from command import table
from small_runs import EXAMPLES, only_folder, run

import salamandre as sal


def test_xor_draws_its_study(tmp_path):
    done = run("xor.py", "--runs", "2", "--processes", "1", cwd=tmp_path)
    folder = only_folder(tmp_path)
    for structure, rate in (("2-2-1", "0.03"), ("2-4-1", "0.3"), ("2-2-2-1", "0.3")):
        assert f"{structure}, learning rate {rate}: 2 of 2 runs above 95%" in done.stdout
        assert (folder / f"maps-{structure}-{rate}.png").stat().st_size > 5_000
        assert (folder / f"success-{structure}.png").stat().st_size > 5_000
    rows = table(folder / "runs.csv")
    assert [row["seed"] for row in rows] == ["0", "1"] * 3
    assert {row["starts"] for row in rows[:4]} == {"1"}
    # The saved network is what the table says: count its successes on the grid anew.
    network = sal.Network.load(folder / "network-2-4-1-0.3.safetensors")
    axis = -0.98 + 0.04 * np.arange(50)
    x, y = np.repeat(axis, 50), np.tile(axis, 50)
    output = network.predict(np.stack([x, y], axis=1))[:, 0]
    assert np.mean((output > 0) == (x * y < 0)) == pytest.approx(
        float(rows[2]["success"]), abs=1e-3
    )


def test_xor_compares_learning_rates(tmp_path):
    rates = ("--learning-rates", "0.0001", "0.3")
    options = ("--structure", "2-4-1", "--runs", "2", "--steps", "800", "--processes", "1")
    done = run("xor.py", *options, *rates, cwd=tmp_path)
    assert "learning rate 0.0001: 0 of 2" in done.stdout
    assert len(list(only_folder(tmp_path).glob("maps-*.png"))) == 2


def test_a_start_of_high_loss_is_followed_by_another_until_none_is_left(tmp_path):
    few = ("--structure", "2-2-2-1", "--runs", "2", "--steps", "80", "--processes", "1")
    done = run("xor.py", *few, "--starts", "5", "--learning-rates", "0.0001", cwd=tmp_path)
    assert "0 of 2 runs above 95%" in done.stdout
    assert "10 starts, at most 5 of a run" in done.stdout


def test_a_start_that_ends_the_run_between_two_tests_is_tested_at_its_end(monkeypatch):
    """Also where none has been tested before, and the one before it has failed."""
    monkeypatch.syspath_prepend(EXAMPLES)
    from xor import CORNERS, build_network, learn, truth

    for seed in (0, 6):
        curve, starts, tensors = learn(seed, "2-2-1", 0.1, 20_000, 100, "rotated", None)
        network = build_network("2-2-1", 0.1, 200, seed, None)
        network.load_tensors(tensors)
        right = (network.predict(CORNERS) > 0) == (truth(CORNERS) > 0)
        assert len(curve) == 80 and curve[-1] == right.mean() == 1
        assert starts == (2 if seed == 6 else 1)


def test_a_start_along_the_axes_is_the_solution_but_for_the_next_layers(tmp_path):
    one = ("--structure", "2-2-2-1", "--runs", "2", "--steps", "2000", "--starts", "1")
    slow = ("--learning-rates", "0.03", "--processes", "1")
    done = run("xor.py", *one, *slow, "--first-layer", "axes", cwd=tmp_path)
    assert "2 of 2 runs above 95%" in done.stdout
    assert "2 starts, at most 1 of a run" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT for one process")
def test_xor_that_is_interrupted_draws_what_is_done(tmp_path):
    command = [sys.executable, EXAMPLES / "xor.py", "--structure", "2-4-1", "--runs", "500"]
    import pty  # not on Windows

    terminal, end = pty.openpty()  # a bar elsewhere is a line now and then
    process = subprocess.Popen(
        [*command, "--steps", "2000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
        start_new_session=True,
    )
    os.close(end)  # so that reading ends when the program does
    bar = ""
    while not re.search(r"\b[1-9]\d*/500", bar):  # the first runs are done
        if not select.select([terminal], [], [], 60)[0]:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"no bar for a minute after {bar!r}")
        bar += os.read(terminal, 1000).decode()  # an OSError if the program has ended
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
    out, _ = process.communicate(timeout=60)
    err = os.read(terminal, 10000).decode()
    os.close(terminal)
    assert process.returncode == 130, err
    assert "interrupted" in out
    assert len(table(only_folder(tmp_path) / "runs.csv")) >= 1
