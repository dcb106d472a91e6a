"""Archives of pictures: unpacked once, nothing outside of the cache, and what is refused."""

from __future__ import annotations

import errno
import io
import re
import tarfile

import numpy as np
import pytest
from pair_files import noise, published, save
from samples import draw, tar

from salamandre import data
from salamandre.data import archives


def test_an_archive_is_read_as_the_folder_in_it(tmp_path):
    published(tmp_path / "maps")
    published(tmp_path / "maps", 2, "val", first=9)
    files = [path for path in (tmp_path / "maps").rglob("*") if path.is_file()]
    packed = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in files}
    archive = tmp_path / "maps.tar.gz"
    archive.write_bytes(tar({**packed, "maps/index.csv": b"a,b", "maps/._0.png": b"of a system"}))
    for found, wanted in zip(data.pairs(archive), data.pairs(tmp_path / "maps"), strict=True):
        np.testing.assert_array_equal(found.examples, wanted.examples)
        assert found.name == "maps"


def test_a_damaged_archive_is_refused(tmp_path):
    published(tmp_path)
    content = tar({"0.png": (tmp_path / "train" / "0.png").read_bytes()})
    archive = tmp_path / "pairs.tar.gz"
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(data.CorruptData, match=r"pairs\.tar\.gz is damaged"):
        data.pairs(archive)
    archive.write_bytes(content)
    assert len(data.pairs(archive)[0]) == 1
    members = {f"{name}.png": (tmp_path / "train" / "0.png").read_bytes() for name in "abc"}
    plain = bytearray(tar(members, ""))
    plain[plain.index(b"b.png")] = 0  # the checksum of a head
    (tmp_path / "plain.tar").write_bytes(plain)
    with pytest.raises(data.CorruptData, match=r"plain\.tar has a damaged part"):
        data.pairs(tmp_path / "plain.tar")


def test_what_a_killed_process_has_unpacked_does_not_count(tmp_path):
    published(tmp_path)
    archive = tmp_path / "pairs.tar.gz"
    archive.write_bytes(tar({"0.png": (tmp_path / "train" / "0.png").read_bytes()}))
    draw(tmp_path / "cache" / "unpacked" / ".unfinished" / "half.png", size=(8, 4))
    assert len(data.pairs(archive)[0]) == 1
    assert not list((tmp_path / "cache").rglob("half.png"))


def test_an_archive_is_read_where_the_cache_cannot_be_written(tmp_path):
    published(tmp_path)
    archive = tmp_path / "pairs.tar.gz"
    archive.write_bytes(tar({"0.png": (tmp_path / "train" / "0.png").read_bytes()}))
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="cannot be written"):
        found, _ = data.pairs(archive, cache_dir=tmp_path / "file", image_size=16)
    np.testing.assert_array_equal(found.images[0].transpose(1, 2, 0), noise(32, 16)[:, :16])


@pytest.mark.parametrize("name", ["../../out.png", "a/../../../out.png", "{}/out.png"])
def test_nothing_is_unpacked_outside_of_the_cache(tmp_path, name):
    archive, name = tmp_path / "pairs.tar.gz", name.format(tmp_path.as_posix())
    archive.write_bytes(tar({name: b"a"}))
    with pytest.raises(data.CorruptData, match=f"has a picture '{re.escape(name)}' outside"):
        data.pairs(archive)
    assert not list(tmp_path.rglob("out.png"))


def test_no_link_is_unpacked_or_followed(tmp_path):
    (tmp_path / "other").mkdir()
    picture = save(tmp_path / "0.png", noise(32, 16))
    links = (("folder", tarfile.SYMTYPE, tmp_path / "other"), ("1.png", tarfile.LNKTYPE, picture))
    with tarfile.open(tmp_path / "pairs.tar", "w") as packed:
        for name, kind, to in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, str(to)
            packed.addfile(link)
        packed.add(picture, "folder/0.png")
    assert len(data.pairs(tmp_path / "pairs.tar")[0]) == 1
    assert not list((tmp_path / "other").iterdir())


def test_an_archive_that_swells_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MODEST", 1000)
    archive = tmp_path / "pairs.tar.gz"
    archive.write_bytes(tar({"0.png": b"a", "1.bmp": bytes(1_000_000)}))
    with pytest.raises(
        data.CorruptData, match=r"pairs\.tar\.gz has pictures of more than 200 times"
    ):
        data.pairs(archive)
    assert not list(tmp_path.rglob("0.png"))


def test_an_archive_without_pictures_is_refused(tmp_path):
    (tmp_path / "pairs.tar.gz").write_bytes(tar({"readme.txt": b"a"}))
    with pytest.raises(data.CorruptData, match=r"pairs\.tar\.gz holds no picture that ends in"):
        data.pairs(tmp_path / "pairs.tar.gz")


def test_a_full_disk_is_told_as_such(tmp_path, monkeypatch):
    published(tmp_path)
    archive = tmp_path / "pairs.tar"
    archive.write_bytes(tar({"0.png": (tmp_path / "train" / "0.png").read_bytes()}, ""))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(archives.shutil, "copyfileobj", full)
        with pytest.raises(OSError, match="No space left on device"):
            data.pairs(archive)
    assert len(data.pairs(archive)[0]) == 1


def test_of_a_picture_that_is_there_twice_the_later_one_counts(tmp_path):
    published(tmp_path, 2)
    first, second = ((tmp_path / "train" / f"{n}.png").read_bytes() for n in "01")
    archive = tmp_path / "pairs.tar"
    with tarfile.open(archive, "w") as file:
        for content in (first, second):
            info = tarfile.TarInfo("0.png")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    (tmp_path / "second.tar").write_bytes(tar({"0.png": second}, ""))
    found, wanted = (data.pairs(tmp_path / f"{name}.tar")[0] for name in ("pairs", "second"))
    np.testing.assert_array_equal(found.examples, wanted.examples)


def test_what_has_been_unpacked_is_used_where_the_cache_cannot_be_written_any_more(
    tmp_path, monkeypatch
):
    published(tmp_path)
    archive = tmp_path / "pairs.tar"
    archive.write_bytes(tar({"0.png": (tmp_path / "train" / "0.png").read_bytes()}, ""))
    with archives.unpacked(archive, tmp_path / "cache") as folder:
        kept = folder
    monkeypatch.setattr(archives.cache, "writable", lambda folder: False)
    with archives.unpacked(archive, tmp_path / "cache") as folder:
        assert folder == kept
