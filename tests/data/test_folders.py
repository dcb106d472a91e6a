"""Folders of pictures: what is read, how it is cropped and resized, what is refused."""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from samples import draw, is_mapped

from salamandre.data import folder, pictures


def test_pictures_of_one_class(tmp_path):
    place = tmp_path / "faces"
    draw(place / "b.PNG", (0, 255, 0))
    draw(place / "a.jpeg", (255, 0, 0))
    draw(place / "c.jpg", 200)
    draw(place / ".hidden.png")
    draw(place / ".thumbnails" / "d.png")
    images = folder(place, 16)
    assert images.images.shape == (3, 3, 16, 16)
    assert images.images.dtype == np.uint8
    assert (images.classes, images.name, images.split) == (("faces",), "faces", "train")
    assert images.labels.tolist() == [0, 0, 0]
    np.testing.assert_allclose(
        images.images[:, :, 8, 8], [(255, 0, 0), (0, 255, 0), (200, 200, 200)], atol=2
    )


def test_the_middle_is_kept_and_resized(tmp_path):
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, 40:80] = 255  # the square in the middle
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "high.png")
    assert folder(tmp_path, 10).images.min() == 255
    assert folder(tmp_path, 50).images.min() == 255  # larger than the picture, too


@pytest.mark.parametrize("format", ["png", "jpg"])
def test_resizing_is_antialiased(tmp_path, format):
    board = np.indices((512, 512)).sum(0) % 2 * 255  # pixels of a chessboard: grey from afar
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / f"board.{format}")
    found = folder(tmp_path, 32, channels=1).images
    assert found.shape == (1, 1, 32, 32)
    np.testing.assert_allclose(found, 127.5, atol=3)


def test_grey_and_colour(tmp_path):
    draw(tmp_path / "a.png", (255, 0, 0))
    draw(tmp_path / "b.png", 60)
    grey = folder(tmp_path, 4, channels=1).images
    assert grey[:, 0, 0, 0].tolist() == [76, 60]  # ITU-R 601: 0.299 of red
    assert folder(tmp_path, 4).images[1, :, 0, 0].tolist() == [60] * 3


def test_modes_of_pictures(tmp_path):
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    clear.save(tmp_path / "a-transparent.png")
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(tmp_path / "b-palette.png")
    Image.fromarray(np.full((8, 8), 0x8000, np.uint16)).save(tmp_path / "c-deep.png")
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(tmp_path / "d-print.jpg")
    Image.new("1", (8, 8), 1).save(tmp_path / "e-bits.png")
    found = folder(tmp_path, 8).images[:, :, 4, 4]
    assert found.tolist() == [[255] * 3, [10, 20, 30], [128] * 3, [255] * 3, [255] * 3]


def test_upright_as_the_camera_noted(tmp_path):
    pixels = np.zeros((16, 16), np.uint8)
    pixels[:, :8] = 255  # the left half, which the note turns to the top
    note = Image.Exif()
    note[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=note)
    found = folder(tmp_path, 16, channels=1).images[0, 0]
    assert found[0].min() == 255
    assert found[-1].max() == 0


def test_it_is_decoded_once_until_something_changes(tmp_path, monkeypatch):
    calls = []
    square = pictures.square
    monkeypatch.setattr(pictures, "square", lambda *args: calls.append(args) or square(*args))
    path = draw(tmp_path / "data" / "a.png")
    draw(tmp_path / "data" / "b.png")

    def decoded(**how):
        calls.clear()
        found = folder(path.parent, **{"size": 8, **how})
        return found.images[0, :, 0, 0].tolist(), len(calls)

    assert decoded() == ([255, 0, 0], 2)
    assert decoded() == ([255, 0, 0], 0)
    assert decoded(size=4)[1] == 2
    assert decoded(channels=1)[1] == 2
    assert decoded(classes=False)[1] == 0
    draw(path, (0, 0, 9))
    os.utime(path, ns=(1, 1))
    assert decoded() == ([0, 0, 9], 2)
    draw(path.parent / "c.png")
    assert decoded()[1] == 3
    (path.parent / "c.png").unlink()
    assert decoded()[1] == 0
    shutil.move(path.parent, tmp_path / "moved")
    path = tmp_path / "moved" / "a.png"
    assert decoded()[1] == 2


def test_folders_that_look_alike_are_told_apart(tmp_path):
    for name, colour in (("one", (255, 0, 0)), ("two", (0, 255, 0))):
        path = draw(tmp_path / name / "a.png", colour)
        path.write_bytes(path.read_bytes().ljust(200, b"\0"))
        os.utime(path, ns=(1, 1))
    assert folder(tmp_path / "one", 8).images[0, :, 0, 0].tolist() == [255, 0, 0]
    assert folder(tmp_path / "two", 8).images[0, :, 0, 0].tolist() == [0, 255, 0]


def test_it_is_mapped(tmp_path):
    draw(tmp_path / "a.png")
    for _ in range(2):
        assert is_mapped(folder(tmp_path, 8).images)


def test_broken_pictures_are_named_and_left_out(tmp_path):
    whole = draw(tmp_path / "x" / "a.png", size=(64, 64)).read_bytes()
    draw(tmp_path / "y" / "d.png", (1, 2, 3))
    (tmp_path / "x" / "b.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "x" / "c.jpg").write_bytes(b"<html>")
    (tmp_path / "y" / "e.jpg").write_bytes(b"")
    (tmp_path / "y" / "f.png").symlink_to("nowhere")
    with pytest.warns(
        UserWarning,
        match=r"1 link to nothing \(y/f\.png\); 3 of 5 pictures that cannot be read \(x/b\.png: O",
    ):
        images = folder(tmp_path, 8)
    assert images.labels.tolist() == [0, 1]
    assert images.images[:, :, 0, 0].tolist() == [[255, 0, 0], [1, 2, 3]]
    with pytest.warns(UserWarning, match="; 3 of 5 pictures that cannot be read$"):
        again = folder(tmp_path, 8)  # from the cache
    np.testing.assert_array_equal(again.labels, images.labels)


@pytest.mark.parametrize(
    "error", [PermissionError(13, "denied"), OSError(5, "Input/output error"), MemoryError()]
)
def test_a_passing_error_is_raised_and_not_remembered(tmp_path, monkeypatch, error):
    draw(tmp_path / "a.png")
    draw(tmp_path / "b.png")
    square = pictures.square

    def fail(path, *how):
        if path.name == "b.png":
            raise error
        return square(path, *how)

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "square", fail)
        named = None if isinstance(error, MemoryError) else r"b\.png"
        with pytest.raises(type(error), match=named):
            folder(tmp_path, 8)
    assert len(folder(tmp_path, 8)) == 2


def test_a_damaged_picture_may_name_a_position_that_no_file_has(tmp_path, monkeypatch):
    """Which is an error of the system, but of this picture alone."""
    draw(tmp_path / "a.png")
    draw(tmp_path / "b.png")
    square = pictures.square

    def seek(path, *how):
        if path.name == "b.png":
            with path.open("rb") as file:
                file.seek(-1)
        return square(path, *how)

    monkeypatch.setattr(pictures, "square", seek)
    with pytest.warns(
        UserWarning, match=r"1 of 2 pictures that cannot be read \(b\.png: OSError\)"
    ):
        assert len(folder(tmp_path, 8)) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_pipes_are_no_pictures(tmp_path):
    draw(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to("b.png")
    with pytest.warns(UserWarning, match=r"2 files of other kinds \(pipe or device\)"):
        assert len(folder(tmp_path, 8)) == 1


def test_a_link_to_itself_is_left_out(tmp_path):
    draw(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("b.png")
    with pytest.warns(UserWarning, match=r"1 link to nothing \(b\.png\)"):
        assert len(folder(tmp_path, 8)) == 1


def test_many_broken_pictures_make_a_short_warning(tmp_path):
    draw(tmp_path / "good.png")
    for number in range(20):
        (tmp_path / f"{number:02}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"20 of 21 .*00\.png.*04\.png.* and others\)$") as caught:
        folder(tmp_path, 8)
    assert "05.png" not in str(caught[0].message)


def test_what_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere is no folder"):
        folder(tmp_path / "nowhere")
    with pytest.raises(
        ValueError, match=r"holds no picture: put files into it that end in one of \.png"
    ):
        folder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"holds no picture that can be read \(a\.png: Unid"):
            folder(tmp_path)
    draw(tmp_path / "cat" / "b.png")
    with pytest.raises(
        ValueError, match=r"1 picture outside of its class folders, such as a\.png: move them"
    ):
        folder(tmp_path)
    for wrong in ({"size": 0}, {"size": 1.5}, {"size": 4097}, {"channels": 2}, {"channels": "3"}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            folder(tmp_path, **wrong)


def test_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "BLOCK", 10 * 3 * 64 * 64)
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "PNG")
    for number in range(300):  # 3.7 MB of pixels
        (tmp_path / f"{number}.png").write_bytes(file.getvalue())
    folder(tmp_path, 32)  # so that Pillow is loaded
    tracemalloc.start()
    images = folder(tmp_path, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(images) == 300
    assert peak < 1.5e6


def test_progress_is_lines_where_there_is_no_terminal(tmp_path, capsys, monkeypatch):
    draw(tmp_path / "a.png")
    folder(tmp_path, 8)
    start, end = capsys.readouterr().err.splitlines()
    assert "0% 0" in start and "100%" in end
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    folder(tmp_path, 9)
    assert "1/1" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="a time of change is that of creation there")
def test_one_picture_replaced_by_another_of_the_same_name_size_and_date(tmp_path):
    path = draw(tmp_path / "a.bmp")
    before, info = folder(tmp_path, 8), path.stat()
    time.sleep(0.01)  # more than a step of the file system's clock
    draw(path, (77, 77, 77))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert path.stat().st_size == info.st_size
    after = folder(tmp_path, 8)
    assert (len(after), after.name, after.classes) == (len(before), before.name, before.classes)
    assert after.checksum != before.checksum


def test_warnings_of_pillow_stay_inside(tmp_path):
    """Such as that of a file whose EXIF data is cut."""
    draw(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09" + bytes(3))
    assert len(folder(tmp_path, 8)) == 1


def test_pictures_above_the_limit_of_pixels(tmp_path, monkeypatch):
    draw(tmp_path / "a.png", size=(20, 20))
    draw(tmp_path / "b.png", size=(15, 20))
    draw(tmp_path / "c.png", size=(10, 10))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)  # Pillow warns of 300, refuses 400
    with pytest.warns(
        UserWarning,
        match=r"1 of 3 .* \(a\.png: more than 300 pixels, .* PIL\.Image\.MAX_IMAGE_PIXELS: raise",
    ) as caught:
        assert len(folder(tmp_path, 8)) == 2
    assert len(caught) == 1
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    assert len(folder(tmp_path, 8)) == 3
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert len(folder(tmp_path, 8)) == 3
