"""``salamandre train``: runs that end, are killed, interrupted, starved of space, and go on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from string import ascii_uppercase

import pytest
from command import (
    FAST,
    after_epoch,
    call,
    error_of,
    letters,
    needs_signals,
    only,
    picture,
    small_run,
    started,
    table,
)
from safetensors.numpy import load_file

import salamandre as sal
from salamandre.runs import find_runs


def test_a_run_has_everything_in_its_folder(trained):
    folder = only(trained)
    assert folder.parent.name == "digits"
    assert {path.name for path in folder.iterdir()} >= {
        *("settings.json", "networks.txt", "run.lock", "curves.csv", "curves.png"),
        *("checkpoint.safetensors", "generator.safetensors", "discriminator.safetensors"),
        *("animation.gif", "samples", "networks"),
    }
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["options"]["seed"] == 5 and settings["options"]["backend"] == "numpy"
    assert settings["options"]["latent"] == 32
    assert settings["versions"]["salamandre"] == sal.__version__
    assert settings["images"]["classes"] == list("0123456789")
    rows = table(folder / "curves.csv")
    assert [int(row["round"]) for row in rows] == list(range(1, 12 * 7 + 1))
    assert set(rows[0]) == {"round", "d_loss", "g_loss", "d_real", "d_fake", "penalty"}
    samples = sorted(path.name for path in (folder / "samples").iterdir())
    assert samples == [f"{n:08d}.png" for n in (0, 63, 84)]  # the first epochs of 60 rounds
    assert "discriminator\n" in (folder / "networks.txt").read_text()


def test_the_last_epochs_are_kept_and_ten_of_the_others(trained):
    folder = only(trained)
    kept = sorted(path.name for path in (folder / "networks").glob("generator-*"))
    assert kept == [f"generator-{n:04d}.safetensors" for n in (2, 4, 6, 8, 10, 11, 12)]
    assert len(list((folder / "networks").glob("*.safetensors"))) == 14
    latest = (folder / "generator.safetensors").read_bytes()
    assert latest == (folder / "networks" / kept[-1]).read_bytes()


def test_everything_can_be_kept(place):
    call("train", *FAST, "--quiet", "--epochs", 12, "--keep", "all", "--batch-size", 1000)
    assert len(list((only("runs") / "networks").glob("*.safetensors"))) == 24


def test_a_folder_of_pictures_is_a_data_set(place):
    letters(place / "mine", ["A", "B", "cat"])
    given = ("--image-size", 8, "--batch-size", 6, "--epochs", 1, "--architecture", "cwgan")
    call("train", "--dataset", "mine", "--grey", *given)
    folder = only("runs")
    assert folder.parent.name == "mine"
    assert json.loads((folder / "settings.json").read_text())["images"]["shape"] == [1, 8, 8]
    assert "distance" in table(folder / "curves.csv")[0]
    call("generate", "mine", "--classes", "cat,B")
    output = call("generate", "mine", "--word", "ab")
    assert "a is drawn as A" in output
    assert "needs test images" in error_of("train", "--dataset", "mine", "--evaluate", 1, code=2)
    (place / "mine" / "A").rename(place / "mine" / "dog")
    message = error_of("train", "--resume", "mine", "--epochs", 2, code=1)
    assert "has other classes now (B, cat, dog) than when" in message
    assert find_runs("runs")[0].options["epochs"] == 1


def test_many_classes_are_drawn_row_by_row(place):
    letters(place / "abc", ascii_uppercase, count=2)
    given = ("--image-size", 8, "--grey", "--batch-size", 13, "--epochs", 1)
    call("train", "--dataset", "abc", *given)
    call("generate", "abc", "--noise", "fixed")
    side = 10 * 6  # 8 and a frame, six times larger
    height, width = picture(next((only("runs") / "samples").iterdir())).shape
    assert width == 6 * side and height >= 5 * side  # and a line of words above
    drawn = picture(only("runs") / "generated" / "classes-fixed-0.png")
    assert drawn.shape == (26 * side, 10 * side)


def test_images_are_resized_and_the_label_can_be_left_out(place):
    given = ("--image-size", 12, "--unconditional-discriminator", "--epochs", 1)
    call("train", *FAST, "--quiet", *given)
    folder = only("runs")
    network = sal.Network.load(folder / "discriminator.safetensors")
    assert network.input_shape == (1, 12, 12) and network.classes is None


def test_a_relativistic_game_with_a_penalty_is_trained_and_continued(place):
    call("train", *FAST, "--epochs", 1, "--objective", "relativistic", "--penalty", 1)
    call("train", "--resume", "latest", "--epochs", 2, "--tensorboard")
    assert list((only("runs") / "tensorboard").glob("events.*"))
    rows = table(only("runs") / "curves.csv")
    assert all(float(row["penalty"]) > 0 for row in rows) and len(rows) > 2


def test_a_judge_can_be_asked(place):
    output = call("train", *FAST, "--epochs", 2, "--evaluate", 1, "--architecture", "cwgan")
    assert "accuracy on 360 test images is" in output
    (last,) = table(only("runs") / "metrics.csv")[-1:]
    assert int(last["round"]) == 6 and 0 <= float(last["right"]) <= 1
    assert "right 0." in call("runs")
    output = call("train", *FAST, "--epochs", 1, "--evaluate", 1, "--quiet")
    assert "classifier" not in output and "accuracy" not in output and "it/s" not in output


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
    assert f"is being played by another process (process ID {process.pid}): wait" in message
    assert "playing" in call("runs") and "playing" in call("show", "latest")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and errors == ""
    assert re.search(r"interrupted in epoch \d+ of 40; all is saved, continue with\n", output)
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
    assert "the run stopped after round 22 (" in line and "its last checkpoint is complete" in line
    assert (folder / "checkpoint.safetensors").read_bytes() == before
    call(*more, "--quiet")
    assert result(folder) == result(only("whole"))


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
    assert "has no generator: a game writes one after its first epoch" in error_of(
        "generate", "latest", code=2
    )


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
    assert "Warning: ffmpeg made no film: no codec" in call(
        "train", *FAST, "--quiet", "--epochs", 1
    )
    assert not (find_runs("runs")[0].folder / "animation.mp4").exists()


def test_a_folder_that_cannot_be_written_is_named(place):
    shutil.copy(__file__, "runs")  # a file where the folder should be
    message = error_of("train", *FAST, "--quiet", "--epochs", 1, code=2)
    assert "the folder of runs cannot be runs: runs is a file" in message


def test_a_run_without_tensorboardx_stays_as_it_was(place, monkeypatch):
    run = small_run()
    before = (run.folder / "settings.json").read_bytes()
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    message = error_of("train", "--resume", run.folder, "--epochs", 2, "--tensorboard", code=1)
    assert "pip install 'salamandre[tensorboard]'" in message
    assert (run.folder / "settings.json").read_bytes() == before
    assert "tensorboard" in error_of("train", *FAST, "--epochs", 1, "--tensorboard", code=1)
    assert len(find_runs("runs")) == 1


def test_names_of_options_within_paths_stay(place):
    (place / "image_size").mkdir()
    assert "/image_size " in error_of("train", "--dataset", "./image_size", code=2)
