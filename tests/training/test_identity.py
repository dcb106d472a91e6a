"""Settings that must be equal to continue a run, as this version and earlier ones note them."""

from __future__ import annotations

import pytest

from salamandre.training.identity import require_same_run

OLD = {"train": ["digits (train)", 1500], "transform": "Shift(pixels=2)", "seed": 1}
NEW = {"train": ["digits (train)", 1500, "0badcafe"], "transform": "Shift(pixels=2) #1234abcd"}
NEW |= {"seed": 1}


@pytest.mark.parametrize(("found", "wanted"), [(OLD, OLD), (OLD, NEW), (NEW, OLD), (NEW, NEW)])
def test_what_one_of_the_two_lacks_is_not_compared(found, wanted):
    before = repr((found, wanted))
    require_same_run(found, wanted)
    assert repr((found, wanted)) == before


@pytest.mark.parametrize(
    ("found", "changes", "message"),
    [
        (
            NEW,
            {"train": ["digits (train)", 1500, "1badcafe"]},
            r"examples of digits \(train\) ",
        ),
        (
            NEW,
            {"train": ["digits (train)", 1501, "0badcafe"]},
            r"train\[1\] is 1500, here it is",
        ),
        (OLD, {"train": ["mnist (train)", 1500, "0badcafe"]}, "train"),
        (
            NEW,
            {"transform": "Shift(pixels=2) #4321abcd"},
            r"code of the transform Shift\(p",
        ),
        (NEW, {"transform": "Shift(pixels=3) #1234abcd"}, "its transform is Shift"),
        (OLD, {"transform": "none"}, "its transform is Shift"),
        (OLD, {"seed": 2}, "its seed is 1, here it is 2"),
    ],
)
def test_what_differs_is_named(found, changes, message):
    with pytest.raises(ValueError, match=message):
        require_same_run(found, {**NEW, **changes})


def test_games_name_their_images():
    with pytest.raises(ValueError, match="the examples of faces have changed"):
        require_same_run({"images": ["faces", 9, "0"]}, {"images": ["faces", 9, "1"]})
