"""EMNIST: handwritten digits and letters, six data sets in one archive."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase, digits

from salamandre.data.entries import Archive, DataSet, Kind, Member, Split

# Capitals and small letters of other shapes; the other small letters are merged with the capitals.
_MERGED = (*digits, *ascii_uppercase, *"abdefghnqrt")


def _entry(name: str, classes: tuple[str, ...], train: int, test: int, first: int = 0) -> DataSet:
    """Return one of the six.

    Args:
        name: as in the names of its files.
        classes: what the labels from ``first`` on mean.
        train: number of examples to learn from.
        test: number of examples to judge by.
        first: the label of the first class.
    """
    roles: list[tuple[Split, Kind, int]] = [
        ("train", "images", train),
        ("train", "labels", train),
        ("test", "images", test),
        ("test", "labels", test),
    ]
    return DataSet(
        name="emnist" if name == "byclass" else f"emnist-{name}",  # by class: all there is
        title=f"EMNIST ({name})",
        shape=(1, 28, 28),
        white=255,
        classes=classes,
        train=train,
        test=test,
        licence="none stated; cite the paper",
        source="G. Cohen, S. Afshar, J. Tapson, A. van Schaik, EMNIST: an extension of MNIST to "
        "handwritten letters, 2017, arXiv:1702.05373",
        archives=(
            Archive(
                title=f"EMNIST ({name})",
                file="gzip.zip",
                format="idx",
                members=tuple(
                    Member(
                        f"gzip/emnist-{name}-{split}-{kind}-"
                        f"idx{3 if kind == 'images' else 1}-ubyte.gz",
                        split,
                        kind,
                        count,
                    )
                    for split, kind, count in roles
                ),
                md5="58c8d27c78d21e728a6bc7b3cc06412e",
                url="https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
                bytes=561_753_746,
                first_label=first,
            ),
        ),
        family="emnist",
    )


EMNIST = (
    _entry("byclass", (*digits, *ascii_uppercase, *ascii_lowercase), 697_932, 116_323),
    _entry("bymerge", _MERGED, 697_932, 116_323),
    _entry("balanced", _MERGED, 112_800, 18_800),
    _entry("letters", tuple(ascii_lowercase), 124_800, 20_800, first=1),
    _entry("digits", tuple(digits), 240_000, 40_000),
    _entry("mnist", tuple(digits), 60_000, 10_000),
)
