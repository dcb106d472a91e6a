"""Pairs of images: side by side, in two folders, made; and what is refused."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
from pair_files import noise, published, save
from samples import draw, is_mapped

from salamandre import data
from salamandre.data import paired_folders, pairing

RANDOM = np.random.default_rng(0)


# -- side by side --------------------------------------------------------------------------------


@pytest.mark.parametrize("half", ["left", "right"])
def test_pictures_side_by_side_are_split_into_condition_and_image(tmp_path, half):
    halves = {"train": published(tmp_path), "val": published(tmp_path, 2, "val", first=9)}
    train, test = data.pairs(tmp_path, half, image_size=16)
    for found, split in ((train, "train"), (test, "val")):
        left, right = halves[split]
        conditions, images = (left, right) if half == "left" else (right, left)
        np.testing.assert_array_equal(found.conditions, conditions)
        np.testing.assert_array_equal(found.images, images)
    assert (train.split, test.split, train.name) == ("train", "test", tmp_path.name)


def test_a_folder_may_be_called_like_a_data_set(tmp_path):
    left, right = published(tmp_path / "digits")
    train, _ = data.pairs(tmp_path / "digits", "left", image_size=16)
    assert train.name == "digits"
    np.testing.assert_array_equal(train.conditions, left)
    np.testing.assert_array_equal(train.images, right)


def test_each_half_is_cropped_to_its_middle_and_resized_as_a_picture_of_its_own(tmp_path):
    wide = np.concatenate([noise(30, 20), noise(30, 20, seed=1)], axis=1)
    save(tmp_path / "both" / "a.png", wide)
    for number, part in enumerate((wide[:, :30], wide[:, 30:])):
        save(tmp_path / f"half {number}" / "a.png", part)
    pairs, test = data.pairs(tmp_path / "both", "left", image_size=8)
    assert test is None
    for number, found in enumerate((pairs.conditions, pairs.images)):
        alone = data.folder(tmp_path / f"half {number}", 8)
        np.testing.assert_array_equal(found, alone.images)


def test_without_a_test_split_a_share_of_the_pairs_is_one(tmp_path):
    published(tmp_path, 10)
    train, test = data.pairs(tmp_path / "train", test_share=0.3, transform=data.Flip())
    assert (len(train), len(test)) == (7, 3)
    assert train.transform and not test.transform
    whole, _ = data.pairs(tmp_path / "train")
    rows = {pair.tobytes() for part in (train, test) for pair in part.examples}
    assert rows == {pair.tobytes() for pair in whole.examples}


def test_pairs_are_mapped_from_the_cache_until_a_picture_changes(tmp_path, monkeypatch):
    left, _ = published(tmp_path)
    first, _ = data.pairs(tmp_path / "train", "left", image_size=16)
    assert is_mapped(first.examples)
    with monkeypatch.context() as patch:
        patch.setattr(paired_folders, "halves", None)
        again, _ = data.pairs(tmp_path / "train", "left", image_size=16)
    np.testing.assert_array_equal(again.examples, first.examples)
    save(tmp_path / "train" / "1.png", 255 - noise(32, 16, 1))
    changed, _ = data.pairs(tmp_path / "train", "left", image_size=16)
    np.testing.assert_array_equal(changed.conditions[1], 255 - left[1])
    assert changed.checksum != first.checksum == again.checksum


def test_an_odd_width_is_refused_and_the_picture_named(tmp_path):
    published(tmp_path)
    save(tmp_path / "train" / "odd.png", noise(31, 16))
    with pytest.raises(data.CorruptData, match=r"odd\.png is 31 pixels wide, and two pictures"):
        data.pairs(tmp_path)


def test_pairs_that_cannot_be_read_are_left_out_with_a_warning(tmp_path):
    published(tmp_path)
    (tmp_path / "train" / "1.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"passed over 1 of 3 pairs that cannot be read \(1\.png"):
        found, _ = data.pairs(tmp_path / "train")
    assert len(found) == 2


def test_of_two_pictures_the_one_that_cannot_be_read_is_named(tmp_path):
    for number in range(3):
        save(tmp_path / "photos" / f"{number}.png", noise(seed=number))
        save(tmp_path / "labels" / f"{number}.bmp", noise(seed=9 + number))
    (tmp_path / "labels" / "1.bmp").write_bytes(b"no picture")
    broken = r"1 of 3 pairs that cannot be read \(1\.png: .*labels/1\.bmp: UnidentifiedImageError\)"
    with pytest.warns(UserWarning, match=broken):
        found, _ = data.pairs(tmp_path / "photos", tmp_path / "labels")
    assert len(found) == 2


# -- two folders ---------------------------------------------------------------------------------


def test_pictures_of_one_name_in_two_folders_are_pairs(tmp_path):
    for number in range(3):
        save(tmp_path / "photos" / "a" / f"{number}.png", noise(seed=number))
        save(tmp_path / "labels" / "a" / f"{number}.bmp", noise(seed=9 + number))
    found, test = data.pairs(tmp_path / "photos", tmp_path / "labels", image_size=16)
    assert test is None
    for number in range(3):
        np.testing.assert_array_equal(found.images[number].transpose(1, 2, 0), noise(seed=number))
        label = found.conditions[number].transpose(1, 2, 0)
        np.testing.assert_array_equal(label, noise(seed=9 + number))


def test_both_folders_have_the_same_splits(tmp_path):
    for split, colour in (("train", (255, 0, 0)), ("val", (0, 255, 0))):
        draw(tmp_path / "photos" / split / "1.png", colour)
        draw(tmp_path / "labels" / split / "1.png")
    train, test = data.pairs(tmp_path / "photos", str(tmp_path / "labels"), image_size=8)
    assert train.images[0, :, 0, 0].tolist() == [255, 0, 0]
    assert test.images[0, :, 0, 0].tolist() == [0, 255, 0]
    with pytest.raises(ValueError, match=r"photos has its training and test .*train does not"):
        data.pairs(tmp_path / "photos", tmp_path / "labels" / "train")


def test_names_without_a_partner_are_listed(tmp_path):
    for name in "abcdefgh":
        draw(tmp_path / "photos" / f"{name}.png")
    for name in "abx":
        draw(tmp_path / "labels" / f"{name}.png")
    wanted = r"labels lacks 6 names \(c, d, e, f, g and others\) and \S*photos lacks 1 name \(x\)"
    with pytest.raises(ValueError, match=wanted):
        data.pairs(tmp_path / "photos", tmp_path / "labels")


def test_the_pictures_of_a_pair_have_one_size(tmp_path):
    draw(tmp_path / "photos" / "a.png", size=(20, 20))
    draw(tmp_path / "labels" / "a.png", size=(20, 21))
    with pytest.raises(data.CorruptData, match=r"20×21 pixels and .* 20×20 pixels, and the pict"):
        data.pairs(tmp_path / "photos", tmp_path / "labels")


def test_two_pictures_of_one_name_in_a_folder_are_refused(tmp_path):
    for place in ("photos/a.png", "photos/a.bmp", "labels/a.png"):
        draw(tmp_path / place)
    with pytest.raises(ValueError, match=r"photos holds a\.bmp and a\.png, and the pictures"):
        data.pairs(tmp_path / "photos", tmp_path / "labels")


# -- made conditions -----------------------------------------------------------------------------


def made(images, conditions):
    labels = np.zeros(len(images), np.uint8)
    pairs, _ = data.pairs(data.Images(images, labels, ("a",), "b", "train"), conditions)
    return pairs.conditions


def test_grey_is_the_luminance():
    colours = RANDOM.integers(0, 256, (4, 3, 8, 8), np.uint8)
    found = made(colours, "grey")
    wanted = np.tensordot([0.299, 0.587, 0.114], colours, (0, 1))[:, None]
    assert found.shape == (4, 1, 8, 8)
    np.testing.assert_allclose(found, wanted, atol=0.51)


def test_edges_are_sobels():
    ndimage = pytest.importorskip("scipy.ndimage")
    grey = RANDOM.integers(0, 256, (2, 1, 9, 8), np.uint8)
    slopes = [
        np.hypot(*(ndimage.sobel(x[0].astype(float), axis, mode="nearest") for axis in (0, 1)))
        for x in grey
    ]
    wanted = 255 - np.minimum(np.array(slopes) / 4, 255)
    np.testing.assert_allclose(made(grey, "edges")[:, 0], wanted, atol=0.51)


def test_a_step_from_black_to_white_is_a_black_edge():
    step = np.zeros((1, 1, 6, 8), np.uint8)
    step[..., 4:] = 255
    row = [255, 255, 255, 0, 0, 255, 255, 255]
    np.testing.assert_array_equal(made(step, "edges"), np.broadcast_to(row, (1, 1, 6, 8)))


def test_small_has_lost_what_half_the_pixels_cannot_show():
    fine = np.zeros((1, 1, 16, 16), np.uint8)
    fine[..., ::2] = 200  # columns by turns: all that is left is their mean
    np.testing.assert_allclose(made(fine, "small")[..., 4:-4], 100, atol=1)
    np.testing.assert_array_equal(made(np.full((1, 3, 7, 9), 50, np.uint8), "small"), 50)


def test_masked_lacks_the_middle():
    whole = RANDOM.integers(0, 100, (2, 3, 8, 12), np.uint8)
    found = made(whole, "masked")
    hidden = np.zeros((8, 12), bool)
    hidden[2:6, 3:9] = True
    np.testing.assert_array_equal(found[..., hidden], 128)
    np.testing.assert_array_equal(found[..., ~hidden], whole[..., ~hidden])


def test_a_function_makes_conditions_block_by_block(monkeypatch):
    whole = RANDOM.integers(0, 256, (5, 3, 8, 8), np.uint8)
    monkeypatch.setattr(pairing, "BLOCK", 2 * 3 * 64)
    calls = []
    found = made(whole, lambda images: calls.append(len(images)) or 255 - images[:, :2])
    assert calls == [2, 2, 1]
    np.testing.assert_array_equal(found, 255 - whole[:, :2])


def test_conditions_of_a_published_set_keep_its_splits_and_come_from_the_cache(monkeypatch):
    first = data.pairs("digits", "edges")
    assert [len(one) for one in first] == [1437, 360]
    assert is_mapped(first[0].examples)
    monkeypatch.setattr(pairing, "_blocks", None)
    again = data.pairs("digits", "edges")
    assert [one.checksum for one in first] == [one.checksum for one in again]


def test_a_white_that_is_not_255_becomes_255():
    train, _ = data.pairs("digits", "masked")
    digits, _ = data.load("digits")
    np.testing.assert_array_equal(train.images, np.rint(digits.images * (255 / 16)))


def test_folders_of_classes_are_taken_as_one_folder(tmp_path):
    for name in ("s1/a.png", "s2/b.png", "c.png"):
        draw(tmp_path / name)
    found, _ = data.pairs(tmp_path, "masked", image_size=8, channels=1)
    assert found.examples.shape == (3, 2, 8, 8)


# -- pairs ---------------------------------------------------------------------------------------


def arrays(count=4, size=8):
    return [RANDOM.integers(0, 256, (count, c, size, size), np.uint8) for c in (1, 3)]


def test_a_transform_changes_condition_and_image_alike():
    grey, _ = arrays(32, 16)
    pairs = data.Pairs.of(grey, np.repeat(grey, 3, axis=1))
    changed = data.Jitter()(pairs.examples, np.random.default_rng(1))
    assert changed.shape == pairs.examples.shape and changed.dtype == np.uint8
    for channel in range(1, 4):
        np.testing.assert_array_equal(changed[:, channel], changed[:, 0])
    assert (changed != pairs.examples).any(axis=(1, 2, 3)).all()


def test_jitter_is_enlarging_cropping_and_mirroring():
    x = np.zeros((200, 1, 32, 32), np.uint8)
    x[..., 4:8, 4:8] = 255
    y = data.Jitter()(x, np.random.default_rng(0))
    np.testing.assert_array_equal(y, data.Jitter()(x, np.random.default_rng(0)))
    columns = (y > 127).any(axis=(1, 2)).argmax(axis=1)
    assert 0.35 < (columns > 16).mean() < 0.65  # mirrored
    rows = (y > 127).any(axis=(1, 3)).argmax(axis=1)
    assert set(rows) == {0, 1, 2, 3, 4}  # 4.5 enlarged, less one of 5 positions
    with pytest.raises(ValueError, match=r"Jitter scale must be .* at least 1, got 0\.5"):
        data.Jitter(0.5)


def test_pairs_are_indexed_copied_and_pickled_as_images_are():
    conditions, images = arrays()
    pairs = data.Pairs.of(conditions, images, "drawings")
    assert repr(pairs) == "Pairs('drawings', train: 4 of 1×8×8 → 3×8×8)"
    assert [len(part) for part in (pairs[1], pairs[:3], pairs[np.array([0, 2])])] == [1, 3, 2]
    np.testing.assert_array_equal(pairs[-1].images, images[3:])
    np.testing.assert_array_equal([one.conditions[0] for one in pairs], conditions)
    assert copy.deepcopy(pairs) is pairs
    again = pickle.loads(pickle.dumps(pairs))
    assert again.checksum == pairs.checksum and not again.images.flags.writeable
    with pytest.raises(IndexError, match="there are 4 pairs, got index 4"):
        pairs[4]


def test_some_pairs_are_chosen_in_equal_steps():
    pairs = data.Pairs.of(*arrays(10))
    assert np.array_equal(pairs.spread(4).examples, pairs[[0, 2, 5, 7]].examples)
    assert len(pairs.spread(99)) == 10
    with pytest.raises(ValueError, match="count must be"):
        pairs.spread(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, i: (c[:3], i), "one condition for each image, got 3 conditions for 4 images"),
        (lambda c, i: (c[..., :7], i), "same height and width, got 8×7 and 8×8: resize"),
        (lambda c, i: (c / 255, i), "conditions must be a uint8 array .*, got float64"),
        (lambda c, i: (c, i[0]), r"images must be a uint8 array .* got uint8 of shape \(3, 8, 8\)"),
        (lambda c, i: (c[:0], i[:0]), "at least one pixel"),
    ],
)
def test_arrays_that_are_no_pairs(change, message):
    with pytest.raises(ValueError, match=message):
        data.Pairs.of(*change(*arrays()))


@pytest.mark.parametrize(
    ("source", "conditions", "how", "message"),
    [
        (
            "digits",
            "gray",
            {},
            "must be one of left, .* got 'gray', did you mean 'grey'",
        ),
        ("digits", "right", {}, "digits holds images without cond.* give one of edges, grey"),
        ("digits", lambda x: x / 255, {}, "must be made as a uint8 array .* got float64"),
        ("digits", lambda x: x[:1], {}, r"uint8 array of shape \(1437, channels, H, W\), got"),
        ("digits", lambda x: x[..., :4], {}, "same height and width, got 8×4 and 8×8"),
        ("digits", "grey", {"channels": 2}, "channels must be 1 for grey or 3"),
        ("digits", "grey", {"test_share": 0.1}, "digits has one of 360 pairs: leave it out"),
        ("digits", "grey", {"image_size": 10**6}, "image_size must be at most 4096, got 1000000"),
        (["digits"], "grey", {}, r"must be the name of a file or folder, got \['digits'\]"),
        ("nothing", "right", {}, "'nothing' is neither the name of a data set"),
        ("nothing", "grey", {}, "'nothing' is neither the name of a data set"),
    ],
)
def test_what_is_no_source_of_pairs(source, conditions, how, message):
    with pytest.raises(ValueError, match=message):
        data.pairs(source, conditions, **how)


def test_pairs_are_split_as_other_sets_are():
    pairs = data.Pairs.of(*arrays(10))
    train, test = data.split(pairs, 0.2, seed=3)
    assert (len(train), len(test), train.split, test.split) == (8, 2, "train", "test")


def test_of_images_conditions_are_made_only():
    digits, _ = data.load("digits")
    with pytest.raises(ValueError, match="conditions of Images can only be made"):
        data.pairs(digits)
    found, test = data.pairs(digits, "grey", test_share=0.5)
    assert len(found) + len(test) == len(digits)


def test_openmoji_pairs(real):
    with warnings.catch_warnings(record=True):
        train, test = data.pairs(real / "openmoji-pairs.tar.gz")
    assert (len(train), len(test)) == (1831, 204)
    grey = train.conditions.astype(int)
    assert (np.ptp(grey, axis=1) < 30).mean() > 0.99  # line drawings are black and white
    assert (np.ptp(train.images.astype(int), axis=1) > 60).mean() > 0.1
