"""Whole files of every form are read; archives that lie are refused by name.

``tests/test_damage.py`` damages files of all forms at random.
"""

from __future__ import annotations

import tarfile

import numpy as np
import pytest
import samples

from salamandre.data import CorruptData


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_the_samples_are_read_while_they_are_whole(name, tmp_path):
    files, read = samples.SAMPLES[name]()
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    splits = [(one.images, one.labels) if hasattr(one, "images") else one for one in read(tmp_path)]
    grey = splits[0][0].shape[1] == 1
    truth = samples.IMAGES[:, :, None] if grey else samples.COLOURS
    for i, (images, labels) in enumerate(splits):
        order = slice(None)
        if "pictures in" in name:  # by class, as their names are sorted
            order = np.argsort(samples.LABELS[i], kind="stable") if "zip" in name else order
        np.testing.assert_array_equal(labels, samples.LABELS[i][order])
        np.testing.assert_array_equal(images, truth[i][order])


@pytest.mark.parametrize("field", ["packing", "offset"])
@pytest.mark.parametrize("value", [0xFF, 12, 14, 99])  # bz2, LZMA and AES
def test_a_zip_whose_directory_lies(tmp_path, field, value):
    files, read = samples.SAMPLES["catalogue: idx in zip"]()
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

    _, read = samples.SAMPLES["catalogue: records"]()
    (tmp_path / "cifar.tar.gz").write_bytes(samples.written(write))
    with pytest.raises(CorruptData, match=r"cifar\.tar\.gz (holds|is damaged)"):
        read(tmp_path)
