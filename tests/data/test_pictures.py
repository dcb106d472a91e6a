"""Picture files of every kind that is read, and those that never are."""

from __future__ import annotations

import io
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image, features

from salamandre.data import folder, pictures

LEFT, RIGHT = (200, 30, 60), (20, 90, 250)
OPTIONAL = {"webp": "webp", "avif": "avif"}  # what Pillow may be built without
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"


def drawn():
    pixels = np.empty((32, 32, 3), np.uint8)
    pixels[:, :16], pixels[:, 16:] = LEFT, RIGHT
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "suffix",
    [
        "png",
        "apng",
        "jpg",
        "jpeg",
        "jfif",
        "bmp",
        "gif",
        "webp",
        "tif",
        "tiff",
        "ppm",
        "pgm",
        "pbm",
        "pnm",
        "avif",
        "qoi",
        "heic",
    ],
)
def test_kinds_of_pictures(tmp_path, suffix):
    feature = OPTIONAL.get(suffix)
    if feature and not features.check(feature):
        pytest.skip(f"Pillow is built without {feature}")
    if suffix == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    picture = drawn().convert({"pgm": "L", "pbm": "1"}.get(suffix, "RGB"))
    try:
        picture.save(tmp_path / f"a.{suffix.upper()}")
    except (KeyError, OSError, ValueError) as error:
        pytest.skip(f"this Pillow does not write it: {error}")
    found = folder(tmp_path, 32).images[0]
    if suffix == "pbm":
        assert set(np.unique(found)) <= {0, 255}
        return
    wanted = np.array([LEFT, RIGHT])
    if suffix == "pgm":
        wanted = np.repeat(wanted @ (0.299, 0.587, 0.114), 3).reshape(2, 3)
    np.testing.assert_allclose(found[:, 16, 6], wanted[0], atol=8)
    np.testing.assert_allclose(found[:, 16, 26], wanted[1], atol=8)


@pytest.mark.parametrize("kind", ["gif", "tiff", "webp", "png"])
def test_of_several_pictures_in_a_file_the_first_is_taken(tmp_path, kind):
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ((200, 0, 0), (0, 0, 200)))
    how = {"lossless": True} if kind == "webp" else {}
    first.save(tmp_path / f"a.{kind}", save_all=True, append_images=[second], **how)
    assert folder(tmp_path, 8).images[0, :, 4, 4].tolist() == [200, 0, 0]


def test_the_suffix_may_be_that_of_another_kind(tmp_path):
    drawn().save(tmp_path / "a.jpg", "BMP")
    drawn().save(tmp_path / "b.png", "TIFF")
    assert len(folder(tmp_path, 8)) == 2


def test_programs_are_not_run(tmp_path, monkeypatch):
    """EPS is a program, which Pillow would give to Ghostscript."""
    from PIL import EpsImagePlugin

    def run(*args, **how):
        raise AssertionError("a program of a picture was run")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    drawn().save(tmp_path / "good.png")
    for name in ("a.eps", "b.ps", "c.png", "d.jpg"):
        (tmp_path / name).write_bytes(EPS)
    with pytest.warns(
        UserWarning, match=r"2 files of other kinds \(\.eps, \.ps\); 2 of 3 pictures"
    ):
        assert len(folder(tmp_path, 8)) == 1


def test_only_what_can_be_read_here_is_listed():
    assert (".heic" in pictures.suffixes()) == bool(find_spec("pillow_heif"))
    assert {".png", ".jpg", ".webp", ".tiff", ".pgm"} < set(pictures.suffixes())
    assert not {".eps", ".ps", ".pdf", ".svg", ".wmf"} & set(pictures.suffixes())


def test_a_picture_of_a_known_shape():
    file = io.BytesIO()
    drawn().save(file, "PNG")
    found = pictures.decode(file, (3, 32, 32))
    np.testing.assert_array_equal(found, np.asarray(drawn()).transpose(2, 0, 1))
    with pytest.raises(ValueError, match="it has 32×32 pixels"):
        pictures.decode(file, (3, 32, 16))
