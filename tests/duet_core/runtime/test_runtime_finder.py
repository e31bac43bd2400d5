"""A bundle's finder: the box it finds, what is cut out of the photo, and finders that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from duet_core.runtime import BundleError, Encoder, open_bundle
from duet_core.runtime.bundle import renew_files
from duet_core.runtime.finder import FINDER, Box, open_finder
from tests.tiny_bundle import PREPROCESSING, picture, write_tiny_bundle
from tests.tiny_finder import add_finder, finder_model, scene

PLACE = Box(left=0.6, top=0.5, right=0.9, bottom=0.75)
SIZE = (160, 120)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_finder(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


@given(
    edges=st.tuples(*[st.floats(0, 1)] * 4),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_a_cut_is_inside_the_photo_and_never_empty(
    edges: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    left, right = sorted(edges[:2])
    top, bottom = sorted(edges[2:])
    part = Box(left=left, top=top, right=right, bottom=bottom).cut(Image.new("RGB", size, "white"))
    assert 1 <= part.width <= size[0]
    assert 1 <= part.height <= size[1]
    assert np.asarray(part).min() == 255  # Pillow fills what lies outside with black
    assert abs(part.width - (right - left) * size[0]) <= 1.0 + 1e-9
    assert abs(part.height - (bottom - top) * size[1]) <= 1.0 + 1e-9


def test_the_object_is_found_and_the_model_sees_it_alone(bundle: Path) -> None:
    encoder = Encoder(open_bundle(bundle))
    look = encoder.look(scene(picture("red", "blue"), SIZE, PLACE))
    assert look.box is not None
    assert look.box.distance(PLACE) < 0.03
    seen = encoder.encode_pixels(look.pixels[None]).v[0]
    alone = encoder.encode([picture("red", "blue")]).v[0]
    np.testing.assert_allclose(seen, alone, atol=0.1)
    central = encoder.encode([scene(picture("red", "blue"), SIZE, PLACE)]).v[0]
    assert np.abs(central - alone).max() > 0.5


def test_a_finder_that_is_not_asked_changes_nothing(bundle: Path) -> None:
    encoder, photo = Encoder(open_bundle(bundle)), scene(picture("red"), SIZE, PLACE)
    look = encoder.look(photo, find=False)
    assert look.box is None
    np.testing.assert_array_equal(look.pixels, encoder.prepare(photo))


def test_a_bundle_without_a_finder_sees_the_central_square(tmp_path: Path) -> None:
    opened = open_bundle(write_tiny_bundle(tmp_path / "tiny"))
    photo = scene(picture("red"), SIZE, PLACE)
    assert opened.finder is None
    look = Encoder(opened).look(photo)
    assert look.box is None
    np.testing.assert_array_equal(look.pixels, PREPROCESSING(photo))


def test_states_of_another_finder_are_not_mixed_with_these(bundle: Path, tmp_path: Path) -> None:
    without = open_bundle(write_tiny_bundle(tmp_path / "tiny"))
    assert without.fingerprint != open_bundle(bundle).fingerprint


def test_edges_outside_the_photo_are_brought_back(tmp_path: Path) -> None:
    onnx.save(finder_model(shift=0.5), tmp_path / FINDER)
    box = open_finder(tmp_path / FINDER, PREPROCESSING).find(scene(picture("red"), SIZE, PLACE))
    assert (box.right, box.bottom) == (1.0, 1.0)
    assert box.cut(Image.new("RGB", SIZE)).size[0] >= 1


def test_a_finder_of_other_outputs_is_refused(bundle: Path, tmp_path: Path) -> None:
    wrong = write_tiny_bundle(tmp_path / "tiny")
    (wrong / FINDER).write_bytes((bundle / "vision.onnx").read_bytes())
    renew_files(wrong, [FINDER], finder={"golden": {}})
    with pytest.raises(BundleError, match="expected pixels"):
        open_bundle(wrong)


def test_a_finder_that_finds_another_golden_box_is_refused(tmp_path: Path) -> None:
    folder = add_finder(write_tiny_bundle(tmp_path / "tiny"))
    golden = json.loads((folder / "manifest.json").read_text())["finder"]["golden"]
    renew_files(folder, [], finder={"golden": golden | {"left": golden["left"] + 0.02}})
    with pytest.raises(BundleError, match=r"the box of golden.png is off by 0\.020"):
        open_bundle(folder)
