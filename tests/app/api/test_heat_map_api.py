"""POST /explain/map: the crown of the tiny bundle's birds is the upper half of the photo, the wing the lower one."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.tiny_bundle import ALL_BLUE, PREPROCESSING, picture_bytes


def ask(client: httpx.Client, photo: bytes, **query: Any) -> httpx.Response:
    return client.post("/explain/map", params=query, files={"image": photo})


def change(client: httpx.Client, photo: tuple[str, str], **query: Any) -> NDArray[np.float64]:
    """(H, W) how much the overlay changed the photo."""
    answer = ask(client, picture_bytes(*photo), **query).raise_for_status()
    assert answer.headers["content-type"] == "image/png"
    drawn = Image.open(io.BytesIO(answer.content))
    assert drawn.size == (2 * PREPROCESSING.size,) * 2
    plain = Image.open(io.BytesIO(picture_bytes(*photo))).convert("L").convert("RGB")
    plain = plain.resize(drawn.size, Image.Resampling.NEAREST)
    difference = np.abs(np.asarray(drawn, dtype=np.float64) - np.asarray(plain, dtype=np.float64))
    middle = drawn.height // 2
    difference[middle - 4 : middle + 4] = 0  # the edge of the two colours is drawn smoothly
    return np.asarray(difference.mean(axis=2))


@pytest.mark.parametrize(
    ("attribute", "is_upper"), [("crown color: blue", True), ("wing color: red", False), ("Wing  Color: RED", False)]
)
def test_an_attribute_is_shown_where_it_is(client: httpx.Client, attribute: str, is_upper: bool) -> None:
    changed = change(client, ("blue", "red"), attribute=attribute)
    upper, lower = changed[: len(changed) // 2].sum(), changed[len(changed) // 2 :].sum()
    assert (upper > 1.5 * lower) if is_upper else (lower > 1.5 * upper)


def test_a_contrast_is_shown_where_the_classes_differ(client: httpx.Client) -> None:
    """Both have a red crown; only the wing tells them apart."""
    changed = change(client, ("red", "blue"), class_id="blue-winged-bird", versus="red-bird")
    assert changed[len(changed) // 2 :].sum() > 5 * changed[: len(changed) // 2].sum()


def test_the_subject_is_named(client: httpx.Client, space: str) -> None:
    body = {"id": "blue-bird", "label": "B", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=body).raise_for_status()
    photo = picture_bytes("blue")
    assert ask(client, photo, space=space).headers["x-map-of"] == "blue-bird"
    assert ask(client, photo, class_id="red-bird").headers["x-map-of"] == "red-bird"
    assert ask(client, photo, versus="red-bird", space=space).headers["x-map-of"] == "blue-bird versus red-bird"
    assert ask(client, photo, attribute="size: small").headers["x-map-of"] == "size: small"


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"class_id": "no-such"}, "class-not-found"),
        ({"versus": "no-such"}, "class-not-found"),
        ({"attribute": "wing colour: blue"}, "unknown-attribute"),
        ({"attribute": "size: small", "class_id": "red-bird"}, "invalid-parameter"),
    ],
)
def test_what_cannot_be_shown(client: httpx.Client, query: dict[str, str], kind: str) -> None:
    assert ask(client, picture_bytes("red"), **query).json()["type"] == f"/problems/{kind}"


def test_photos_are_checked_as_everywhere(client: httpx.Client) -> None:
    answer = ask(client, b"no photo")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code in (415, 422)
