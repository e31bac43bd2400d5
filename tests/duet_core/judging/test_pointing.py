"""The pointing game, on pictures where the right answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duet_core.judging.boxes import Box
from duet_core.judging.photos import WholePhoto, scenery
from duet_core.judging.pointing import (
    Seen,
    centre,
    hottest,
    in_square,
    occlusion_mapper,
    off_centre,
    play,
    seen_photos,
    share_inside,
)
from duet_core.runtime import Encoder, Preprocessing, open_bundle
from duet_core.runtime.heat_map import Occlusion
from tests.tiny_bundle import write_tiny_bundle

NONE = np.zeros(1, dtype=np.float32)
PREPROCESSING = Preprocessing(size=32, resize=40, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def test_a_box_follows_the_scaling_and_the_crop() -> None:
    """Painted into the photo, the box comes out of the preprocessing where `in_square` says."""
    photo = Image.new("RGB", (120, 80), "black")
    box = Box(50, 20, 30, 40, 1.0)
    photo.paste("white", (box.left, box.top, box.left + box.width, box.top + box.height))
    rows, columns = np.nonzero(PREPROCESSING(photo).mean(axis=0) > 0)
    left, top, right, bottom = in_square(box, photo.size, PREPROCESSING)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == pytest.approx(
        (left, top, right, bottom), abs=1
    )


def seen(box: tuple[float, float, float, float]) -> Seen:
    return Seen("a", "b", np.zeros((3, 20, 20), dtype=np.float32), box)


def test_hits_and_shares() -> None:
    photo = seen((10, 0, 30, 10))
    assert photo.area == 0.25
    heat = np.zeros((20, 20))
    heat[2, 15] = 3
    heat[18, 2], heat[19, 19] = 1, -9
    assert hottest(heat) == (15, 2)
    assert photo.holds(*hottest(heat))
    assert share_inside(heat, photo) == 0.75
    assert share_inside(np.ones((20, 20)), photo) == photo.area
    assert not photo.holds(*hottest(centre(photo.pixels, NONE, NONE)))
    assert seen((5, 5, 15, 15)).holds(*hottest(centre(photo.pixels, NONE, NONE)))


def test_occlusion_points_at_what_the_model_reads(tmp_path: Path) -> None:
    """The tiny model reads crowns in the upper half: a blue crown is found there, and beats the centre."""
    bundle = open_bundle(write_tiny_bundle(tmp_path / "tiny"))
    encoder = Encoder(bundle)
    image = Image.new("RGB", (48, 48), "black")
    image.paste("blue", (4, 2, 20, 14))
    whole = WholePhoto("bird", "class", image, Box(4, 2, 16, 12, 1.0))
    filled = WholePhoto("near", "class", image, Box(0, 0, 48, 44, 1.0))
    photos = seen_photos([whole, filled], encoder, bundle.preprocessing)
    assert [photo.name for photo in photos] == ["bird"]
    weights = np.zeros(len(bundle.schema), dtype=np.float32)
    weights[bundle.schema.keys.index("crown color: blue")] = 1
    v = encoder.encode_pixels(photos[0].pixels[None]).v[0]
    heat = occlusion_mapper(encoder, Occlusion())(photos[0].pixels, v, weights)
    assert photos[0].holds(*hottest(heat))
    rows = play(photos, {"centre": centre, "occlusion": occlusion_mapper(encoder, Occlusion())}, bundle, encoder)
    assert rows.splitlines()[2].split(" | ")[:2] == ["| centre", "0.000"]


@pytest.mark.parametrize("box", [(20, 30, 60, 50), (250, 120, 60, 70), (140, 90, 70, 60), (100, 10, 110, 60)])
def test_a_window_holds_the_bird_off_its_centre(box: tuple[int, int, int, int]) -> None:
    photo = Image.new("RGB", (340, 256), "black")
    photo.paste("white", (box[0], box[1], box[0] + box[2], box[1] + box[3]))
    moved = off_centre(WholePhoto("a", "c", photo, Box(*box, 1.0)))
    assert moved is not None
    assert moved.image.width == moved.image.height
    rows, columns = np.nonzero(np.asarray(moved.image.convert("L")) > 128)
    found = (columns.min(), rows.min(), columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min())
    assert found == (moved.box.left, moved.box.top, *box[2:])
    assert not moved.box.contains(moved.image.width / 2, moved.image.height / 2)


def test_a_bird_that_fills_the_photo_is_always_in_the_centre() -> None:
    assert off_centre(WholePhoto("a", "c", Image.new("RGB", (340, 256)), Box(10, 10, 320, 240, 1.0))) is None


def test_scenery_is_beside_the_bird() -> None:
    image = Image.new("RGB", (300, 200), "green")
    image.paste("red", (0, 0, 150, 200))
    (picture,) = scenery([WholePhoto("a", "c", image, Box(10, 20, 140, 170, 1.0))])
    assert picture.kind == "scenery"
    assert picture.image.size == (150, 150)
    assert np.asarray(picture.image)[..., 0].mean() < 10
    assert list(scenery([WholePhoto("a", "c", image, Box(0, 0, 290, 195, 1.0))])) == []
