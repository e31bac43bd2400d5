"""What becomes of each kind of photo: turned upright, in sRGB, transparency over white, 16 bits scaled to 8."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from duet_core.runtime.photos import PhotoLimits, PhotoRefused, read_photo
from duet_core.runtime.preprocess import to_rgb
from tests.app.engine.photo_bytes import (
    PRIMARIES,
    app_exif,
    app_profile,
    chunk,
    cmyk_profile,
    encoded,
    exif,
    gamma,
    icc,
    iccp,
    jpeg,
    picture,
    png,
    rgb_profile,
    riff,
    vp8x,
    webp_chunks,
)

LIMITS = PhotoLimits(pixels=25_000_000, side=10_000, aspect=50)
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How a photo with this Exif orientation is turned to be upright."""


def read(data: bytes) -> NDArray[np.int64]:
    """The photo's pixels (H, W, 3), 0…255."""
    image = read_photo(data, limits=LIMITS, side=72)
    assert image.mode == "RGB"
    return np.asarray(image).astype(np.int64)


def colour(data: bytes) -> list[int]:
    """The colour in the middle of a photo."""
    pixels = read(data)
    return [int(value) for value in pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]]


def plain(mode: str, *values: int) -> Image.Image:
    """An image of one colour."""
    return Image.new(mode, (32, 32), values if len(values) > 1 else values[0])


def with_exif(kind: str, block: bytes) -> bytes:
    """The standard picture with this Exif block."""
    if kind == "JPEG":
        return jpeg(app_exif(block), quality=95, subsampling=0)
    if kind == "PNG":
        data = encoded(picture(), "PNG")
        return data[:33] + chunk(b"eXIf", block) + data[33:]
    return riff(vp8x(48, 36, 0x08), *webp_chunks(encoded(picture(), "WEBP", lossless=True)), (b"EXIF", block))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("value", TURNS)
def test_every_orientation_is_turned_upright(value: int, kind: str, order: str) -> None:
    turn = TURNS[value]
    expected = np.asarray(picture() if turn is None else picture().transpose(turn)).astype(int)
    got = read(with_exif(kind, exif(value, order=order)))
    assert got.shape == expected.shape
    assert np.abs(got - expected).mean() < 2
    others = [picture().transpose(other) for other in TURNS.values() if other not in (None, turn)]
    same_size = [np.asarray(other).astype(int) for other in others if np.asarray(other).shape == got.shape]
    assert all(np.abs(got - other).mean() > 10 for other in same_size)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "block",
    [b"", b"MM", exif(0), exif(9), exif(kind=2), exif(6)[:14], exif(first=5000), exif(entries=0)],
    ids=["empty", "two bytes", "0", "9", "text", "cut short", "beyond the end", "no entries"],
)
def test_a_broken_orientation_turns_nothing(kind: str, block: bytes) -> None:
    assert np.abs(read(with_exif(kind, block)) - np.asarray(picture())).mean() < 2


def test_cmyk_is_read_as_photoshop_writes_it() -> None:
    """Inverted, as all programs do that write CMYK into a JPEG; Pillow's encoder too."""
    for ink, expected in (((0, 0, 0, 0), 255), ((0, 0, 0, 255), 0)):
        assert np.abs(np.subtract(colour(encoded(plain("CMYK", *ink), "JPEG")), expected)).max() <= 3
    red = colour(encoded(plain("CMYK", 0, 255, 255, 0), "JPEG"))
    assert np.abs(np.subtract(red, (255, 0, 0))).max() <= 4


def test_ycck_is_converted_by_its_adobe_marker() -> None:
    """Stored are luma and chroma of the amounts of cyan, magenta and yellow: here those that make red."""
    luma = Image.new("RGB", (32, 32), (0, 255, 255)).convert("YCbCr").getpixel((0, 0))
    assert isinstance(luma, tuple)
    data = encoded(plain("CMYK", *(255 - value for value in luma), 0), "JPEG", quality=95)
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    assert np.abs(np.subtract(colour(data[:at] + b"\2" + data[at + 1 :]), (255, 0, 0))).max() <= 4


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (0x00FF, 0), (0x0100, 1), (0x8000, 128), (0xFFFF, 255)])
def test_16_bits_are_scaled_not_clipped(value: int, expected: int) -> None:
    word = value.to_bytes(2, "big")
    for colours, samples in ((0, 1), (2, 3)):
        data = (b"\0" + word * samples * 40) * 40
        assert colour(png(size=(40, 40), depth=16, colours=colours, data=data)) == [expected] * 3
    for colours, samples in ((4, 1), (6, 3)):
        data = (b"\0" + (word * samples + b"\xff\xff") * 40) * 40
        assert colour(png(size=(40, 40), depth=16, colours=colours, data=data)) == [expected] * 3


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_few_levels_of_grey_reach_from_black_to_white(depth: int) -> None:
    ones = (b"\0" + b"\xff" * (40 * depth // 8)) * 40
    assert colour(png(size=(40, 40), depth=depth, colours=0, data=ones)) == [255] * 3
    assert colour(png(size=(40, 40), depth=depth, colours=0, data=bytes(len(ones)))) == [0] * 3


def test_transparency_is_laid_over_white() -> None:
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        assert colour(encoded(plain("RGBA", 255, 0, 0, 0), kind, **options)) == [255, 255, 255]
        assert colour(encoded(plain("RGBA", 255, 0, 0, 128), kind, **options)) == [255, 127, 127]
        assert colour(encoded(plain("RGBA", 255, 0, 0, 255), kind, **options)) == [255, 0, 0]
    assert colour(encoded(plain("LA", 0, 51), "PNG")) == [204] * 3
    colours = plain("P", 1)
    colours.putpalette([9, 9, 9, 0, 0, 255])
    assert colour(encoded(colours, "PNG")) == [0, 0, 255]
    assert colour(encoded(colours, "PNG", transparency=0)) == [0, 0, 255]
    assert colour(encoded(colours, "PNG", transparency=1)) == [255] * 3
    assert colour(encoded(colours, "PNG", transparency=b"\xff\x33")) == [204, 204, 255]
    assert colour(encoded(plain("RGB", 1, 2, 3), "PNG", transparency=(1, 2, 3))) == [255] * 3
    assert colour(encoded(plain("L", 7), "PNG", transparency=7)) == [255] * 3


def test_large_photos_of_any_mode_are_averaged_like_rgb() -> None:
    """At four times the wanted size and above, also those that are converted a band of rows at a time."""
    grey = Image.fromarray(np.random.default_rng(0).integers(0, 256, (700, 600), dtype=np.uint8))
    expected = read(encoded(grey.convert("RGB"), "PNG"))
    assert expected.shape == (168, 144, 3)
    opaque = Image.merge("LA", (grey, Image.new("L", grey.size, 255)))
    sixteen = Image.fromarray(np.asarray(grey).astype(np.uint16) << 8)
    for image in (grey, grey.convert("P"), opaque, opaque.convert("RGBA"), sixteen):
        np.testing.assert_array_equal(read(encoded(image, "PNG")), expected)


def srgb_of(space: str, values: tuple[int, int, int]) -> NDArray[np.float64]:
    """The same colour in sRGB, 0…255, worked out by the book: curve, matrix, inverse matrix, inverse curve."""
    x = np.asarray(values) / 255
    light = (
        x ** (563 / 256) if space == "adobe-rgb" else np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    )
    linear = np.linalg.inv(np.asarray(PRIMARIES["srgb"]).T) @ np.asarray(PRIMARIES[space]).T @ light
    linear = linear.clip(0, 1)
    return np.asarray(255 * np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055))


def with_profile(kind: str, image: Image.Image, profile: bytes) -> bytes:
    """The image as a file with this colour profile."""
    if kind == "JPEG":
        return jpeg(app_profile(profile), image=image, quality=100, subsampling=0)
    if kind == "PNG":
        data = encoded(image, "PNG")
        return data[:33] + iccp(profile) + data[33:]
    return riff(vp8x(*image.size, 0x20), (b"ICCP", profile), *webp_chunks(encoded(image, "WEBP", lossless=True)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("space", ["display-p3", "adobe-rgb"])
@pytest.mark.parametrize("values", [(120, 160, 90), (200, 60, 60), (30, 90, 200), (255, 0, 0), (128, 128, 128)])
def test_wide_gamuts_become_srgb(kind: str, space: str, values: tuple[int, int, int]) -> None:
    got = colour(with_profile(kind, plain("RGB", *values), rgb_profile(space)))
    assert np.abs(got - srgb_of(space, values)).max() <= 3


def test_a_conversion_is_seen() -> None:
    data = with_profile("PNG", plain("RGB", 90, 200, 90), rgb_profile("adobe-rgb"))
    assert np.abs(np.subtract(colour(data), (90, 200, 90))).max() > 20
    assert to_rgb(Image.open(io.BytesIO(data))).getpixel((9, 9)) == tuple(colour(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_profile_that_is_srgb_changes_no_pixel(kind: str) -> None:
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (rgb_profile("srgb"), made):
        data = with_profile(kind, picture(), profile)
        np.testing.assert_array_equal(read(data), read(with_profile(kind, picture(), b"")))


def test_grey_profiles_and_those_of_inks_are_used() -> None:
    linear = icc({b"kTRC": gamma(1.0)}, space=b"GRAY")
    assert abs(colour(with_profile("JPEG", plain("L", 55), linear))[0] - 128) <= 3
    white, green = (100.0, 0.0, 0.0), (60.0, -50.0, 40.0)
    greenish = cmyk_profile([green if corner & 8 else white for corner in range(16)])
    got = colour(with_profile("JPEG", plain("CMYK", 255, 0, 0, 0), greenish))
    assert got[1] > got[0] + 60
    assert got[1] > got[2] + 60
    assert min(colour(with_profile("JPEG", plain("CMYK", 0, 0, 0, 0), greenish))) >= 250


@pytest.mark.parametrize(
    "profile",
    [
        b"noise" * 99,
        rgb_profile("adobe-rgb")[:300],
        rgb_profile("adobe-rgb") + bytes(3 * 2**20),
        icc({}, space=b"GRAY"),
    ],
    ids=["noise", "cut short", "huge", "for grey"],
)
def test_a_profile_that_cannot_be_used_is_ignored(profile: bytes) -> None:
    np.testing.assert_array_equal(read(with_profile("PNG", picture(), profile)), np.asarray(picture()))
    grey = picture(mode="L")
    np.testing.assert_array_equal(read(with_profile("PNG", grey, rgb_profile("adobe-rgb")))[:, :, 0], np.asarray(grey))


def test_interlaced_and_progressive_photos_are_photos() -> None:
    rows = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    passes = [rows[y::height, x::width] for x, y, width, height in steps]
    data = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    np.testing.assert_array_equal(read(png(size=(8, 8), interlace=1, data=data)), rows)
    whole = read(encoded(picture(), "JPEG"))
    np.testing.assert_array_equal(read(encoded(picture(), "JPEG", progressive=True)), whole)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(kind: str) -> None:
    frames = [Image.new("RGB", (40, 30), name) for name in ("red", "blue")]
    with pytest.raises(PhotoRefused, match="animated") as refused:
        read(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert refused.value.reason == "unsupported-media-type"
    assert refused.value.members["got"] == "2 frames"
