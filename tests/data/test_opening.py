"""Data of one's own is opened as it stands: what a source is, its splits and the options."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import samples
from PIL import Image
from samples import COLOURS, IMAGES, LABELS, same, save

from salamandre import data
from salamandre.data.opening import located


def test_folders_of_pictures_need_not_be_classes(tmp_path):
    pictures = tmp_path / "holidays"
    for name in ("a.png", "sea/b.png", "hills/c.png"):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGES[0][0]).save(pictures / name)
    with pytest.raises(ValueError, match="or give classes=False to have no classes"):
        data.open(pictures)
    train, test = data.open(pictures, classes=False, image_size=8, cache_dir=tmp_path)
    assert (len(train), train.classes, test) == (3, ("holidays",), None)


def test_a_source_is_noted_as_a_name_or_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    (tmp_path / "pets").mkdir()
    (tmp_path / "link").symlink_to("pets")
    (tmp_path / "x.npz").symlink_to("blob")  # as download caches do: the link has the name
    (tmp_path / "blob").touch()
    noted = {"mnist": "mnist", "./mnist": tmp_path / "mnist", "link": tmp_path / "pets"}
    noted |= {"x.npz": tmp_path / "x.npz", ".": tmp_path}
    assert {source: located(source) for source in noted} == {k: str(v) for k, v in noted.items()}
    with pytest.raises(
        ValueError, match=r"did you mean 'mnist'\? .*nor is there a folder of pictures, or fil"
    ):
        located("mnits")


def test_size_and_channels(tmp_path):
    path = save(tmp_path, x=COLOURS[0][..., :-2], y=LABELS[0])
    train, _ = data.open(path)
    assert train.shape == (3, 8, 6)
    train, _ = data.open(path, image_size=4, channels=1)
    assert train.shape == (1, 4, 4)
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 200
    grey, _ = data.open(save(tmp_path, x=red, y=[0]), channels=1)
    truth = np.asarray(Image.fromarray(red[0]).convert("L"))
    same(grey, truth[None, None])
    colour, _ = data.open(save(tmp_path, x=IMAGES[0], y=LABELS[0]), channels=3)
    same(colour, np.repeat(IMAGES[0][:, None], 3, axis=1))


def test_names_of_the_catalogue():
    whole = data.load("digits")
    train, test = data.open("digits")
    same(train, whole[0].images, whole[0].labels)
    same(test, whole[1].images, whole[1].labels)
    names = [f"number {i}" for i in range(10)]
    train, test = data.open("digits", image_size=4, channels=3, class_names=names)
    assert (train.shape, test.shape, test.classes) == ((3, 4, 4), (3, 4, 4), tuple(names))
    with pytest.raises(ValueError, match=r"digits has 10 classes .* got 1 class names"):
        data.open("digits", class_names=["a"])
    with pytest.raises(ValueError, match="digits has one of 360 images: leave it out"):
        data.open("digits", test_share=0.1)


def test_folders_of_pictures(tmp_path):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            place = tmp_path / "zoo" / split / name
            place.mkdir(parents=True)
            Image.fromarray(COLOURS[0][0].transpose(1, 2, 0)).save(place / "1.png")
    train, test = data.open(tmp_path / "zoo", image_size=8)
    assert (train.shape, train.classes, len(test)) == ((3, 8, 8), ("cat", "dog"), 2)
    (tmp_path / "zoo" / "train" / "list.csv").write_text("file,what\n1.png,cat\n")
    with pytest.warns(UserWarning, match="passed over 1 file of other kinds"):
        train, test = data.open(tmp_path / "zoo" / "train")  # not the table
    assert (train.shape, test) == ((3, 64, 64), None)
    (tmp_path / "zoo" / "train" / "list.csv").unlink()
    train, test = data.open(tmp_path / "zoo" / "train", channels=1, class_names=("dog", "cat"))
    assert (train.shape, train.classes) == ((1, 64, 64), ("dog", "cat"))


def test_folders_that_hold_several_things(tmp_path):
    path = tmp_path / "own"
    path.mkdir()
    (path / "train.csv").write_bytes(samples.csv(IMAGES[0], LABELS[0]))
    run = path / "runs" / "1"  # which learned from this folder
    run.mkdir(parents=True)
    (run / "settings.json").write_text('{"options": {}}')
    Image.fromarray(IMAGES[0][0]).save(run / "samples.png")
    same(data.open(path)[0], IMAGES[0][:, None])
    save(path, x=IMAGES[1], y=LABELS[1])
    with pytest.warns(UserWarning, match=r"read the \.npz files, and passed over \.csv files"):
        same(data.open(path)[0], IMAGES[1][:, None])
    (path / "train.csv").unlink()
    for name in ("cat", "dog"):
        (path / name).mkdir()
        Image.fromarray(IMAGES[0][0]).save(path / name / "1.png")
    with pytest.warns(UserWarning, match=r"\.npz files, and passed over folders of pictures"):
        same(data.open(path)[0], IMAGES[1][:, None])


def test_sources_that_are_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"'mnst' is neither .* did you mean 'mnist'"):
        data.open("mnst")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"notes\.txt is of no known form: .* ends in \.npz"):
        data.open(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="holds no picture"):
        data.open(tmp_path)
    with pytest.raises(ValueError, match=r"label_column is for CSV and Parquet files, and .*npz"):
        data.open(save(tmp_path, x=IMAGES[0], y=LABELS[0]), label_column="y")
    with pytest.raises(ValueError, match="label_column is for CSV and Parquet files, and digits"):
        data.open("digits", label_column="label")
    for options, message in (
        ({"channels": 2}, "channels must be 1 for grey or 3"),
        ({"image_size": 0}, "image_size must be a whole number"),
        ({"test_share": 1}, "test_share must be a finite number"),
        ({"seed": -1}, "seed must be a whole number"),
    ):
        with pytest.raises(ValueError, match=message):
            data.open("digits", **options)


def test_a_missing_package_is_named_with_the_command(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    path.write_bytes(bytes(200))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = r"a\.parquet is a Parquet file, which needs PyArrow: pip install 'salamandre\[data\]'"
    with pytest.raises(ImportError, match=message):
        data.open(path)
