"""Pixels of every mode and file against formulas in plain NumPy."""

from __future__ import annotations

import colorsys
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from salamandre.data import pictures
from salamandre.data.modes import Unusable, form_of, plain

SIZE = 8
RANDOM = np.random.default_rng(0)


def values(*shape, low=0, high=256):
    return RANDOM.integers(low, high, (SIZE, SIZE, *shape))


def over_white(colour, alpha):
    """Colours (H, W, C) with alpha (H, W) in 0..255 laid over white."""
    share = alpha[..., None] / 255
    return colour * share + 255 * (1 - share)


def grey(value):
    return np.repeat(value[..., None], 3, axis=-1)


def made(mode, pixels, kind=np.uint8):
    """A picture in memory whose bytes are known."""
    return Image.frombytes(mode, (SIZE, SIZE), pixels.astype(kind).tobytes())


def lab_to_srgb(pixels):
    """CIE L*a*b* (D50) to sRGB; the matrix from XYZ is Lindbloom's, adapted by Bradford."""
    lightness = pixels[..., 0] / 255 * 100
    a, b = (np.asarray(pixels[..., n] - 128, float) for n in (1, 2))
    fy = (lightness + 16) / 116
    f = np.stack([fy + a / 500, fy, fy - b / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.9642, 1, 0.8251)
    linear = (
        xyz
        @ np.array(
            [
                [3.1338561, -1.6168667, -0.4906146],
                [-0.9787684, 1.9161415, 0.0334540],
                [0.0719453, -0.2289914, 1.4052427],
            ]
        ).T
    )
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def of_mode(mode):
    """A picture of a mode, and its RGB values by the mode's definition."""
    if mode == "1":
        bits = values(high=2)
        return Image.fromarray(bits.astype(bool)), grey(255 * bits)
    if mode == "L":
        pixels = values()
        return made(mode, pixels), grey(pixels)
    if mode in ("LA", "La"):
        pixels = values(2)
        light, alpha = pixels[..., 0], pixels[..., 1]
        if mode == "La":  # already multiplied by alpha
            pixels[..., 0] = light = light * alpha // 255
            return made(mode, pixels), grey(light + 255 - alpha)
        return made(mode, pixels), over_white(grey(light), alpha)
    if mode in ("P", "PA"):
        colours, numbers, alpha = RANDOM.integers(0, 256, (256, 3)), values(), values()
        picture = made(mode, numbers if mode == "P" else np.stack([numbers, alpha], -1))
        picture.putpalette(colours.astype(np.uint8).tobytes())
        rgb = colours[numbers]
        return picture, rgb if mode == "P" else over_white(rgb, alpha)
    if mode in ("RGB", "RGBX"):
        pixels = values(len(mode))
        return made(mode, pixels), pixels[..., :3]
    if mode == "RGBA":
        pixels = values(4)
        return made(mode, pixels), over_white(pixels[..., :3], pixels[..., 3])
    if mode == "RGBa":
        pixels = values(4)
        pixels[..., :3] = pixels[..., :3] * pixels[..., 3:] // 255
        return made(mode, pixels), pixels[..., :3] + 255 - pixels[..., 3:]
    if mode == "CMYK":
        pixels = values(4)
        return made(mode, pixels), (255 - pixels[..., :3]) * (255 - pixels[..., 3:]) / 255
    if mode == "YCbCr":  # JFIF
        y, b, r = np.moveaxis(pixels := values(3), -1, 0)
        red, blue = y + 1.402 * (r - 128), y + 1.772 * (b - 128)
        green = y - 0.344136 * (b - 128) - 0.714136 * (r - 128)
        return made(mode, pixels), np.clip(np.stack([red, green, blue], -1), 0, 255)
    if mode == "HSV":
        pixels = values(3)
        colours = [colorsys.hsv_to_rgb(*pixel) for pixel in pixels.reshape(-1, 3) / 255]
        return made(mode, pixels), 255 * np.reshape(colours, pixels.shape)
    if mode == "LAB":
        pixels = values(3)
        # Near grey, neither dark nor light: there Pillow's tables are right to 2.
        pixels[..., 0] = pixels[..., 0] // 2 + 64
        pixels[..., 1:] = pixels[..., 1:] // 16 + 120
        stored = pixels.copy()
        stored[..., 1:] ^= 128  # bytes of a and b have a sign
        return made(mode, stored), lab_to_srgb(pixels)
    raise KeyError(mode)


MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBX",
    "RGBA",
    "RGBa",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_bytes(mode):
    picture, expected = of_mode(mode)
    flat = plain(picture, form_of(picture))
    assert flat.mode in ("L", "RGB")
    tolerance = {"La": 2, "RGBa": 2, "YCbCr": 2, "HSV": 4, "LAB": 2}.get(mode, 1)
    np.testing.assert_allclose(np.asarray(flat.convert("RGB")), expected, atol=tolerance)
    light = expected @ (0.299, 0.587, 0.114)  # ITU-R 601
    np.testing.assert_allclose(np.asarray(flat.convert("L")), light, atol=tolerance)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("I;16", "<u2"), ("I;16L", "<u2"), ("I;16B", ">u2"), ("I;16N", "=u2")],
)
def test_16_bits_of_either_byte_order(mode, kind):
    pixels = values(high=65536)
    picture = made(mode, pixels, kind)
    np.testing.assert_array_equal(plain(picture, form_of(picture)), np.rint(pixels / 257))


def own_range(pixels):
    return 255 * (pixels - pixels.min()) / (pixels.max() - pixels.min())


@pytest.mark.parametrize(
    ("mode", "pixels", "expected"),
    [
        ("I", values(), lambda x: x),
        ("I", values(high=60000), lambda x: x / 257),
        ("I", values(low=-1000, high=70), own_range),
        ("I", values(high=2**31 - 1), own_range),
        ("I", values() * 0, lambda x: x),
        ("I", values() * 0 - 5, lambda x: x * 0),
        ("F", values() / 256, lambda x: 255 * x),
        ("F", values(high=255) + 0.25, lambda x: x),
        ("F", values(high=65535) + 0.0, lambda x: x / 257),
        ("F", values() * 1e6, own_range),
        ("F", values() / 256 - 0.5, own_range),
    ],
)
def test_32_bits_and_floats(mode, pixels, expected):
    picture = made(mode, pixels, {"I": np.int32, "F": np.float32}[mode])
    np.testing.assert_allclose(plain(picture, form_of(picture)), expected(pixels), atol=0.51)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_floats_that_are_no_numbers(wrong):
    pixels = values() / 256
    pixels[3, 4] = wrong
    picture = made("F", pixels, np.float32)
    with pytest.raises(Unusable, match="its pixels hold NaN or infinity"):
        plain(picture, form_of(picture))


def png(pixels, depth, colour, transparent=b"", palette=b""):
    """A PNG file by its specification: pixels (H, W) or (H, W, C) of a bit depth."""
    height, width = pixels.shape[:2]
    if depth == 16:
        rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    else:
        bits = np.unpackbits(pixels.astype(np.uint8).reshape(height, -1, 1), axis=-1)
        rows = np.packbits(bits[..., 8 - depth :].reshape(height, -1), axis=-1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    chunks += [(b"PLTE", palette)] * bool(palette) + [(b"tRNS", transparent)] * bool(transparent)
    chunks += [(b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def shown(file, channels=3):
    """The pixels (H, W, C) of a picture in a file."""
    return pictures.decode(io.BytesIO(file), (channels, SIZE, SIZE)).transpose(1, 2, 0)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("transparent", [False, True])
def test_grey_png_files(depth, transparent):
    most = 2**depth - 1
    pixels = values(high=min(most + 1, 300))  # some values often
    key = int(pixels[0, 0])
    expected = pixels * 255 / most
    if transparent:
        expected = np.where(pixels == key, 255, expected)
    file = png(pixels, depth, 0, struct.pack(">H", key) if transparent else b"")
    np.testing.assert_allclose(shown(file), grey(expected), atol=0.51)
    np.testing.assert_allclose(shown(file, 1)[..., 0], expected, atol=0.51)


def test_16_bit_grey_of_one_upper_byte_is_not_transparent():
    pixels = np.full((SIZE, SIZE), 0x0102)
    pixels[0] = 0x0100
    file = png(pixels, 16, 0, struct.pack(">H", 0x0100))
    assert (shown(file, 1)[0] == 255).all()
    assert (shown(file, 1)[1:] == 1).all()


@pytest.mark.parametrize("depth", [8, 16])
def test_rgb_png_files_with_a_transparent_colour(depth):
    pixels = values(3, high=2**depth)
    pixels[2:4] = pixels[0, 0]
    pixels[5] = (*pixels[0, 0, :2], (pixels[0, 0, 2] + 2**depth // 2) % 2**depth)  # no match
    clear = (pixels == pixels[0, 0]).all(-1)
    expected = np.where(clear[..., None], 255, pixels * 255 / (2**depth - 1))
    file = png(pixels, depth, 2, struct.pack(">HHH", *pixels[0, 0]))
    np.testing.assert_allclose(shown(file), expected, atol=1)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("colour", "channels"), [(4, 2), (6, 4)])
def test_png_files_with_an_alpha_channel(depth, colour, channels):
    pixels = values(channels, high=2**depth)
    level = pixels * 255 / (2**depth - 1)
    tone = level[..., :-1] if channels == 4 else grey(level[..., 0])
    expected = over_white(tone, level[..., -1])
    np.testing.assert_allclose(shown(png(pixels, depth, colour)), expected, atol=2)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("alphas", [b"", b"\xff\x00", b"\x00", b"\x80\x10"])
def test_palettes(depth, alphas):
    numbers = values(high=2**depth)
    colours = RANDOM.integers(0, 256, (2**depth, 3))
    alpha = np.full(2**depth, 255)
    alpha[: len(alphas)] = list(alphas)
    file = png(numbers, depth, 3, alphas, colours.astype(np.uint8).tobytes())
    expected = over_white(colours[numbers], alpha[numbers])
    np.testing.assert_allclose(shown(file), expected, atol=1)


def test_a_transparent_colour_of_a_gif():
    numbers, colours = values(high=4), RANDOM.integers(0, 256, (4, 3))
    picture = made("P", numbers)
    picture.putpalette(colours.astype(np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, "GIF", transparency=2, append_images=[Image.new("L", (SIZE, SIZE))])
    expected = np.where((numbers == 2)[..., None], 255, colours[numbers])
    np.testing.assert_array_equal(shown(file.getvalue()), expected)


def tiff(pixels, kind, bits, photometric=1, sample_format=1, order="<"):
    """A grey TIFF file by its specification."""
    if bits == 12:  # two values in three bytes
        first, second = pixels.reshape(-1, 2).T
        data = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], -1)
        data = data.astype(np.uint8).tobytes()
    else:
        data = pixels.astype(order + kind).tobytes()
    tags = [(256, SIZE), (257, SIZE), (258, bits), (259, 1), (262, photometric), (273, 8)]
    tags += [(277, 1), (278, SIZE), (279, len(data)), (339, sample_format)]
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    mark = {"<": b"II", ">": b"MM"}[order]
    header = mark + struct.pack(f"{order}HI", 42, 8 + len(data))
    return header + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


TIFFS = {
    "16 bits": ({"kind": "u2", "bits": 16}, values(high=65536), lambda x: x / 257),
    "16 bits, the other order": (
        {"kind": "u2", "bits": 16, "order": ">"},
        values(high=65536),
        lambda x: x / 257,
    ),
    "12 bits in 16": ({"kind": "u2", "bits": 16}, values(high=4096), lambda x: x / 257),
    "12 bits": ({"kind": "", "bits": 12}, values(high=4096), lambda x: x * 255 / 4095),
    "0 is white": (
        {"kind": "u2", "bits": 16, "photometric": 0},
        values(high=65536),
        lambda x: 255 - x / 257,
    ),
    "bytes, 0 is white": ({"kind": "u1", "bits": 8, "photometric": 0}, values(), lambda x: 255 - x),
    "with a sign": (
        {"kind": "i2", "bits": 16, "sample_format": 2},
        values(low=-9000, high=9000),
        own_range,
    ),
    "32 bits without a sign": ({"kind": "u4", "bits": 32}, values(high=2**32), own_range),
    "32 bits": (
        {"kind": "i4", "bits": 32, "sample_format": 2},
        values(high=65536),
        lambda x: x / 257,
    ),
    "floats": ({"kind": "f4", "bits": 32, "sample_format": 3}, values() / 256, lambda x: 255 * x),
    "floats, 0 is white": (
        {"kind": "f4", "bits": 32, "sample_format": 3, "photometric": 0},
        values() / 256,
        lambda x: 255 - 255 * x,
    ),
}


@pytest.mark.parametrize("name", TIFFS)
def test_grey_tiff_files(name):
    how, pixels, expected = TIFFS[name]
    np.testing.assert_allclose(shown(tiff(pixels, **how), 1)[..., 0], expected(pixels), atol=0.51)


@pytest.mark.parametrize("most", [255, 1023, 65535])
def test_pgm_files_are_scaled_by_their_own_largest_value(most):
    pixels = values(high=most // 3)  # a dark picture stays dark
    kind = ">u1" if most < 256 else ">u2"
    file = b"P5 %d %d %d\n" % (SIZE, SIZE, most) + pixels.astype(kind).tobytes()
    np.testing.assert_allclose(shown(file, 1)[..., 0], pixels * 255 / most, atol=0.51)


def test_deep_pictures_are_turned_too():
    pixels = np.zeros((SIZE, SIZE), np.uint16)
    pixels[:, :4] = 65535
    note = Image.Exif()
    note[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", exif=note)
    found = pictures.square(file, SIZE, 1)[0]
    assert (found[:4] == 255).all()
    assert (found[4:] == 0).all()
