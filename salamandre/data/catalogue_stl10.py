"""STL-10: few labelled images of 96×96, and many without labels."""

from __future__ import annotations

from dataclasses import replace

from salamandre.data.entries import Archive, DataSet, Member

_ARCHIVE = Archive(
    title="STL-10",
    file="stl10_binary.tar.gz",
    format="columns",
    members=(
        Member(
            "stl10_binary/train_X.bin", "train", "images", 5_000, "918c2871b30a85fa023e0c44e0bee87f"
        ),
        Member(
            "stl10_binary/train_y.bin", "train", "labels", 5_000, "5a34089d4802c674881badbb80307741"
        ),
        Member(
            "stl10_binary/test_X.bin", "test", "images", 8_000, "7f263ba9f9e0b06b93213547f721ac82"
        ),
        Member(
            "stl10_binary/test_y.bin", "test", "labels", 8_000, "36f9794fa4beb8a2c72628de14fa638e"
        ),
    ),
    md5="91f7769df0f17e558f3565bffb0c7dfb",
    url="http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
    bytes=2_640_397_119,
    first_label=1,
)

STL_10 = DataSet(
    name="stl-10",
    title="STL-10",
    shape=(3, 96, 96),
    white=255,
    classes=(
        *("airplane", "bird", "car", "cat", "deer"),
        *("dog", "horse", "monkey", "ship", "truck"),
    ),
    train=5_000,
    test=8_000,
    licence="none stated; cite the paper; the images are from ImageNet",
    source="A. Coates, H. Lee, A. Y. Ng, An Analysis of Single Layer Networks in Unsupervised "
    "Feature Learning, AISTATS 2011",
    archives=(_ARCHIVE,),
)

STL_10_UNLABELED = replace(
    STL_10,
    name="stl-10-unlabeled",
    title="STL-10 without labels",
    classes=("unlabeled",),
    train=100_000,
    archives=(
        replace(
            _ARCHIVE,
            members=(
                Member(
                    "stl10_binary/unlabeled_X.bin",
                    "train",
                    "images",
                    100_000,
                    "5242ba1fed5e4be9e1e742405eb56ca4",
                ),
                _ARCHIVE.members[2],
            ),
        ),
    ),
    family="stl-10",
)
