"""The command ``salamandre`` as processes that are killed, interrupted and starved of space."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from test_cli import call, error_of, only, table

from salamandre.runs import find_runs

FAST = ("--architecture", "cdcgan", "--batch-size", "200")  # 7 rounds an epoch
COMMAND = (sys.executable, "-m", "salamandre")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Found from any folder, also where the package is not installed.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    return tmp_path


def started(*arguments):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def after_epoch(process, epoch):
    """Wait until a process has said that an epoch is over."""
    for line in process.stdout:
        if line.startswith(f"epoch {epoch} "):
            return
    raise AssertionError(process.stderr.read())


def result(folder):
    """Return what two runs that went the same way have in common, by file."""
    paths = [*(folder / "samples").iterdir(), folder / "curves.csv", folder / "animation.gif"]
    found = {path.relative_to(folder): path.read_bytes() for path in paths}
    for player in ("generator", "discriminator"):
        for name, array in load_file(folder / f"{player}.safetensors").items():
            found[f"{player} {name}"] = array.tobytes()
    return found


@needs_signals
def test_a_killed_run_is_continued_to_the_bit(place):
    call("train", *FAST, "--quiet", "--epochs", 40, "--sample-every", 40, "--output", "whole")
    wanted = result(only("whole"))
    given = (*FAST, "--epochs", 40, "--sample-every", 40, "--checkpoint-every", 0.05)
    process = started("train", *given)
    for epoch in (3, 20):
        after_epoch(process, epoch)
        process.kill()
        process.communicate()
        folder = only("runs")
        with (folder / "curves.csv").open("a") as file:
            file.write("17,0.3")  # as if it was killed while it wrote
        assert "stopped" in call("runs")
        process = started("train", "--resume", folder.name)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert result(folder) == wanted
    assert "complete" in call("runs")
    assert not list(folder.rglob("*.part"))


@needs_signals
def test_ctrl_c_saves_and_a_run_belongs_to_one_process(place):
    given = (*FAST, "--epochs", 40, "--sample-every", 40)
    call("train", *given, "--quiet", "--output", "whole")
    process = started("train", *given)
    after_epoch(process, 2)
    message = error_of("train", "--resume", "latest", code=1)
    assert f"is being played by another process (number {process.pid}): wait" in message
    assert "playing" in call("runs") and "playing" in call("show", "latest")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and errors == ""
    assert re.search(r"interrupted in epoch \d+ of 40; all is saved, go on with\n", output)
    command = output.splitlines()[-1].split()
    assert command[:3] == ["salamandre", "train", "--resume"]
    call(*command[1:], "--quiet")
    assert result(only("runs")) == result(only("whole"))


@needs_signals
def test_a_full_disk_stops_the_run_and_leaves_its_checkpoint(place):
    call("train", *FAST, "--quiet", "--epochs", 6, "--output", "whole")
    call("train", *FAST, "--quiet", "--epochs", 3)
    folder = only("runs")
    before = (folder / "checkpoint.safetensors").read_bytes()
    # No file may be as large as a checkpoint: the write fails halfway, as on a full disk.
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); "
        "from salamandre.cli import main; main()"
    )
    more = ("train", "--resume", "latest", "--epochs", "6")
    done = subprocess.run(
        [sys.executable, "-c", program, *more, "--checkpoint-every", "0", "--quiet"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert "the run stopped after round 22 (" in line and "its last checkpoint is whole" in line
    assert (folder / "checkpoint.safetensors").read_bytes() == before
    call(*more, "--quiet")
    assert result(folder) == result(only("whole"))


def small_run(*given):
    call("train", *FAST, "--quiet", "--epochs", 1, *given)
    return find_runs("runs")[0]


def test_a_folder_of_a_newer_version_is_refused(place):
    run = small_run()
    file = run.folder / "settings.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps({"format": 2, "versions": {"salamandre": "9.1"}}))
    for command in (("train", "--resume", "latest"), ("generate", "latest"), ("show", "latest")):
        message = error_of(*command, code=1)
        assert "was written by a newer Salamandre (9.1, run folders of format 2" in message
    assert "is left out" in call("runs")
    for part, name, value in (
        *(("options", "epochs", "40"), ("options", "keep", "x"), ("images", "rounds_per_epoch", 0)),
        *(("images", "classes", None), ("options", "checkpoint_every", None)),
    ):
        file.write_text(json.dumps({**settings, part: {**settings[part], name: value}}))
        assert f"damaged: its {part} are not what" in error_of("show", "latest", code=1)
        assert "is left out" in call("runs")
    for damaged in ({**settings, "options": {}}, {**settings, "images": None}, {"format": "x"}, []):
        file.write_text(json.dumps(damaged))
        message = error_of("show", "latest", code=1)
        assert "damaged" in message or "no run of salamandre train" in message


def test_damaged_files_are_named(place):
    run = small_run()
    for name, command in (
        ("checkpoint.safetensors", ("train", "--resume", "latest")),
        ("generator.safetensors", ("generate", "latest")),
    ):
        (run.folder / name).write_bytes(b"x" * 100)
        assert f"{name} is damaged" in error_of(*command, code=1)
    for damaged in (b"\xec\xff\n1\n", b"round,d_loss\n1,a\n", b"d_loss\n1\n", b"round,d_loss\n1\n"):
        (run.folder / "curves.csv").write_bytes(damaged)
        for command in (("show", "latest"), ("compare", "latest", "latest")):
            assert "curves.csv is damaged: it must be a table" in error_of(*command, code=1)
    (run.folder / "generator.safetensors").unlink()
    assert "has no generator yet" in error_of("generate", "latest", code=2)


def test_a_run_goes_on_with_its_own_settings(place):
    run = small_run("--epochs", 2)
    given = ("train", "--resume", run.folder)
    assert "--batch-size is 200" in error_of(*given, "--batch-size", 64, code=2)
    assert "played 2 epochs already" in error_of(*given, "--epochs", 1, code=2)
    assert json.loads((run.folder / "settings.json").read_text())["options"]["epochs"] == 2
    call(*given, "--batch-size", 200, "--epochs", 3, "--keep", 1, "--quiet")
    assert len(table(run.folder / "curves.csv")) == 21
    assert json.loads((run.folder / "settings.json").read_text())["options"]["epochs"] == 3
    call(*given, "--quiet")  # nothing is left to do


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
    (second.folder / "curves.csv").unlink()
    assert "has not played" in error_of("compare", first.folder, second.folder, code=1)


@needs_signals
@pytest.mark.filterwarnings("always")
def test_a_film_is_made_where_ffmpeg_is(place, monkeypatch):
    tool = place / "bin" / "ffmpeg"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    tool.write_text('#!/bin/sh\nfor last; do :; done; cat > "$last"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    assert (small_run().folder / "animation.mp4").read_bytes().count(b"\x89PNG") == 2
    tool.write_text("#!/bin/sh\necho no codec >&2; false\n")
    assert "Warning: ffmpeg made no film: no codec" in call("train", *FAST, "--epochs", 1)
    assert not (find_runs("runs")[0].folder / "animation.mp4").exists()


@pytest.mark.filterwarnings("always")
def test_data_sets_are_listed_fetched_and_verified(place, monkeypatch):
    monkeypatch.setenv("SALAMANDRE_CACHE", str(place / "cache"))
    monkeypatch.delenv("SALAMANDRE_DATA", raising=False)
    assert "emnist-balanced" in call("datasets") == call("datasets", "list")
    assert call("datasets", "fetch", "digits").startswith("digits: 1,437 images")
    assert "as published" in call("datasets", "verify", "digits")
    assert "mnist: not here" in call("datasets", "verify", "mnist", code=1)
    (place / "gzip.zip").write_bytes(b"x")
    output = call("datasets", "verify", "emnist-digits", "--data-dir", place, code=1)
    assert "gzip.zip is damaged" in output
    assert "did you mean 'mnist'" in error_of("datasets", "fetch", "mnits", code=2)


def test_the_machine_is_measured(place):
    lines = call("bench", "--image-size", 8, "--batch-size", 8, "--seconds", 0.01).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["architecture", "cgan", "cdcgan", "cwgan"]


@needs_signals
def test_a_person_answers_on_a_terminal(place):
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*COMMAND, "train", "--seed", "1"])
    text = b""
    for question, answer in (
        (b"Data set [digits]: ", b"\n"),
        (b"[cgan]: ", b"cdcgan\n"),
        (b"Image size [8]: ", b"\n"),
        (b"Batch size [64]: ", b"200\n"),
        (b"[7]: ", b"\n"),
        (b"Epochs [200]: ", b"2\n"),
        (b"--word 012345678", b""),
    ):
        deadline = time.monotonic() + 30
        while question not in text and time.monotonic() < deadline:
            text += os.read(terminal, 1 << 16)
        text = text.partition(question)[2]
        os.write(terminal, answer)
    while True:  # a terminal ends with an error
        try:
            if not os.read(terminal, 1 << 16):
                break
        except OSError:
            break
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert len(table(only("runs") / "curves.csv")) == 14


def test_completion_knows_names(place):
    small_run()
    program = "from salamandre.cli import main; main(prog_name='salamandre')"
    for words, wanted in (
        ("salamandre tr", "train"),
        ("salamandre train --dataset emnist-ba", "emnist-balanced"),
        ("salamandre generate dig", only("runs").name),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={
                **os.environ,
                "_SALAMANDRE_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split()) - 1),
            },
            capture_output=True,
            text=True,
        )
        assert wanted in done.stdout, done


def test_a_folder_that_cannot_be_written_is_named(place):
    shutil.copy(__file__, "runs")  # a file where the folder should be
    message = error_of("train", *FAST, "--epochs", 1, code=1)
    assert message.startswith("runs/digits") and "director" in message
