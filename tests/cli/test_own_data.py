"""``salamandre train`` on files of one's own: IDX, NumPy, CSV."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from command import FAST, call, error_of, letters, only, table

from salamandre.runs import find_runs

LABELS = np.arange(24) % 3
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
QUICK = ("--architecture", "cdcgan", "--batch-size", 6, "--epochs", 1, "--quiet")


def write_idx(place):
    folder = place / "own"
    folder.mkdir()
    for kind, array in (("images-idx3", PIXELS), ("labels-idx1", LABELS.astype(np.uint8))):
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (folder / f"train-{kind}-ubyte").write_bytes(header + array.tobytes())
    return folder


def write_npz(place, name="own.npz", pixels=PIXELS, **more):
    np.savez(place / name, images=pixels, labels=LABELS, **more)
    return place / name


def write_csv(place):
    rows = [
        f"{label},{','.join(map(str, p.ravel()))}" for label, p in zip(LABELS, PIXELS, strict=True)
    ]
    names = ",".join(f"p{number}" for number in range(64))
    (place / "own.csv").write_text("\n".join([f"letter,{names}", *rows]))
    return place / "own.csv"


@pytest.mark.parametrize(
    "write, more",
    [(write_idx, ()), (write_npz, ()), (write_csv, ("--label-column", "letter"))],
)
def test_files_of_ones_own_are_learned_and_found_again(place, monkeypatch, write, more):
    source = write(place)
    Path("names.txt").write_text("A\nB\nC\n")
    more = (*more, "--class-names", "names.txt", "--test-share", 0.25)
    output = call("train", "--dataset", source.name, *QUICK, *more)
    assert "cdcgan on 18 images of own" in output and "%" not in output  # no bar of reading
    folder = only("runs")
    assert folder.parent.name == "own"
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["images"]["classes"] == ["A", "B", "C"]
    assert (settings["images"]["count"], settings["images"]["shape"]) == (18, [1, 8, 8])
    options = settings["options"]
    assert (options["dataset"], options["class_names"]) == (str(source), str(place / "names.txt"))
    assert (options["test_share"], options["image_size"], options["latent"]) == (0.25, 8, 100)
    assert len(table(folder / "curves.csv")) == 3
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    call("train", "--resume", place / folder, "--epochs", 2, "--quiet")
    assert len(table(place / folder / "curves.csv")) == 6


def test_images_are_resized_and_made_colourless_or_keep_their_form(place):
    write_npz(place, pixels=np.repeat(PIXELS[..., None], 3, axis=3))
    call("train", "--dataset", "own.npz", *QUICK, "--grey", "--image-size", 12)
    write_npz(place, "wide.npz", PIXELS[:, :4])
    call("train", "--dataset", "wide.npz", *QUICK, "--architecture", "cgan")
    found = {run.images.name: run for run in find_runs("runs")}
    assert found["own"].images.shape == (1, 12, 12)
    assert found["wide"].images.shape == (1, 4, 8)
    assert found["wide"].options["image_size"] is None
    call("train", "--resume", "wide", "--epochs", 2, "--quiet")


def test_data_that_have_changed_are_refused_when_a_run_is_continued(place):
    write_npz(place)
    call("train", "--dataset", "own.npz", *QUICK)
    before = {path: path.read_bytes() for path in only("runs").glob("*") if path.is_file()}
    write_npz(place, pixels=255 - PIXELS)
    message = error_of("train", "--resume", "latest", "--epochs", 2, code=1)
    assert "the examples of own (train) have changed since it was saved" in message
    (place / "own.npz").unlink()
    assert "own.npz' is neither" in error_of("train", "--resume", "latest", code=2)
    assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize(
    "given, message",
    [
        (("--test-share", "1"), "must be a number of at least 0 and below 1, got '1'"),
        (("--test-share", "0.01"), "a share of 0.01 of 24 examples leaves none to test with"),
        (("--dataset", "digits", "--test-share", "0.2"), "and digits has one of 360 images: leave"),
        (("--label-column", "x"), "--label-column is for CSV and Parquet files"),
        (("--dataset", "two.txt"), "two.txt is of no known form: expected a folder of pictures"),
        (
            ("--dataset", "oWn"),
            "nor is there a folder of pictures, or files of your",
        ),
        (("--evaluate", "1"), "which own has not: --test-share 0.1 keeps some"),
    ],
)
def test_options_that_do_not_fit_the_data(place, given, message):
    write_npz(place)
    (place / "two.txt").write_text("A\nB\n")
    assert message in error_of("train", "--dataset", "own.npz", *QUICK, *given, code=2)
    assert sorted(path.name for path in place.iterdir()) == ["own.npz", "two.txt"]


def test_names_of_other_classes_are_wrong_usage_and_a_damaged_file_is_a_failure(place):
    write_npz(place)
    (place / "two.txt").write_text("A\nB\n")
    given = (*QUICK, "--class-names", "two.txt")
    message = error_of("train", "--dataset", "own.npz", *given, code=2)
    assert "own.npz has labels in 0..2 for 2 class names" in message
    (place / "own.npz").write_bytes(b"PK\3\4")
    message = error_of("train", "--dataset", "own.npz", *QUICK, code=1)
    assert "own.npz is damaged or no .npz file" in message


def test_a_source_of_no_known_form_is_asked_for_again(place, monkeypatch):
    monkeypatch.setattr("salamandre.cli.options.on_terminal", lambda: True)
    write_npz(place)
    (place / "a.txt").write_text("x")
    output = call("train", "--quiet", given="a.txt\nown.npz\ncdcgan\n12\n6\n\n1\n")
    assert "Error: " in output and "a.txt is of no known form" in output
    assert "Image size [8]" in output and "of 24 images" in output
    assert find_runs("runs")[0].images.shape == (1, 12, 12)


def test_folders_of_splits_give_test_images(place):
    for split in ("train", "test"):
        letters(place / "abc" / split, ["a", "b"])
    call("train", "--dataset", "abc", "--grey", "--image-size", 8, *QUICK)
    (run,) = find_runs("runs")
    assert (run.images.count, run.images.classes) == (12, ("a", "b"))


def test_runs_are_kept_out_of_a_folder_of_files_too(place, monkeypatch):
    write_csv(place)
    monkeypatch.chdir(place)
    assert "would become part of the data" in error_of("train", "--dataset", ".", code=2)
    call("train", *FAST, "--quiet", "--epochs", 1, "--output", ".")  # digits are in no folder


def test_a_table_is_shown_with_the_options_of_reading_it(place):
    write_csv(place)
    (place / "names.txt").write_text("A\nB\nC\n")
    given = ("--label-column", "letter", "--class-names", "names.txt", "--test-share", 0.25)
    output = call("datasets", "show", "own.csv", *given)
    assert [line.split() for line in output.splitlines()][-3:] == [[n, "6", "2"] for n in "ABC"]
