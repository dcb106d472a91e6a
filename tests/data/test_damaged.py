"""Damaged files of every form: refused by name, in little time and memory."""

from __future__ import annotations

import tarfile

import damaged
import numpy as np
import pytest

from salamandre.data import CorruptData


@pytest.mark.parametrize("name", damaged.SAMPLES)
def test_the_samples_are_read_while_they_are_whole(name, tmp_path):
    files, read = damaged.SAMPLES[name]()
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    splits = [(one.images, one.labels) if hasattr(one, "images") else one for one in read(tmp_path)]
    grey = splits[0][0].shape[1] == 1
    truth = damaged.IMAGES[:, :, None] if grey else damaged.COLOURS
    for i, (images, labels) in enumerate(splits):
        order = slice(None)
        if "pictures in" in name:  # by class, as their names are sorted
            order = np.argsort(damaged.LABELS[i], kind="stable") if "zip" in name else order
        np.testing.assert_array_equal(labels, damaged.LABELS[i][order])
        np.testing.assert_array_equal(images, truth[i][order])


@pytest.mark.parametrize("field", ["packing", "offset"])
@pytest.mark.parametrize("value", [0xFF, 12, 14, 99])  # bz2, LZMA and AES
def test_a_zip_whose_directory_lies(tmp_path, field, value):
    files, read = damaged.SAMPLES["catalogue: idx in zip"]()
    content = bytearray(files["gzip.zip"])
    entry = content.index(b"PK\x01\x02")  # the first of the directory at the end
    place = entry + {"packing": 10, "offset": 42}[field]
    content[place] = value
    (tmp_path / "gzip.zip").write_bytes(content)
    with pytest.raises(CorruptData, match=r"gzip\.zip is damaged|gzip\.zip holds a"):
        read(tmp_path)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.GNUTYPE_SPARSE, b"x"])
@pytest.mark.parametrize("target", ["", "batches/train", "nothing"])
def test_a_member_of_a_tar_that_is_a_link(tmp_path, kind, target):
    def write(file):
        with tarfile.open(fileobj=file, mode="w") as archive:
            info = tarfile.TarInfo("batches/train")
            info.type, info.linkname = kind, target
            archive.addfile(info)

    _, read = damaged.SAMPLES["catalogue: records"]()
    (tmp_path / "cifar.tar.gz").write_bytes(damaged.written(write))
    with pytest.raises(CorruptData, match=r"cifar\.tar\.gz (holds|is damaged)"):
        read(tmp_path)


@pytest.mark.parametrize("name", damaged.SAMPLES)
def test_a_damaged_file_is_refused_by_name(name, tmp_path):
    """Each of 15 is cut, changed or lengthened; ``damaged.py`` run as a program tries more."""
    refused = sum(damaged.check(name, seed, tmp_path) != "read" for seed in range(15))
    assert refused > 0
